"""YuNet as a detector plugin of maskcheck."""

from __future__ import annotations

from collections.abc import Sequence

from maskcheck.plugins import DetectorSpec, SessionConfig, StageOption, chosen_session, hookimpl, network_options
from maskcheck_yunet.detector import DEFAULT_PRESET, PRESETS, YuNetDetector

__all__ = ["YuNetDetector", "maskcheck_register_detectors"]


@hookimpl
def maskcheck_register_detectors() -> Sequence[DetectorSpec]:
    """Offer the detector to maskcheck."""
    return [
        DetectorSpec(
            name="yunet",
            summary="YuNet, a tiny network; its model is fetched once by `maskcheck-yunet fetch`",
            factory=_create,
            options=(
                *network_options(PRESETS, DEFAULT_PRESET),
                StageOption("model", str, "", "model file [default: MASKCHECK_YUNET_MODEL, or the fetched one]"),
            ),
            uses_session=True,
            api_version=2,
        )
    ]


def _create(
    preset: str, scale: float | None, device: str | None, threads: int | None, model: str, session: SessionConfig
) -> YuNetDetector:
    return YuNetDetector(preset, scale, chosen_session(session, device=device, threads=threads), model)
