"""What several commands are given: detectors by name, and folders of sample pictures."""

from __future__ import annotations

from pathlib import Path

_SUFFIXES = (".jpg", ".jpeg", ".png")


def read_detector(text: str) -> tuple[str, dict[str, str]]:
    """The name of a detector and its options, from ``NAME[,PRESET]``."""
    name, _, preset = text.partition(",")
    return name, {"preset": preset} if preset else {}


def find_pictures(folder: Path, *, subfolders: bool = True) -> list[Path]:
    """The pictures in a folder, in order."""
    paths = folder.rglob("*") if subfolders else folder.iterdir()
    return sorted(path for path in paths if path.suffix.lower() in _SUFFIXES)
