"""CenterFace as a detector plugin of maskcheck."""

from __future__ import annotations

from collections.abc import Sequence

from maskcheck import DetectorSpec, hookimpl
from maskcheck.detectors.scales import network_options
from maskcheck_centerface.detector import PRESETS, CenterFaceDetector

__all__ = ["CenterFaceDetector", "maskcheck_register_detectors"]


@hookimpl
def maskcheck_register_detectors() -> Sequence[DetectorSpec]:
    """Offer the detector to maskcheck."""
    defaults = CenterFaceDetector()
    return [
        DetectorSpec(
            name="centerface",
            summary="CenterFace, a small network: small, turned and masked faces",
            factory=CenterFaceDetector,
            options=network_options(PRESETS, defaults.preset),
            default_min_score=defaults.default_min_score,
            api_version=1,
        )
    ]
