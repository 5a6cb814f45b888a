"""How a plugin offers a detector."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from maskcheck.detectors.api import Detector
from maskcheck.stages import StageOption, StageSpec

DetectorOption = StageOption
"""The name of :class:`StageOption` in version 1 of the interface."""


@dataclass(frozen=True)
class DetectorSpec(StageSpec):
    """A detector as a plugin offers it.

    Attributes:
        name: What users type: letters, digits, ``-``, ``_`` and ``.``, the first one a letter or a digit.
        summary: One line for listings.
        factory: Makes the detector from its options, given as keywords. It should be quick: heavy things (model
            files, sessions) are for ``warm_up`` and the first ``detect``.
        options: The keywords that the factory takes.
        default_min_score: In [0, 1], of version 1: detections with a lower score are not reported unless the user asks
            for them. In version 2, it is an attribute of the detector; that of a version 1 detector counts as well.
        uses_session: Whether the factory also takes the keyword ``session``, a :class:`SessionConfig` with the device,
            providers and threads that the user chose for all networks; of version 2.
        api_version: Version of this interface that the plugin was written for: 1 or 2. It has no default, which would
            be that of the host, whatever the plugin was written for.

    Raises:
        TypeError: A field of another type, or no `api_version`.
        ValueError: A name with other characters, a score that is none, or a field that this version does not have.
    """

    factory: Callable[..., Detector]
    default_min_score: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        score = self.default_min_score
        if isinstance(score, bool) or not isinstance(score, (int, float)):
            raise TypeError(f"DetectorSpec.default_min_score: expected a number, got {score!r}")
        if not 0 <= score <= 1:
            raise ValueError(f"DetectorSpec.default_min_score: expected a score in [0, 1], got {score!r}")
        if score and self.api_version != 1:
            raise ValueError(
                "DetectorSpec.default_min_score: expected none from version 2 on;"
                f" write default_min_score = {score!r} in the class of the detector"
            )
