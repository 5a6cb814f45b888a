"""YuNet as a detector plugin of maskcheck."""

from __future__ import annotations

from collections.abc import Sequence

from maskcheck import DetectorOption, DetectorSpec, hookimpl
from maskcheck_yunet.detector import PRESETS, YuNetDetector

__all__ = ["YuNetDetector", "maskcheck_register_detectors"]


@hookimpl
def maskcheck_register_detectors() -> Sequence[DetectorSpec]:
    """Offer the detector to maskcheck."""
    defaults = YuNetDetector()
    return [
        DetectorSpec(
            name="yunet",
            summary="YuNet, a tiny network; its model is fetched once by `maskcheck-yunet fetch`",
            factory=YuNetDetector,
            options=(
                DetectorOption("preset", str, defaults.preset, "speed or thoroughness", choices=tuple(PRESETS)),
                DetectorOption(
                    "scale",
                    float,
                    None,
                    "look once, at this scale: 1 as it is, 2 doubled [default: the preset's scales]",
                    minimum=0.1,
                    maximum=8,
                ),
                DetectorOption(
                    "model", str, defaults.model, "model file [default: MASKCHECK_YUNET_MODEL, or the fetched one]"
                ),
                DetectorOption("device", str, defaults.device, "auto, cpu, cuda or cuda:N"),
                DetectorOption(
                    "threads", int, None, "threads [default: the CPUs that it may use]", minimum=1, maximum=1024
                ),
            ),
            default_min_score=0.5,
            api_version=1,
        )
    ]
