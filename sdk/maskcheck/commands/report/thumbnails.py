"""Small pictures of faces, cut out of the pictures and videos that they come from."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np

from maskcheck.commands.report.reading import ShownFace
from maskcheck.errors import MaskCheckError
from maskcheck.pictures.crops import crop_face
from maskcheck.pictures.decoding import BGRImage, load_image
from maskcheck.pictures.decoding.files import file_kind
from maskcheck.pictures.limits import DEFAULT_LIMITS
from maskcheck.pipeline import default_workers
from maskcheck.privacy import blur_faces

SIDE = 128
"""Width and height of a thumbnail, in pixels."""

_MARGIN = 0.35  # around the face, as a share of its longer side
_JPEG_QUALITY = 80


@dataclass(frozen=True)
class Thumbnail:
    """A small picture of a face, or the reason why there is none.

    Attributes:
        address: A ``data:`` address of a JPEG; None if there is none.
        missing: Why there is none; empty if there is one.
    """

    address: str | None = None
    missing: str = ""


NO_IMAGES = Thumbnail(missing="no pictures wanted")


def make_thumbnails(faces: Sequence[ShownFace], folder: Path | None = None) -> Iterator[tuple[int, Thumbnail]]:
    """Make the thumbnail of each face; what must be blurred is blurred before.

    Each picture is decoded once. A source that is gone, or is another picture now, has no thumbnails.

    Args:
        faces: The faces.
        folder: Where relative paths of sources start; by default, the present folder.

    Yields:
        The place of a face in `faces`, and its thumbnail; not in order.
    """
    places = sorted(range(len(faces)), key=lambda place: (faces[place].source, faces[place].frame))
    groups = [list(group) for _, group in groupby(places, key=lambda place: faces[place].source)]
    with ThreadPoolExecutor(default_workers()) as pool:
        made = pool.map(partial(_of_source, folder or Path()), [[faces[place] for place in group] for group in groups])
        for group, thumbnails in zip(groups, made, strict=True):
            yield from zip(group, thumbnails, strict=True)


def _of_source(folder: Path, faces: list[ShownFace]) -> list[Thumbnail]:
    """The thumbnails of faces of one source."""
    path = folder / faces[0].source
    missing = _why_unreadable(faces[0].source, path)
    if missing:
        return [Thumbnail(missing=missing)] * len(faces)
    if faces[0].time is not None:
        from maskcheck.commands.report.video_thumbnails import frames_of

        return [_thumbnail(face, image) for face, image in zip(faces, frames_of(path, faces), strict=True)]
    width, height = faces[0].size
    limits = replace(  # it was decoded before, with limits that the user chose
        DEFAULT_LIMITS,
        max_pixels=max(DEFAULT_LIMITS.max_pixels, width * height),
        max_side=max(DEFAULT_LIMITS.max_side, width, height),
    )
    try:
        image = load_image(path, limits=limits).pixels
    except (MaskCheckError, OSError, MemoryError):
        return [Thumbnail(missing="cannot be read any more")] * len(faces)
    return [_thumbnail(face, image) for face in faces]


def _why_unreadable(source: str, path: Path) -> str:
    """Why a source is not to be opened; empty if it is."""
    if "://" in source:
        return "from a camera or stream"
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        if source.isdecimal():
            return "from a camera or stream"
        return "the file is gone" if source else "no file"
    return "" if path.is_file() else f"from a {file_kind(mode)}"


def _thumbnail(face: ShownFace, image: BGRImage | str) -> Thumbnail:
    if isinstance(image, str):
        return Thumbnail(missing=image)
    if (image.shape[1], image.shape[0]) != face.size:
        return Thumbnail(missing="the file has changed")
    box = np.array(face.box, np.float64)
    if box[2] <= 0 or box[3] <= 0 or box[0] >= face.size[0] or box[1] >= face.size[1]:
        return Thumbnail(missing="outside of the picture")
    if face.to_blur:
        image = blur_faces(image, face.to_blur)
    crop = cv2.cvtColor(crop_face(image, box, size=SIDE, margin=_MARGIN), cv2.COLOR_RGB2BGR)
    _, encoded = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return Thumbnail("data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode("ascii"))
