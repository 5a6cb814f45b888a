"""An overlay: changes of the annotations of a data set, without its pictures or its annotation file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskcheck.detectors.fusion import overlap
from maskcheck.errors import SourceError
from maskcheck.evaluation.coco import PICTURES, AnnotatedPicture, AnnotatedPictures, read_coco
from maskcheck.pictures.box import Box
from maskcheck.texts import shortened
from maskcheck_export.errors import DataError
from maskcheck_export.writing.whole_files import replacing

FORMAT = "maskcheck-overlay/1"

SAME_BOX = 0.9
"""Least intersection over union of two boxes that are the same but for rounding."""

_FOLDER = Path(__file__).parent / "overlays"


@dataclass(frozen=True)
class LabelledBox:
    """A face.

    Attributes:
        box: Where it is.
        label: Name of its category.
    """

    box: Box
    label: str


@dataclass(frozen=True)
class PictureChanges:
    """Changes of the annotations of a picture.

    Attributes:
        sha256: Of the file of the picture, in hexadecimal digits: the changes are for this file alone.
        add: Faces that the annotations lack.
        change: Annotated boxes with their right label.
        remove: Annotated boxes that are on no face.
        undecided: Regions that count neither way: annotated boxes, which then are no labelled faces, or others.
    """

    sha256: str
    add: tuple[LabelledBox, ...] = ()
    change: tuple[LabelledBox, ...] = ()
    remove: tuple[Box, ...] = ()
    undecided: tuple[Box, ...] = ()


@dataclass(frozen=True)
class Overlay:
    """Changes of the annotations of a data set.

    Attributes:
        about: Which data set it is for, and how it was made.
        pictures: The changes, by the path of the picture below ``images/``.
    """

    about: str
    pictures: Mapping[str, PictureChanges]

    def counts(self) -> dict[str, int]:
        """Number of boxes of each kind of change."""
        kinds = ("add", "change", "remove", "undecided")
        return {kind: sum(len(getattr(changes, kind)) for changes in self.pictures.values()) for kind in kinds}


def read_annotations(folder: Path, overlay: str | None = None) -> AnnotatedPictures:
    """The annotated pictures of a folder, completed by an overlay.

    Args:
        folder: In COCO form.
        overlay: As in :func:`read_overlay`; None for the annotations as they are.

    Raises:
        DataError: The folder is not in COCO form; or there is no such overlay, or it is not for these pictures.
    """
    try:
        annotated = read_coco(folder)
    except SourceError as error:
        raise DataError(str(error)) from error
    return annotated if overlay is None else apply(read_overlay(overlay), annotated, folder)


def read_overlay(overlay: str) -> Overlay:
    """Read an overlay.

    Args:
        overlay: A JSON file; or the name of an overlay of the package, as ``crowd``.

    Raises:
        DataError: There is no such overlay (the message lists those of the package), or it has another form.
    """
    path = next((path for path in (_FOLDER / f"{overlay}.json", Path(overlay)) if path.is_file()), None)
    if path is None:
        known = ", ".join(path.stem for path in sorted(_FOLDER.glob("*.json"))) or "none"
        raise DataError(f"no overlay {overlay}; expected a JSON file, or one of the package: {known}")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise ValueError(f"format: expected {FORMAT}, got {shortened(content['format'])}")
        return Overlay(str(content["about"]), {name: _changes(of) for name, of in content["pictures"].items()})
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(f"{path} is no overlay: {type(error).__name__}: {shortened(str(error))}") from error


def write_overlay(overlay: Overlay, path: Path) -> None:
    """Write an overlay as JSON, a line for each box.

    Raises:
        DataError: The file cannot be written.
    """
    pictures = ",\n".join(f" {json.dumps(name)}: {_as_json(of)}" for name, of in sorted(overlay.pictures.items()))
    head = f'{{"format": {json.dumps(FORMAT)},\n"about": {json.dumps(overlay.about)},\n"pictures": {{\n'
    with replacing(path) as unfinished:
        unfinished.write_text(f"{head}{pictures}\n}}}}\n", encoding="utf-8")


def apply(overlay: Overlay, annotated: AnnotatedPictures, folder: Path) -> AnnotatedPictures:
    """Annotated pictures with the changes of an overlay.

    Args:
        overlay: The changes.
        annotated: The pictures.
        folder: Their folder, which holds ``images/``.

    Returns:
        The pictures in the same order. `skipped` has a further line for each change that does not fit: the picture is
        missing or is another file, no annotated box is there, or a face is already annotated.

    Raises:
        DataError: None of the overlay's pictures is there as the same file, or a label is no category.
    """
    labels = {face.label for of in overlay.pictures.values() for face in (*of.add, *of.change)}
    unknown = sorted(labels - set(annotated.categories))
    if unknown:
        raise DataError(
            f"the overlay has the label {shortened(unknown[0])}, which is no category of {folder}:"
            f" {', '.join(annotated.categories) or 'none'}"
        )
    problems: list[str] = []
    waiting = dict(overlay.pictures)
    pictures, fitting = [], 0
    for picture in annotated.pictures:
        changes = waiting.pop(name_of(picture, folder), None)
        if changes is None:
            pictures.append(picture)
        elif (found := sha256_of(picture.path)) != changes.sha256:
            problems.append(
                f"{picture.path}: the overlay is for another file: expected SHA-256 {changes.sha256[:16]}...,"
                f" got {found[:16]}...; its annotations stay as they are"
            )
            pictures.append(picture)
        else:
            fitting += 1
            changed, unfit = _changed(picture, changes)
            pictures.append(changed)
            problems += unfit
    if overlay.pictures and not fitting:
        raise DataError(
            f"the overlay is for other pictures than those of {folder}: none of its {len(overlay.pictures)} pictures"
            f" is there as the same file; it says: {shortened(overlay.about)}"
        )
    problems += [f"{folder / PICTURES / name}: the overlay changes it, but it is not annotated" for name in waiting]
    return replace(annotated, pictures=tuple(pictures), skipped=(*annotated.skipped, *problems))


def name_of(picture: AnnotatedPicture, folder: Path) -> str:
    """The path of a picture of a folder below ``images/``, with slashes."""
    return picture.path.relative_to(folder / PICTURES).as_posix()


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits.

    Raises:
        DataError: It cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error


def find_box(box: Box, boxes: NDArray[np.float64]) -> int | None:
    """Index of the box among some (N, 4) that is the same as another; None if there is none."""
    if not len(boxes):
        return None
    shares = overlap(np.array([box], np.float32), boxes.astype(np.float32))[0]
    best = int(shares.argmax())
    return best if shares[best] >= SAME_BOX else None


def _changed(picture: AnnotatedPicture, changes: PictureChanges) -> tuple[AnnotatedPicture, list[str]]:
    """The picture with the changes, and a line for each of them that does not fit."""
    boxes: list[list[float]] = picture.boxes.tolist()
    labels, ignored = list(picture.labels), picture.ignored.tolist()
    problems: list[str] = []
    removed: set[int] = set()

    def doubt(box: Box, problem: str) -> None:
        problems.append(f"{picture.path}: box {', '.join(f'{edge:g}' for edge in box)}: {problem}")

    for face in changes.change:
        index = find_box(face.box, picture.boxes)
        if index is None:
            doubt(face.box, f"no annotated box is there whose label could become {face.label}")
        else:
            labels[index], ignored[index] = face.label, False
    for box in changes.remove:
        index = find_box(box, picture.boxes)
        if index is None:
            doubt(box, "no annotated box is there that could be removed")
        else:
            removed.add(index)
    for box in changes.undecided:
        index = find_box(box, picture.boxes)
        if index is None:
            boxes.append(list(box))
            labels.append("")
            ignored.append(True)
        else:
            labels[index], ignored[index] = "", True
    for face in changes.add:
        index = find_box(face.box, picture.boxes)
        if index is not None and index not in removed:
            doubt(face.box, "a face that the overlay adds is annotated already")
        else:
            boxes.append(list(face.box))
            labels.append(face.label)
            ignored.append(False)
    kept = [index for index in range(len(boxes)) if index not in removed]
    corners = np.clip(np.array(boxes, np.float64).reshape(-1, 4), 0, np.array([*picture.size, *picture.size]))
    return (
        replace(
            picture,
            boxes=corners[kept],
            labels=tuple(labels[index] for index in kept),
            ignored=np.array(ignored, np.bool_)[kept],
        ),
        problems,
    )


def _changes(content: dict[str, Any]) -> PictureChanges:
    """The changes of a picture, from JSON."""
    unknown = sorted(set(content) - set(PictureChanges.__dataclass_fields__))
    if unknown:
        raise ValueError(f"expected {', '.join(PictureChanges.__dataclass_fields__)}, got {shortened(unknown[0])}")
    return PictureChanges(
        sha256=str(content["sha256"]),
        add=tuple(LabelledBox(_box(face["box"]), str(face["label"])) for face in content.get("add", ())),
        change=tuple(LabelledBox(_box(face["box"]), str(face["label"])) for face in content.get("change", ())),
        remove=tuple(_box(box) for box in content.get("remove", ())),
        undecided=tuple(_box(box) for box in content.get("undecided", ())),
    )


def _box(content: object) -> Box:
    if not isinstance(content, list) or not all(isinstance(edge, (int, float)) for edge in content):
        raise TypeError(f"expected a box x1, y1, x2, y2, got {shortened(content)}")
    x1, y1, x2, y2 = map(float, content)
    if not (np.isfinite([x1, y1, x2, y2]).all() and x1 < x2 and y1 < y2):
        raise ValueError(f"expected a box x1, y1, x2, y2 with an area, got {shortened(content)}")
    return x1, y1, x2, y2


def _as_json(changes: PictureChanges) -> str:
    parts = [f'{{"sha256": "{changes.sha256}"']
    for name, faces in (("add", changes.add), ("change", changes.change)):
        if faces:
            rows = [f'{{"box": {_numbers(face.box)}, "label": {json.dumps(face.label)}}}' for face in faces]
            parts.append(f'"{name}": [\n   ' + ",\n   ".join(rows) + "]")
    for name, boxes in (("remove", changes.remove), ("undecided", changes.undecided)):
        if boxes:
            parts.append(f'"{name}": [' + ", ".join(map(_numbers, boxes)) + "]")
    return ",\n  ".join(parts) + "}"


def _numbers(box: Box) -> str:
    return "[" + ", ".join(f"{edge:.10g}" for edge in np.round(box, 2).tolist()) + "]"
