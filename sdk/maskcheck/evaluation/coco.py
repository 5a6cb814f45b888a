"""Annotated pictures in COCO's format: a folder with ``annotations.json`` and the pictures in ``images/``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskcheck.errors import SourceError
from maskcheck.texts import shortened

ANNOTATIONS = "annotations.json"
PICTURES = "images"


@dataclass(frozen=True, eq=False)
class AnnotatedPicture:
    """A picture and the faces that people marked in it.

    Attributes:
        path: The file.
        boxes: float64 (N, 4), ``x1, y1, x2, y2`` in pixels, inside the picture.
        labels: Name of the category of each box; "" for an ignored region.
        size: ``(width, height)`` in pixels, from the annotations.
        ignored: bool (N,), the box is a region that counts neither way: nobody could tell whether a face is there, or
            which label it has. It is no labelled face, and what is detected in it is neither right nor wrong.
    """

    path: Path
    boxes: NDArray[np.float64]
    labels: tuple[str, ...]
    size: tuple[int, int]
    ignored: NDArray[np.bool_]


@dataclass(frozen=True)
class AnnotatedPictures:
    """The annotated pictures of a folder.

    Attributes:
        pictures: In the order of ``annotations.json``.
        categories: Names of all categories, in the order of ``annotations.json``.
        skipped: A line for each picture that does not exist and each box outside its picture.
    """

    pictures: tuple[AnnotatedPicture, ...]
    categories: tuple[str, ...]
    skipped: tuple[str, ...]


def read_coco(folder: Path, *, annotations: Path | None = None) -> AnnotatedPictures:
    """Read a folder of annotated pictures; the pictures themselves are not opened.

    Args:
        folder: Holds ``annotations.json`` (https://cocodataset.org/#format-data) and ``images/``. An annotation with
            ``iscrowd: 1`` is an ignored region; it needs no category.
        annotations: Another annotation file for the same ``images/``.

    Raises:
        SourceError: There is no such annotation file, or it has another form, or names pictures outside ``images/``.
    """
    path = annotations or folder / ANNOTATIONS
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        images: dict[Any, tuple[str, int, int]] = {}
        for image in content["images"]:
            if image["id"] in images:
                raise ValueError(f"two images have the id {shortened(image['id'])}")
            name = _checked_name(image["file_name"])
            images[image["id"]] = name, _side(image["width"]), _side(image["height"])
        categories = {category["id"]: shortened(str(category["name"])) for category in content["categories"]}
        marked = [
            (
                face["id"],
                face["image_id"],
                _label(face, categories),
                _corners(face["bbox"], *images[face["image_id"]][1:]),
            )
            for face in content["annotations"]
        ]
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror or error}", source=str(path)) from error
    except (ValueError, LookupError, TypeError, ArithmeticError, RecursionError) as error:
        why = f"{type(error).__name__}: {shortened(str(error))}"
        raise SourceError(f"{path} is not a COCO annotation file: {why}", source=str(path)) from error
    skipped: list[str] = []
    boxes: dict[object, list[tuple[float, ...]]] = {number: [] for number in images}
    labels: dict[object, list[str | None]] = {number: [] for number in images}
    for number, image, label, box in marked:
        if box[2] - box[0] < 1 or box[3] - box[1] < 1:
            skipped.append(
                f"{images[image][0]}: annotation {shortened(number)} lies outside the picture, or has no area: {box}"
            )
        else:
            boxes[image].append(box)
            labels[image].append(label)
    pictures = []
    for number, (name, width, height) in images.items():
        file = folder / PICTURES / name
        if _is_file(file):
            corners = np.array(boxes[number], np.float64).reshape(-1, 4)
            names = tuple(label or "" for label in labels[number])
            ignored = np.array([label is None for label in labels[number]], np.bool_)
            pictures.append(AnnotatedPicture(file, corners, names, (width, height), ignored))
        else:
            skipped.append(f"{file}: no such file")
    return AnnotatedPictures(tuple(pictures), tuple(categories.values()), tuple(skipped))


def _label(face: dict[str, Any], categories: dict[Any, str]) -> str | None:
    """The name of the category of an annotation; None for an ignored region."""
    crowd = face.get("iscrowd", 0)
    if crowd not in (0, 1):
        raise ValueError(f"iscrowd: expected 0 or 1, got {shortened(crowd)}")
    return None if crowd else categories[face["category_id"]]


def _checked_name(name: object) -> str:
    """The name of a picture, if it leads nowhere outside the folder of pictures, on any system."""
    if not isinstance(name, str) or not name or "\0" in name:
        raise ValueError(f"file_name: expected the name of a picture, got {shortened(name)}")
    for kind in (PurePosixPath(name), PureWindowsPath(name)):
        if kind.anchor or ".." in kind.parts:
            raise ValueError(f"file_name: expected a picture in {PICTURES}/, got {shortened(name)}")
    return name


def _side(pixels: object) -> int:
    if isinstance(pixels, bool) or not isinstance(pixels, (int, float)) or not 0 < pixels < 2**31:
        raise ValueError(f"width and height: expected pixels, got {shortened(pixels)}")
    return int(pixels)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # the name is longer than the system allows, or the folder may not be entered
        return False


def _corners(box: list[float], width: int, height: int) -> tuple[float, ...]:
    """A COCO box (left, top, width and height) as corners inside the picture."""
    if not isinstance(box, list) or not all(isinstance(edge, (int, float)) for edge in box):
        raise TypeError(f"bbox: expected four numbers, got {shortened(box)}")
    x, y, w, h = map(float, box)
    corners = np.array([x, y, x + w, y + h])
    if not np.isfinite(corners).all():
        raise ValueError(f"bbox: expected finite numbers, got {shortened(box)}")
    return tuple(np.clip(corners, 0, [width, height] * 2).tolist())
