"""Annotated copies of pictures, in a folder of their own."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import click
import cv2

from maskcheck.pictures.sources import Source
from maskcheck.results import FrameResult

_WRITABLE = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"}


class Annotator:
    """Writes annotated pictures into a folder, under their own names and subfolders.

    Args:
        folder: Where to write; made if missing.
        sources: The pictures that are read; none of them is ever overwritten.

    Raises:
        OSError: The folder cannot be made.
        click.UsageError: A copy would take the place of a picture that is read.
    """

    def __init__(self, folder: Path, sources: Iterable[Source]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._targets: dict[Path, Path] = {}
        self._taken: set[str] = set()
        inputs = set()
        for source in sources:
            if source.error is None:
                inputs.add(os.path.realpath(source.path))
                self._targets[source.path] = self._free_name(folder, source.name)
        for target in self._targets.values():
            if os.path.realpath(target) in inputs:
                raise click.UsageError(f"--output {folder} would overwrite {target}; choose another folder")

    def _free_name(self, folder: Path, name: Path) -> Path:
        # A format that OpenCV does not write (GIF, say) becomes PNG, with the old ending kept in the name.
        kept = name if name.suffix.lower() in _WRITABLE else name.with_name(name.name + ".png")
        target = folder / kept
        count = 1
        while str(target).casefold() in self._taken:  # one name from two folders; some systems ignore case
            count += 1
            target = folder / kept.with_stem(f"{kept.stem}-{count}")
        self._taken.add(str(target).casefold())
        return target

    def write(self, source: Source, result: FrameResult) -> None:
        """Write the annotated copy of a picture.

        Raises:
            OSError: It cannot be written.
            ValueError: The picture changed since it was read.
        """
        target = self._targets[source.path]
        encoded, data = cv2.imencode(target.suffix, result.draw(source.path))
        if not encoded:
            raise OSError(f"OpenCV cannot write {target.suffix} pictures")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data.tobytes())  # not cv2.imwrite, which loses other letters than ASCII on Windows
