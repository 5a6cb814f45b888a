"""Annotated copies of pictures, in a folder of their own."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import click

from maskcheck.commands.detect.picture_encoding import WRITABLE, encode_copy
from maskcheck.commands.detect.safe_files import refuse_links, write_whole
from maskcheck.pictures.limits import DEFAULT_LIMITS, DecodingLimits
from maskcheck.pictures.sources import Source
from maskcheck.results import FrameResult


class Annotator:
    """Writes annotated pictures into a folder, under their own names and subfolders.

    Args:
        folder: Where to write; it exists.
        sources: The pictures that are read; none of them is ever overwritten.
        own_folder: Whether the files in the folder are those of an earlier run, which are replaced.
        min_confidence: Faces below it are drawn as unsure.
        limits: What the pictures were decoded with.

    Raises:
        click.UsageError: A copy would take the place of a picture that is read, or of a file of somebody else's.
    """

    def __init__(
        self,
        folder: Path,
        sources: Iterable[Source],
        *,
        own_folder: bool = True,
        min_confidence: float = 0.0,
        limits: DecodingLimits = DEFAULT_LIMITS,
    ) -> None:
        self._folder = folder
        self._min_confidence = min_confidence
        self._limits = limits
        self._targets: dict[Path, Path] = {}
        self._taken: set[str] = set()
        inputs = set()
        for source in sources:
            if source.error is None and not source.piped:
                inputs.add(os.path.realpath(source.path))
                self._targets[source.path] = self._free_name(_with_ending(source))
        for target in self._targets.values():
            if os.path.realpath(target) in inputs:
                raise click.UsageError(f"--output {folder} would overwrite {target}; choose another folder")
            if not own_folder and os.path.lexists(target):
                raise click.UsageError(
                    f"--output {folder} would overwrite {target}, which no earlier run wrote (there are no results"
                    " beside it); choose another folder"
                )

    def _free_name(self, name: Path) -> Path:
        # A format that is not written (GIF, say) becomes PNG, with the old ending kept in the name.
        kept = name if name.suffix.lower() in WRITABLE else name.with_name(name.name + ".png")
        target = self._folder / kept
        count = 1
        while str(target).casefold() in self._taken:  # one name from two folders; some systems ignore case
            count += 1
            target = self._folder / kept.with_stem(f"{kept.stem}-{count}")
        self._taken.add(str(target).casefold())
        return target

    def write(self, source: Source, result: FrameResult, data: bytes | None = None) -> None:
        """Write the annotated copy of a picture, whole or not at all.

        Args:
            source: The picture.
            result: Its result.
            data: The bytes of a source that was piped.

        Raises:
            OSError: It cannot be written.
            ValueError: The picture changed since it was read.
        """
        if data is not None:
            self._targets[source.path] = self._free_name(_name_by_content(source.name, data))
        target = self._targets[source.path]
        original = source.path if data is None else data
        pixels = result.draw(original, min_confidence=self._min_confidence, limits=self._limits)
        encoded = encode_copy(pixels, target.suffix, original)
        refuse_links(self._folder, target)
        target.parent.mkdir(parents=True, exist_ok=True)
        write_whole(target, encoded)


def _with_ending(source: Source) -> Path:
    if source.name.suffix:
        return source.name
    try:
        with source.path.open("rb") as file:
            return _name_by_content(source.name, file.read(2))
    except OSError:  # it will fail when it is decoded
        return source.name


def _name_by_content(name: Path, data: bytes) -> Path:
    """A name with an ending, for a picture that has none."""
    if name.suffix:
        return name
    known = {b"\xff\xd8": ".jpg", b"RI": ".webp", b"BM": ".bmp", b"II": ".tif", b"MM": ".tif"}
    return name.with_suffix(known.get(data[:2], ".png"))
