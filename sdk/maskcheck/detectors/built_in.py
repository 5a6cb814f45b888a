"""The detectors that come with the SDK, offered through the same hook as those of any plugin."""

from __future__ import annotations

from collections.abc import Sequence

from maskcheck.detectors.api import Detector, DetectorSpec, hookimpl
from maskcheck.detectors.haar import haar_specs


@hookimpl
def maskcheck_register_detectors() -> Sequence[DetectorSpec]:
    """Offer OpenCV's Haar cascades, and the whole picture as one face."""
    whole_picture = DetectorSpec(
        name="whole-picture",
        summary="takes the whole picture for one face: for crops that are faces already",
        factory=_create_whole_picture,
        api_version=1,
    )
    return [*haar_specs(), whole_picture]


def _create_whole_picture() -> Detector:
    from maskcheck.detectors.whole_picture import WholePictureDetector

    return WholePictureDetector()
