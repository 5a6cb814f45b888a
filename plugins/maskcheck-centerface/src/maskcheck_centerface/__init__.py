"""CenterFace as a detector plugin of maskcheck."""

from __future__ import annotations

from collections.abc import Sequence

from maskcheck.plugins import DetectorSpec, SessionConfig, chosen_session, hookimpl, network_options
from maskcheck_centerface.detector import DEFAULT_PRESET, PRESETS, CenterFaceDetector

__all__ = ["CenterFaceDetector", "maskcheck_register_detectors"]


@hookimpl
def maskcheck_register_detectors() -> Sequence[DetectorSpec]:
    """Offer the detector to maskcheck."""
    return [
        DetectorSpec(
            name="centerface",
            summary="CenterFace, a small network: small, turned and masked faces",
            factory=_create,
            options=network_options(PRESETS, DEFAULT_PRESET),
            uses_session=True,
            api_version=2,
        )
    ]


def _create(
    preset: str, scale: float | None, device: str | None, threads: int | None, session: SessionConfig
) -> CenterFaceDetector:
    return CenterFaceDetector(preset, scale, chosen_session(session, device=device, threads=threads))
