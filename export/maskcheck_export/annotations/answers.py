"""The table of questions that people fill in with their answers."""

from __future__ import annotations

import csv
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from maskcheck.pictures.box import Box
from maskcheck.texts import shortened
from maskcheck_export.annotations.pool import Question
from maskcheck_export.errors import DataError
from maskcheck_export.writing.whole_files import replacing

NO_FACE = "no_face"
"""There is no face in the box; an annotated box is removed."""

UNDECIDED = "undecided"
"""It cannot be told whether there is a face, or which label it has."""

KEEP = "keep"
"""The annotated box is right; for annotated boxes only."""

REMOVE = "remove"
"""The annotated box is on no face; for annotated boxes only."""

COLUMNS = ("number", "picture", "box", "score", "question", "answer")

_SHOWN = 5  # problems that a message lists


@dataclass(frozen=True)
class Answer:
    """What somebody says of a box.

    Attributes:
        where: The line of the table, for messages.
        picture: Path of the picture below ``images/``.
        box: The box in question.
        score: Of the question.
        answer: The label of the face, or one of ``NO_FACE``, ``UNDECIDED``, ``KEEP`` and ``REMOVE``; "" if nobody has
            answered yet.
    """

    where: str
    picture: str
    box: Box
    score: float
    answer: str


def write_table(questions: Sequence[Question], path: Path) -> None:
    """Write the questions, numbered from 1, as CSV with an empty column for the answers.

    Raises:
        DataError: The file cannot be written.
    """
    with replacing(path) as unfinished, unfinished.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(COLUMNS)
        for number, question in enumerate(questions, 1):
            box = " ".join(f"{edge:g}" for edge in question.box)
            rows.writerow([number, question.picture, box, f"{question.score:.3f}", question.text, ""])


def read_table(path: Path, labels: Sequence[str], pictures: Collection[str]) -> list[Answer]:
    """Read a table that was filled in. Spreadsheets may have changed its delimiter to a semicolon.

    Args:
        path: The CSV file.
        labels: The labels that a face can have.
        pictures: The pictures of the data set, by their path below ``images/``.

    Raises:
        DataError: The file cannot be read, lacks columns, or has answers, boxes or pictures that are not known; the
            message names the lines.
    """
    allowed = (*labels, NO_FACE, UNDECIDED, KEEP, REMOVE)
    answers: list[Answer] = []
    problems: list[str] = []
    for line, row in _rows(path):
        try:
            answers.append(_answer(f"{path}, line {line}", row, allowed, pictures))
        except ValueError as error:
            problems.append(f"line {line}: {error}")
    if problems:
        more = [f"and {len(problems) - _SHOWN} more"] if len(problems) > _SHOWN else []
        raise DataError("\n  ".join([f"{path} cannot be used:", *problems[:_SHOWN], *more]))
    return answers


def _rows(path: Path) -> Iterator[tuple[int, Mapping[str, str | None]]]:
    """The rows of a table, each with the number of its line."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            header = file.readline()
            file.seek(0)
            rows = csv.DictReader(file, delimiter=";" if ";" in header else ",")
            missing = [name for name in ("picture", "box", "score", "answer") if name not in (rows.fieldnames or ())]
            if missing:
                raise DataError(f"{path}: expected the columns {', '.join(COLUMNS)}; there is no {', '.join(missing)}")
            for row in rows:
                yield rows.line_num, row
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is no CSV file in UTF-8: {error}") from error


def _answer(where: str, row: Mapping[str, str | None], allowed: Sequence[str], pictures: Collection[str]) -> Answer:
    picture, box, score, answer = ((row[name] or "").strip() for name in ("picture", "box", "score", "answer"))
    if picture not in pictures:
        raise ValueError(f"picture: no annotated picture {shortened(picture)}")
    if answer and answer not in allowed:
        raise ValueError(f"answer: expected {', '.join(allowed)} or nothing, got {shortened(answer)}")
    try:
        x1, y1, x2, y2 = map(float, box.split())
        number = float(score)
    except ValueError:
        raise ValueError(
            f"expected a box as four numbers and a score, got {shortened(box)!r} and {shortened(score)!r}"
        ) from None
    if not (all(map(math.isfinite, (x1, y1, x2, y2, number))) and x1 < x2 and y1 < y2):
        raise ValueError(f"box: expected x1 < x2 and y1 < y2, got {shortened(box)}")
    return Answer(where, picture, (x1, y1, x2, y2), number, answer)
