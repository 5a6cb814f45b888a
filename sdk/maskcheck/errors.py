"""Every error that maskcheck raises on purpose.

::

    MaskCheckError
    ├── ModelError                 the ONNX file cannot be used
    │   ├── ModelNotFound          no such file
    │   ├── ModelMetadataError     it does not describe itself (labels, input size, crop margin)
    │   ├── ModelSignatureError    its inputs or outputs are not those of a mask classifier
    │   ├── ModelOutputError       it runs, but what it gives are no probabilities
    │   ├── ModelTimeout           it takes too long to load or to run (also a TimeoutError)
    │   └── ModelIntegrityError    the embedded file is not the one that was released
    ├── RuntimeUnavailable         ONNX Runtime cannot do what was asked
    │   ├── RuntimeNotInstalled    there is no onnxruntime
    │   ├── RuntimeConflict        several onnxruntime distributions overwrite each other
    │   └── ProviderUnavailable    the execution provider is not active
    ├── DetectorNotFound           no detector of that name
    ├── PluginError                a detector plugin is broken
    ├── DetectorOptionError        an option that the detector does not take (also a ValueError)
    ├── ImageError                 a picture cannot be decoded (also a ValueError)
    │   └── ImageTooLarge          its file or header is above a limit (pixels, sides, bytes, scans)
    ├── PackageNotInstalled        an optional package that is asked for is missing (also an ImportError)
    ├── PictureTimeout             a picture took longer than its time limit (also a TimeoutError)
    └── SourceError                a path that leads to no picture

Messages say what was expected, what came and what to do. What a program may want to read is an
attribute as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class MaskCheckError(Exception):
    """Base of all errors of this package; they survive pickling, so a worker process can raise them."""

    def __reduce__(self) -> tuple[Any, ...]:
        # Exception's own would call the class with its message alone, and lose the attributes.
        return _restore, (type(self), self.args, self.__dict__)


def _restore(kind: type[MaskCheckError], args: tuple[Any, ...], attributes: dict[str, Any]) -> MaskCheckError:
    error = kind.__new__(kind, *args)
    error.args = args  # an OSError's __new__ leaves them to its __init__
    error.__dict__.update(attributes)
    return error


class ModelError(MaskCheckError):
    """A classifier file cannot be used.

    Attributes:
        path: The file, as given.
    """

    def __init__(self, message: str, *, path: str) -> None:
        super().__init__(message)
        self.path = path


class ModelNotFound(ModelError):
    """There is no such model file."""


class ModelMetadataError(ModelError):
    """The file lacks the metadata that every maskcheck classifier carries, or it does not parse."""


class ModelSignatureError(ModelError):
    """The inputs or outputs of the file are not those of a mask classifier."""


class ModelOutputError(ModelError):
    """What the file gives are no probabilities: for each label a number in [0, 1], those of a crop adding up to 1."""


class ModelTimeout(ModelError, TimeoutError):
    """The file takes longer to load or to run than it may.

    Attributes:
        timeout: The limit, in seconds.
    """

    def __init__(self, message: str, *, path: str, timeout: float) -> None:
        super().__init__(message, path=path)
        self.timeout = timeout


class ModelIntegrityError(ModelError):
    """The SHA-256 of an embedded model is not the one that was released."""


class RuntimeUnavailable(MaskCheckError):
    """ONNX Runtime cannot do what was asked."""


class RuntimeNotInstalled(RuntimeUnavailable):
    """No ONNX Runtime distribution is installed."""


class RuntimeConflict(RuntimeUnavailable):
    """More than one ONNX Runtime distribution is installed; they share files, so neither is whole.

    Attributes:
        distributions: Their names.
    """

    def __init__(self, message: str, *, distributions: Sequence[str]) -> None:
        super().__init__(message)
        self.distributions = tuple(distributions)


class ProviderUnavailable(RuntimeUnavailable):
    """An execution provider that was asked for is not active in the created session.

    Attributes:
        requested: The providers asked for, in order.
        active: The providers that the session reports, or that the build offers, in order.
    """

    def __init__(self, message: str, *, requested: Sequence[str], active: Sequence[str]) -> None:
        super().__init__(message)
        self.requested = tuple(requested)
        self.active = tuple(active)


class DetectorNotFound(MaskCheckError):
    """No detector of that name is registered.

    Attributes:
        name: The name asked for.
        available: Names of the detectors that are there.
        failed: Reason of failure of each plugin that did not load.
    """

    def __init__(self, message: str, *, name: str, available: Sequence[str], failed: Mapping[str, str]) -> None:
        super().__init__(message)
        self.name = name
        self.available = tuple(available)
        self.failed = dict(failed)


class PluginError(MaskCheckError):
    """A detector plugin failed to load, or broke its contract while running.

    Attributes:
        plugin: Name of the entry point or of the detector.
        distribution: The installed distribution that it comes from, if known.
    """

    def __init__(self, message: str, *, plugin: str, distribution: str | None = None) -> None:
        super().__init__(message)
        self.plugin = plugin
        self.distribution = distribution


class DetectorOptionError(MaskCheckError, ValueError):
    """An option that the detector does not have, or a value that it does not take.

    Attributes:
        detector: Name of the detector.
        option: Name of the option, as given.
    """

    def __init__(self, message: str, *, detector: str, option: str) -> None:
        super().__init__(message)
        self.detector = detector
        self.option = option


class ImageError(MaskCheckError, ValueError):
    """A picture cannot be decoded, or an array is not a picture.

    Attributes:
        source: The path of the picture, where there is one.
    """

    def __init__(self, message: str, *, source: str | None = None) -> None:
        super().__init__(message)
        self.source = source


class ImageTooLarge(ImageError):
    """Decoding the picture costs more than a limit allows; it was refused before.

    Attributes:
        pixels: What the header claims, width times height; 0 where the file was refused before its header was read.
        what: The limit, by its name in :class:`DecodingLimits`: ``max_pixels``, ``max_side``, ...
        limit: Its value.
    """

    def __init__(self, message: str, *, source: str | None, pixels: int, limit: int, what: str = "max_pixels") -> None:
        super().__init__(message, source=source)
        self.pixels = pixels
        self.what = what
        self.limit = limit


class PackageNotInstalled(MaskCheckError, ImportError):
    """A package that maskcheck does without, except for what was asked, is not installed or cannot be imported.

    Attributes:
        package: Its name, as pip takes it.
    """

    def __init__(self, message: str, *, package: str) -> None:
        super().__init__(message)
        self.package = package


class PictureTimeout(MaskCheckError, TimeoutError):
    """Reading a picture and finding faces in it took longer than the time limit of the pipeline.

    Attributes:
        source: The path of the picture, where there is one.
        timeout: The limit, in seconds.
    """

    def __init__(self, message: str, *, source: str | None, timeout: float) -> None:
        super().__init__(message)
        self.source = source
        self.timeout = timeout


class SourceError(MaskCheckError):
    """A path or pattern that leads to no picture, or a folder that cannot be read.

    Attributes:
        source: The path or pattern, as given.
    """

    def __init__(self, message: str, *, source: str) -> None:
        super().__init__(message)
        self.source = source
