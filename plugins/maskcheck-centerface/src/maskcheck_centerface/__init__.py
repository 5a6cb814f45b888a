"""CenterFace as a detector plugin of maskcheck."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from maskcheck.plugins import DetectorSpec, SessionConfig, StageOption, chosen_session, hookimpl, network_options
from maskcheck_centerface.detector import DEFAULT_PRECISION, DEFAULT_PRESET, PRESETS, CenterFaceDetector, Precision

__all__ = ["CenterFaceDetector", "maskcheck_register_detectors"]

_PRECISION = StageOption(
    "precision",
    str,
    DEFAULT_PRECISION,
    "float32, int8, or auto for the faster one on this machine",
    choices=get_args(Precision),
)


@hookimpl
def maskcheck_register_detectors() -> Sequence[DetectorSpec]:
    """Offer the detector to maskcheck."""
    return [
        DetectorSpec(
            name="centerface",
            summary="CenterFace, a small network: small, turned and masked faces",
            factory=_create,
            options=(*network_options(PRESETS, DEFAULT_PRESET), _PRECISION),
            uses_session=True,
            api_version=2,
        )
    ]


def _create(
    preset: str,
    scale: float | None,
    device: str | None,
    threads: int | None,
    precision: Precision,
    session: SessionConfig,
) -> CenterFaceDetector:
    return CenterFaceDetector(preset, scale, chosen_session(session, device=device, threads=threads), precision)
