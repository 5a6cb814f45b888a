"""All errors that maskcheck raises on purpose.

::

    MaskCheckError
    ├── ModelError                 the ONNX file cannot be used
    │   ├── ModelNotFound          there is no such file
    │   ├── ModelMetadataError     its metadata are missing or invalid (labels, input size, crop margin)
    │   ├── ModelSignatureError    its inputs or outputs are not those of a mask classifier
    │   ├── ModelOutputError       it runs, but its output is not probabilities
    │   ├── ModelTimeout           it takes too long to load or to run (also a TimeoutError)
    │   └── ModelIntegrityError    the embedded file is not the released one
    ├── RuntimeUnavailable         ONNX Runtime cannot do what was asked
    │   ├── RuntimeNotInstalled    no onnxruntime is installed
    │   ├── RuntimeConflict        several onnxruntime distributions overwrite each other
    │   └── ProviderUnavailable    the execution provider is not active
    ├── DetectorNotFound           there is no detector of that name
    ├── ClassifierNotFound         there is no classifier of that name
    ├── PluginError                a plugin is broken
    ├── DetectorOptionError        the detector has no such option, or refuses its value (also a ValueError)
    ├── ClassifierOptionError      the classifier has no such option, or refuses its value (also a ValueError)
    ├── ImageError                 a picture cannot be decoded (also a ValueError)
    │   └── ImageTooLarge          it is above a limit (pixels, sides, bytes, scans)
    ├── PackageNotInstalled        an optional package is needed and missing (also an ImportError)
    ├── PictureTimeout             a picture took longer than its time limit (also a TimeoutError)
    ├── SourceError                there is no picture at a path, or a folder cannot be read
    └── WorkerDied                 a worker process ends by itself, or is killed, while it works on a picture

A message says what was expected, what came and what to do. Values that a program may need are attributes as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class MaskCheckError(Exception):
    """Base of all errors of this package. They can be pickled, so a worker process can raise them."""

    def __reduce__(self) -> tuple[Any, ...]:
        # Exception's own method calls the class with the message alone, and loses the attributes.
        return _restore, (type(self), self.args, self.__dict__)


def _restore(kind: type[MaskCheckError], args: tuple[Any, ...], attributes: dict[str, Any]) -> MaskCheckError:
    error = kind.__new__(kind, *args)
    error.args = args  # an OSError's __new__ leaves them to its __init__
    error.__dict__.update(attributes)
    return error


class ModelError(MaskCheckError):
    """A classifier file cannot be used.

    Attributes:
        path: The file, as the caller wrote it.
    """

    def __init__(self, message: str, *, path: str) -> None:
        super().__init__(message)
        self.path = path


class ModelNotFound(ModelError):
    """There is no such model file."""


class ModelMetadataError(ModelError):
    """The metadata that every maskcheck classifier has are missing from the file, or invalid."""


class ModelSignatureError(ModelError):
    """The inputs or outputs of the file are not those of a mask classifier."""


class ModelOutputError(ModelError):
    """The output is not probabilities: for each crop, a number in [0, 1] for each label, which add up to 1."""


class ModelTimeout(ModelError, TimeoutError):
    """The file takes longer to load or to run than its time limit.

    Attributes:
        timeout: The limit, in seconds.
    """

    def __init__(self, message: str, *, path: str, timeout: float) -> None:
        super().__init__(message, path=path)
        self.timeout = timeout


class ModelIntegrityError(ModelError):
    """The SHA-256 of the embedded model differs from that of the released file."""


class RuntimeUnavailable(MaskCheckError):
    """ONNX Runtime cannot do what was asked."""


class RuntimeNotInstalled(RuntimeUnavailable):
    """No ONNX Runtime distribution is installed."""


class RuntimeConflict(RuntimeUnavailable):
    """More than one ONNX Runtime distribution is installed. They overwrite each other's files, so neither is complete.

    Attributes:
        distributions: Names of the installed distributions.
    """

    def __init__(self, message: str, *, distributions: Sequence[str]) -> None:
        super().__init__(message)
        self.distributions = tuple(distributions)


class ProviderUnavailable(RuntimeUnavailable):
    """A requested execution provider is not active in the created session.

    Attributes:
        requested: The requested providers, in order.
        active: The providers that the session reports, or else that the installed onnxruntime offers, in order.
    """

    def __init__(self, message: str, *, requested: Sequence[str], active: Sequence[str]) -> None:
        super().__init__(message)
        self.requested = tuple(requested)
        self.active = tuple(active)


class DetectorNotFound(MaskCheckError):
    """No detector of that name is registered.

    Attributes:
        name: The requested name.
        available: Names of the registered detectors.
        failed: For each plugin that did not load, the reason.
    """

    def __init__(self, message: str, *, name: str, available: Sequence[str], failed: Mapping[str, str]) -> None:
        super().__init__(message)
        self.name = name
        self.available = tuple(available)
        self.failed = dict(failed)


class ClassifierNotFound(MaskCheckError):
    """No classifier of that name is registered.

    Attributes:
        name: The requested name.
        available: Names of the registered classifiers.
        failed: For each plugin that did not load, the reason.
    """

    def __init__(self, message: str, *, name: str, available: Sequence[str], failed: Mapping[str, str]) -> None:
        super().__init__(message)
        self.name = name
        self.available = tuple(available)
        self.failed = dict(failed)


class PluginError(MaskCheckError):
    """A plugin failed to load, or broke the plugin interface while running.

    Attributes:
        plugin: Name of the entry point, or of what the plugin registers.
        distribution: The installed distribution that the plugin belongs to, if known.
    """

    def __init__(self, message: str, *, plugin: str, distribution: str | None = None) -> None:
        super().__init__(message)
        self.plugin = plugin
        self.distribution = distribution


class DetectorOptionError(MaskCheckError, ValueError):
    """The detector has no such option, or refuses its value.

    Attributes:
        detector: Name of the detector.
        option: Name of the option, as the caller wrote it.
    """

    def __init__(self, message: str, *, detector: str, option: str) -> None:
        super().__init__(message)
        self.detector = detector
        self.option = option


class ClassifierOptionError(MaskCheckError, ValueError):
    """The classifier has no such option, or refuses its value.

    Attributes:
        classifier: Name of the classifier.
        option: Name of the option, as the caller wrote it.
    """

    def __init__(self, message: str, *, classifier: str, option: str) -> None:
        super().__init__(message)
        self.classifier = classifier
        self.option = option


class ImageError(MaskCheckError, ValueError):
    """A picture cannot be decoded, or an array has the wrong shape or dtype.

    Attributes:
        source: The path of the picture, where there is one.
    """

    def __init__(self, message: str, *, source: str | None = None) -> None:
        super().__init__(message)
        self.source = source


class ImageTooLarge(ImageError):
    """A picture is above a limit, and was not decoded.

    Attributes:
        pixels: Width times height, by the header; 0 if the file was refused before its header was read.
        what: Name of the limit in :class:`DecodingLimits`: ``max_pixels``, ``max_side``, ...
        limit: Value of that limit.
    """

    def __init__(self, message: str, *, source: str | None, pixels: int, limit: int, what: str = "max_pixels") -> None:
        super().__init__(message, source=source)
        self.pixels = pixels
        self.what = what
        self.limit = limit


class PackageNotInstalled(MaskCheckError, ImportError):
    """An optional package that the call needs is not installed, or cannot be imported.

    Attributes:
        package: Its name, for ``pip install``.
    """

    def __init__(self, message: str, *, package: str) -> None:
        super().__init__(message)
        self.package = package


class PictureTimeout(MaskCheckError, TimeoutError):
    """Decoding a picture and detecting its faces took longer than the time limit of the pipeline.

    Attributes:
        source: The path of the picture, where there is one.
        timeout: The limit, in seconds.
    """

    def __init__(self, message: str, *, source: str | None, timeout: float) -> None:
        super().__init__(message)
        self.source = source
        self.timeout = timeout


class SourceError(MaskCheckError):
    """There is no picture at a path or for a pattern, or a folder cannot be read.

    Attributes:
        source: The path or pattern, as the user wrote it.
    """

    def __init__(self, message: str, *, source: str) -> None:
        super().__init__(message)
        self.source = source


class WorkerDied(MaskCheckError):
    """A worker process ended by itself, or was killed, while it worked on a picture or loaded its models.

    Attributes:
        source: The path of the picture, where there is one.
        exit_code: The exit status of the process; negative for the signal that ended it, as -11 for SIGSEGV.
    """

    def __init__(self, message: str, *, source: str | None, exit_code: int | None) -> None:
        super().__init__(message)
        self.source = source
        self.exit_code = exit_code
