"""The two kinds of stages that plugins offer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from maskcheck.classifier.spec import ClassifierSpec
from maskcheck.detectors.spec import DetectorSpec
from maskcheck.errors import ClassifierNotFound, DetectorNotFound
from maskcheck.stages import StageSpec

SpecT = TypeVar("SpecT", bound=StageSpec)


@dataclass(frozen=True)
class StageKind(Generic[SpecT]):
    """A kind of stages.

    Attributes:
        name: What messages call it.
        hook: The hook that offers stages of this kind.
        spec: What the hook gives.
        not_found: Error for a name that no stage of this kind has.
        advice: What that error says to do.
        own_plugins: Distributions of this project that offer stages, by the name of the stage.
    """

    name: str
    hook: str
    spec: type[SpecT]
    not_found: type[DetectorNotFound] | type[ClassifierNotFound]
    advice: str = ""
    own_plugins: Mapping[str, str] = field(default_factory=dict)


DETECTORS = StageKind(
    "detector",
    "maskcheck_register_detectors",
    DetectorSpec,
    DetectorNotFound,
    advice="; `maskcheck detectors` lists them",
    own_plugins={name: f"maskcheck-{name}" for name in ("centerface", "yunet")},
)
CLASSIFIERS = StageKind(
    "classifier",
    "maskcheck_register_classifiers",
    ClassifierSpec,
    ClassifierNotFound,
    advice="; `maskcheck classifiers` lists them",
)
KINDS: tuple[StageKind[Any], ...] = (DETECTORS, CLASSIFIERS)
