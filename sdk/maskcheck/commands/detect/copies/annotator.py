"""Annotated copies of the pictures, in the output folder."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from maskcheck.commands.detect.copies.output_names import OutputNames
from maskcheck.commands.detect.copies.picture_encoding import WRITABLE, encode_copy
from maskcheck.commands.detect.result_files.safe_files import refuse_links, write_whole
from maskcheck.privacy import Blur, blur_faces, boxes_to_blur
from maskcheck.results import FrameResult
from maskcheck.sources import Source


class Annotator:
    """Writes annotated pictures into a folder, under their own names and subfolders.

    Args:
        names: Gives the copies their names in the folder.
        sources: The pictures that are read.
        min_confidence: Faces with less confidence are drawn as unsure.
        blur: Which faces are blurred; None for none.

    Raises:
        click.UsageError: A copy would replace a picture that is read, or a file that no earlier run wrote.
    """

    def __init__(
        self,
        names: OutputNames,
        sources: Iterable[Source],
        *,
        min_confidence: float = 0.0,
        blur: Blur | None = None,
    ) -> None:
        self._names = names
        self._blur = blur
        self._min_confidence = min_confidence
        self._targets: dict[Path, Path] = {}
        for source in sources:
            if source.error is None and not source.piped:
                self._targets[source.path] = names.take(_copy_name(_with_ending(source)))

    def write(self, source: Source, result: FrameResult, content: bytes | None = None) -> None:
        """Write the annotated copy of a picture, whole or not at all.

        Args:
            source: The picture.
            result: Its result, which holds its pixels.
            content: The bytes of a source that is a pipe.

        Raises:
            OSError: It cannot be written.
        """
        if content is not None:
            self._targets[source.path] = self._names.free(_copy_name(_name_by_content(source.name, content)))
        target = self._targets[source.path]
        if self._blur is not None and result.image is not None:
            blurred = blur_faces(result.image, boxes_to_blur(result, self._blur), out=result.image)
            pixels = result.draw(blurred, min_confidence=self._min_confidence)
        else:
            pixels = result.draw(min_confidence=self._min_confidence)
        original = source.path if content is None else content
        encoded = encode_copy(pixels, target.suffix, original, with_exif=self._blur is None)
        refuse_links(self._names.folder, target)
        target.parent.mkdir(parents=True, exist_ok=True)
        write_whole(target, encoded)


def _copy_name(name: Path) -> Path:
    """The name of a copy. One of a format that is not written, such as GIF, is PNG; its name keeps the old ending."""
    return name if name.suffix.lower() in WRITABLE else name.with_name(name.name + ".png")


def _with_ending(source: Source) -> Path:
    if source.name.suffix:
        return source.name
    try:
        with source.path.open("rb") as file:
            return _name_by_content(source.name, file.read(2))
    except OSError:  # decoding it will fail, too
        return source.name


def _name_by_content(name: Path, content: bytes) -> Path:
    """A name with an ending, for a picture that has none."""
    if name.suffix:
        return name
    known = {b"\xff\xd8": ".jpg", b"RI": ".webp", b"BM": ".bmp", b"II": ".tif", b"MM": ".tif"}
    return name.with_suffix(known.get(content[:2], ".png"))
