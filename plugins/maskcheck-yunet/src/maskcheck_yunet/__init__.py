"""YuNet as a detector plugin of maskcheck."""

from __future__ import annotations

from collections.abc import Sequence

from maskcheck import DetectorOption, DetectorSpec, hookimpl
from maskcheck.detectors.scales import network_options
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
                *network_options(PRESETS, defaults.preset),
                DetectorOption(
                    "model", str, defaults.model, "model file [default: MASKCHECK_YUNET_MODEL, or the fetched one]"
                ),
            ),
            default_min_score=defaults.default_min_score,
            api_version=1,
        )
    ]
