"""Haar's detector, but for pictures of one size: these end the process, as a crash of native code does."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from maskcheck.detectors.haar.detector import HaarDetector
from maskcheck.plugins import BGRImage, Detections, DetectorSpec, hookimpl

KILLING_SIZE = (37, 41)
"""Width and height of a picture that kills."""

_NAME = "killing-haar"


class KillingDetector(HaarDetector):
    """Haar's detector with its defaults, which dies of a picture of :data:`KILLING_SIZE`."""

    def detect(self, image: BGRImage, /) -> Detections:
        """Find faces, or die."""
        if (image.shape[1], image.shape[0]) == KILLING_SIZE:
            os.kill(os.getpid(), signal.SIGSEGV)
        return super().detect(image)


@hookimpl
def maskcheck_register_detectors() -> list[DetectorSpec]:
    """The detector, for the registry."""
    return [DetectorSpec(_NAME, "Haar's detector, which dies of a picture", KillingDetector, api_version=2)]


def install(site: Path) -> str:
    """Make this module a plugin, in a folder for ``PYTHONPATH``; the name of the detector is returned."""
    metadata = site / "maskcheck_killing-1.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: maskcheck-killing\nVersion: 1\n", encoding="utf-8")
    entry = f"[maskcheck]\nkilling = {__name__}\n"
    (metadata / "entry_points.txt").write_text(entry, encoding="utf-8")
    return _NAME
