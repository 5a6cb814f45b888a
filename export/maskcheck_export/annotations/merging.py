"""Makes the answers of people into an overlay."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from maskcheck.detectors.fusion import overlap, shared_areas
from maskcheck.evaluation.coco import AnnotatedPicture
from maskcheck.pictures.box import Box
from maskcheck_export.annotations.answers import KEEP, NO_FACE, REMOVE, UNDECIDED, Answer
from maskcheck_export.annotations.overlay import LabelledBox, Overlay, PictureChanges, find_box, sha256_of
from maskcheck_export.errors import DataError

SAME_FACE = 0.4
"""Overlap (intersection over union) from which two boxes are on the same face."""

_INSIDE = 0.7  # share of a box inside another, from which it is on the same face


@dataclass(frozen=True)
class Merged:
    """An overlay, and how it came about.

    Attributes:
        overlay: The changes.
        answers: How often each answer was given; "" for rows without an answer.
        merged: Number of boxes that were left out because another box is on the same face.
        disagreeing: Number of boxes that became undecided because their answers, or those of boxes on the same face,
            differ.
    """

    overlay: Overlay
    answers: Mapping[str, int]
    merged: int
    disagreeing: int


def merge(answers: Sequence[Answer], pictures: Mapping[str, AnnotatedPicture], *, about: str) -> Merged:
    """Make an overlay of answers, perhaps of several people.

    A box on which answers differ becomes undecided. Of several boxes on one face, the one with the highest score stays.

    Args:
        answers: All rows; those without an answer change nothing.
        pictures: The annotated pictures, by their path below ``images/``; they hold those of all answers.
        about: Which data set it is, and how the overlay was made.

    Raises:
        DataError: ``keep`` or ``remove`` for a box that is not annotated; or a picture cannot be read.
    """
    given: dict[str, dict[Box, list[Answer]]] = {}
    for answer in answers:
        if answer.answer:
            given.setdefault(answer.picture, {}).setdefault(answer.box, []).append(answer)
    changes: dict[str, PictureChanges] = {}
    merged = disagreeing = 0
    for name, boxes in sorted(given.items()):
        picture = pictures[name]
        verdicts = [_verdict(rows) for rows in sorted(boxes.values(), key=lambda rows: -rows[0].score)]
        disagreeing += sum(len({row.answer for row in rows}) > 1 for rows in boxes.values())
        old, new = _divide(verdicts, picture)
        unique, dropped, unlike = _one_for_each_face(new)
        merged, disagreeing = merged + dropped, disagreeing + unlike
        decided = PictureChanges(
            sha256=sha256_of(picture.path),
            add=tuple(LabelledBox(box, answer) for box, answer in unique if answer != UNDECIDED),
            change=tuple(LabelledBox(box, answer) for box, answer in old if answer not in (REMOVE, UNDECIDED)),
            remove=tuple(box for box, answer in old if answer == REMOVE),
            undecided=tuple(box for box, answer in (*old, *unique) if answer == UNDECIDED),
        )
        if old or unique:
            changes[name] = decided
    return Merged(Overlay(about, changes), Counter(answer.answer for answer in answers), merged, disagreeing)


def _verdict(rows: Sequence[Answer]) -> Answer:
    """What several people say of one box."""
    agree = len({row.answer for row in rows}) == 1
    return rows[0] if agree else replace(rows[0], answer=UNDECIDED)


def _divide(
    verdicts: Sequence[Answer], picture: AnnotatedPicture
) -> tuple[list[tuple[Box, str]], list[tuple[Box, str]]]:
    """Changes of annotated boxes, and faces and regions that are not annotated; what changes nothing is left out."""
    old: list[tuple[Box, str]] = []
    new: list[tuple[Box, str]] = []
    for verdict in verdicts:
        index = find_box(verdict.box, picture.boxes)
        if index is None:
            if verdict.answer in (KEEP, REMOVE):
                raise DataError(f"{verdict.where}: {verdict.answer} is an answer for annotated boxes; this one is not")
            if verdict.answer != NO_FACE:
                new.append((verdict.box, verdict.answer))
            continue
        answer = REMOVE if verdict.answer == NO_FACE else verdict.answer
        if answer not in (KEEP, picture.labels[index]):
            x1, y1, x2, y2 = picture.boxes[index].tolist()
            old.append(((x1, y1, x2, y2), answer))
    return old, new


def _one_for_each_face(boxes: Sequence[tuple[Box, str]]) -> tuple[list[tuple[Box, str]], int, int]:
    """The boxes, best first, without further ones on the same face; how many these were, and how many differed.

    A face goes before an undecided region. Where two labels differ, the face becomes undecided.
    """
    kept: list[tuple[Box, str]] = []
    dropped = unlike = 0
    for box, answer in sorted(boxes, key=lambda of: of[1] == UNDECIDED):
        index = _same_face(box, [other for other, _ in kept])
        if index is None:
            kept.append((box, answer))
            continue
        dropped += 1
        if answer not in (UNDECIDED, kept[index][1]):
            unlike += kept[index][1] != UNDECIDED
            kept[index] = kept[index][0], UNDECIDED
    return kept, dropped, unlike


def _same_face(box: Box, others: Sequence[Box]) -> int | None:
    """Index of the first of some boxes that is on the same face."""
    if not others:
        return None
    one, all_of_them = np.array([box], np.float32), np.array(others, np.float32)
    areas = np.prod(all_of_them[:, 2:] - all_of_them[:, :2], axis=1)
    smaller = np.minimum(areas, np.prod(one[0, 2:] - one[0, :2]))
    same = (overlap(one, all_of_them)[0] >= SAME_FACE) | (shared_areas(all_of_them, one[0]) >= _INSIDE * smaller)
    return int(same.argmax()) if same.any() else None
