"""How a plugin offers a classifier."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from maskcheck.stages import StageSpec

if TYPE_CHECKING:  # it needs OpenCV, and classifiers can be listed where that does not load
    from maskcheck.classifier.api import Classifier


@dataclass(frozen=True)
class ClassifierSpec(StageSpec):
    """A classifier as a plugin offers it; from version 2 of the interface on.

    Attributes:
        name: What users type: letters, digits, ``-``, ``_`` and ``.``, the first one a letter or a digit.
        summary: One line for listings.
        factory: Makes the classifier from its options, given as keywords. It should be quick: heavy things (model
            files, sessions) are for ``warm_up`` and the first crops.
        options: The keywords that the factory takes.
        uses_session: Whether the factory also takes the keyword ``session``, a :class:`SessionConfig` with the device,
            providers and threads that the user chose for all networks.
        api_version: Version of this interface that the plugin was written for: 2.

    Raises:
        TypeError: A field of another type, or no `api_version`.
        ValueError: A name with other characters, or version 1, which has no classifiers.
    """

    factory: Callable[..., Classifier]

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.api_version == 1:
            raise ValueError("ClassifierSpec.api_version: expected 2 or more, for version 1 has no classifiers; got 1")
