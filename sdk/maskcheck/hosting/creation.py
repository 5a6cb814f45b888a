"""Detectors and classifiers made from their declared options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from maskcheck.classifier.spec import ClassifierSpec
from maskcheck.detectors.api import Detector
from maskcheck.detectors.guard import described, detector_min_score
from maskcheck.detectors.spec import DetectorSpec
from maskcheck.errors import ClassifierOptionError, DetectorOptionError, MaskCheckError, PluginError
from maskcheck.runtime.config import SessionConfig
from maskcheck.stages import OptionValue, StageSpec

if TYPE_CHECKING:
    from maskcheck.classifier.api import Classifier

_DEFAULT_SESSION = SessionConfig()
_CLASSIFIER_MEMBERS = ("labels", "batch_size", "crop")


def parse_detector(text: str) -> tuple[str, dict[str, str]]:
    """Name and options of a detector, from a text such as ``centerface preset=thorough``.

    Raises:
        DetectorOptionError: The text has another form.
    """
    name, *pairs = text.split() or [""]
    options = {}
    for pair in pairs:
        option, equals, value = pair.partition("=")
        if not option or not equals:
            raise DetectorOptionError(
                f"expected 'DETECTOR [OPTION=VALUE ...]', got {text!r}", detector=name, option=pair
            )
        options[option] = value
    return name, options


def create_detector(
    spec: DetectorSpec, options: Mapping[str, Any] | None = None, session: SessionConfig = _DEFAULT_SESSION
) -> Detector:
    """Make a detector from its declared options; those not given have their defaults.

    Args:
        spec: Which detector.
        options: Values by name, as Python values or as text; None for the default, as a receipt has it.
        session: Device, providers and threads, for a detector that uses them.

    Raises:
        DetectorOptionError: No such option, or a value that it does not take.
        PluginError: The factory raised, or what it made is no detector.
    """
    detector = _create("detector", spec, options, session)
    if not isinstance(detector, Detector):
        raise PluginError(
            f"detector {spec.name}: its factory gave {type(detector).__name__}, which has no method `detect`",
            plugin=spec.name,
        )
    return detector


def create_classifier(
    spec: ClassifierSpec, options: Mapping[str, Any] | None = None, session: SessionConfig = _DEFAULT_SESSION
) -> Classifier:
    """Make a classifier from its declared options; those not given have their defaults.

    Args:
        spec: Which classifier.
        options: Values by name, as Python values or as text; None for the default, as a receipt has it.
        session: Device, providers and threads, for a classifier that uses them.

    Raises:
        ClassifierOptionError: No such option, or a value that it does not take.
        PluginError: The factory raised, or what it made is no classifier.
        MaskCheckError: What the factory raised, if it is one: there is no such model file, say.
    """
    classifier: Classifier = _create("classifier", spec, options, session)
    missing = missing_members(classifier)
    if missing:
        raise PluginError(
            f"classifier {spec.name}: its factory gave {type(classifier).__name__}, which has no {', '.join(missing)}",
            plugin=spec.name,
        )
    return classifier


def missing_members(classifier: object) -> list[str]:
    """What an object lacks to be a classifier: names of attributes and methods; none if it is one."""
    # Of the class first: to ask the object for its labels may load a model.
    kind = type(classifier)
    missing = [name for name in _CLASSIFIER_MEMBERS if not (hasattr(kind, name) or hasattr(classifier, name))]
    return missing if callable(classifier) else [*missing, "__call__"]


def check_options(spec: StageSpec, options: Mapping[str, Any] | None = None) -> dict[str, OptionValue | None]:
    """The values of all options of a detector or classifier, those not given by their defaults.

    Args:
        spec: Which detector or classifier.
        options: Values by name, as Python values or as text; None for the default, as a receipt has it.

    Raises:
        DetectorOptionError, ClassifierOptionError: No such option, or a value that it does not take.
    """
    declared = {option.name: option for option in spec.options}
    values = {option.name: option.default for option in spec.options}
    for name, value in (options or {}).items():
        if name not in declared:
            known = ", ".join(f"{option.name} ({option.allowed})" for option in spec.options) or "none"
            raise _option_error(spec, name, f"{_of(spec)} has no option {name!r}; its options: {known}")
        if value is None:
            continue
        try:
            values[name] = declared[name].parse(value)
        except ValueError as error:
            raise _option_error(spec, name, f"option {name} of {_of(spec)}: {error}") from None
    return values


def default_min_score(spec: DetectorSpec) -> float | None:
    """Score from which a user sees a face of a detector; None if it cannot be made, so that nobody knows.

    Args:
        spec: Which detector.
    """
    try:
        return detector_min_score(create_detector(spec), spec)
    except (MaskCheckError, ImportError):
        return spec.default_min_score if spec.api_version == 1 else None


def _create(kind: str, spec: StageSpec, options: Mapping[str, Any] | None, session: SessionConfig) -> Any:
    values: dict[str, Any] = check_options(spec, options)
    if spec.uses_session:
        values["session"] = session
    try:
        return spec.factory(**values)
    except (KeyboardInterrupt, MaskCheckError):
        raise
    except BaseException as error:  # whatever a plugin raises, the host goes on
        raise PluginError(f"{kind} {spec.name} cannot be made: {described(error)}", plugin=spec.name) from error


def _of(spec: StageSpec) -> str:
    return f"{'classifier' if isinstance(spec, ClassifierSpec) else 'detector'} {spec.name}"


def _option_error(spec: StageSpec, option: str, message: str) -> DetectorOptionError | ClassifierOptionError:
    if isinstance(spec, ClassifierSpec):
        return ClassifierOptionError(message, classifier=spec.name, option=option)
    return DetectorOptionError(message, detector=spec.name, option=option)
