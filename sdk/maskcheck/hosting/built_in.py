"""The detectors and the classifier that come with the SDK, offered through the same hooks as those of any plugin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, get_args

from maskcheck.classifier.spec import ClassifierSpec
from maskcheck.detectors.api import Detector
from maskcheck.detectors.haar import haar_specs
from maskcheck.detectors.spec import DetectorSpec
from maskcheck.hosting.hooks import hookimpl
from maskcheck.runtime.config import SessionConfig
from maskcheck.runtime.precision import Precision
from maskcheck.stages import StageOption

if TYPE_CHECKING:
    from maskcheck.classifier.api import Classifier

_PRECISIONS = get_args(Precision)


@hookimpl
def maskcheck_register_detectors() -> Sequence[DetectorSpec]:
    """Offer OpenCV's Haar cascades, and the whole picture as one face."""
    whole_picture = DetectorSpec(
        name="whole-picture",
        summary="takes the whole picture for one face: for crops that are faces already",
        factory=_create_whole_picture,
        api_version=2,
    )
    return [*haar_specs(), whole_picture]


@hookimpl
def maskcheck_register_classifiers() -> Sequence[ClassifierSpec]:
    """Offer the mask classifier."""
    return [
        ClassifierSpec(
            name="mask",
            summary="whether a face wears a mask, by an ONNX file made by maskcheck-export",
            factory=_create_mask_classifier,
            options=(
                StageOption("model", str, None, "model file [default: the embedded one]"),
                StageOption("batch_size", int, None, "most faces in one run [default: 32]", minimum=1, maximum=1024),
                StageOption("precision", str, "auto", "arithmetic of the model", choices=_PRECISIONS),
                StageOption("timeout", float, None, "seconds that loading the model may take, and each run", minimum=0),
                StageOption("max_memory", int, None, "bytes that runs on the CPU may take", minimum=1),
            ),
            uses_session=True,
            api_version=2,
        )
    ]


# OpenCV is imported when a stage is made, so that they can be listed where it does not load.


def _create_whole_picture() -> Detector:
    from maskcheck.detectors.whole_picture import WholePictureDetector

    return WholePictureDetector()


def _create_mask_classifier(*, session: SessionConfig, **options: Any) -> Classifier:
    from maskcheck.classifier.mask_classifier import MaskClassifier

    return MaskClassifier(device=session.device, providers=session.providers, threads=session.threads, **options)
