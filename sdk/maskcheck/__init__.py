"""Find faces in pictures and say of each whether it wears a face mask.

::

    from maskcheck import MaskPipeline

    pipeline = MaskPipeline()
    for face in pipeline("street.jpg"):
        print(face.box, face.label, face.confidence)

Everything public is here; what plugins import is in :mod:`maskcheck.plugins`. Names are loaded when they are first
used, so that ``maskcheck doctor`` runs, and says what to do, even where OpenCV or ONNX Runtime cannot be imported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from maskcheck._version import __version__
from maskcheck.errors import (
    ClassifierNotFound,
    ClassifierOptionError,
    DetectorNotFound,
    DetectorOptionError,
    ImageError,
    ImageTooLarge,
    MaskCheckError,
    ModelError,
    ModelIntegrityError,
    ModelMetadataError,
    ModelNotFound,
    ModelOutputError,
    ModelSignatureError,
    ModelTimeout,
    PackageNotInstalled,
    PictureTimeout,
    PluginError,
    ProviderUnavailable,
    RuntimeConflict,
    RuntimeNotInstalled,
    RuntimeUnavailable,
    SourceError,
    WorkerDied,
)
from maskcheck.lazy import load_name

if TYPE_CHECKING:
    from maskcheck.classifier.mask_classifier import MaskClassifier
    from maskcheck.classifier.model import ModelInfo
    from maskcheck.classifier.second_look import Combination, Look
    from maskcheck.detectors.api import Detections, Detector
    from maskcheck.detectors.spec import DetectorOption, DetectorSpec
    from maskcheck.events import (
        Event,
        Line,
        LineCrossed,
        MaskPutOn,
        MaskRemoved,
        PersonEntered,
        PersonLeft,
        WatchSettings,
        Zone,
        ZoneEntered,
        ZoneLeft,
    )
    from maskcheck.frames import Frame
    from maskcheck.hosting.hooks import hookimpl
    from maskcheck.pictures.decoding import load_image
    from maskcheck.pictures.limits import DecodingLimits
    from maskcheck.pipeline import MaskPipeline
    from maskcheck.results import Face, FrameResult, Receipt, StageReceipt, Timings
    from maskcheck.sources.opening import open_source
    from maskcheck.sources.reader import FrameReader, VideoInfo
    from maskcheck.tracking import TrackingSettings

__all__ = [
    "ClassifierNotFound",
    "ClassifierOptionError",
    "Combination",
    "DecodingLimits",
    "Detections",
    "Detector",
    "DetectorNotFound",
    "DetectorOption",
    "DetectorOptionError",
    "DetectorSpec",
    "Event",
    "Face",
    "Frame",
    "FrameReader",
    "FrameResult",
    "ImageError",
    "ImageTooLarge",
    "Line",
    "LineCrossed",
    "Look",
    "MaskCheckError",
    "MaskClassifier",
    "MaskPipeline",
    "MaskPutOn",
    "MaskRemoved",
    "ModelError",
    "ModelInfo",
    "ModelIntegrityError",
    "ModelMetadataError",
    "ModelNotFound",
    "ModelOutputError",
    "ModelSignatureError",
    "ModelTimeout",
    "PackageNotInstalled",
    "PersonEntered",
    "PersonLeft",
    "PictureTimeout",
    "PluginError",
    "ProviderUnavailable",
    "Receipt",
    "RuntimeConflict",
    "RuntimeNotInstalled",
    "RuntimeUnavailable",
    "SourceError",
    "StageReceipt",
    "Timings",
    "TrackingSettings",
    "VideoInfo",
    "WatchSettings",
    "WorkerDied",
    "Zone",
    "ZoneEntered",
    "ZoneLeft",
    "__version__",
    "hookimpl",
    "load_image",
    "open_source",
]

_MODULES = {
    "Combination": "classifier.second_look",
    "DecodingLimits": "pictures.limits",
    "Detections": "detectors.api",
    "Detector": "detectors.api",
    "DetectorOption": "detectors.spec",
    "DetectorSpec": "detectors.spec",
    "Event": "events",
    "Face": "results",
    "Frame": "frames",
    "FrameReader": "sources.reader",
    "FrameResult": "results",
    "Line": "events",
    "LineCrossed": "events",
    "Look": "classifier.second_look",
    "MaskClassifier": "classifier.mask_classifier",
    "MaskPipeline": "pipeline",
    "MaskPutOn": "events",
    "MaskRemoved": "events",
    "ModelInfo": "classifier.model",
    "PersonEntered": "events",
    "PersonLeft": "events",
    "Receipt": "results",
    "StageReceipt": "results",
    "Timings": "results",
    "TrackingSettings": "tracking",
    "VideoInfo": "sources.reader",
    "WatchSettings": "events",
    "Zone": "events",
    "ZoneEntered": "events",
    "ZoneLeft": "events",
    "hookimpl": "hosting.hooks",
    "load_image": "pictures.decoding",
    "open_source": "sources.opening",
}


def __getattr__(name: str) -> Any:
    return load_name(__name__, _MODULES, name)


def __dir__() -> list[str]:
    return __all__
