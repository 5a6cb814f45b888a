"""Contact sheets: numbered tiles that show what a question is about."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from maskcheck.evaluation.coco import AnnotatedPicture
from maskcheck.pictures.decoding import BGRImage, load_image
from maskcheck.pictures.drawing.captions import Caption, Colour
from maskcheck.pictures.drawing.faces import colour_of
from maskcheck_export.annotations.pool import Question
from maskcheck_export.writing.whole_files import replacing

COLUMNS, ROWS = 8, 5
TILE = 200
"""Side of a tile, in pixels."""

_CONTEXT = 2.5  # sides of the box that a tile shows
_LEAST_CONTEXT = 28  # pixels of the picture that a tile shows at least
_GAP = 4  # pixels between tiles
_BAR = 22  # height of the legend, in pixels
_LETTERS = 0.38
_BLACK: Colour = (0, 0, 0)
_WHITE: Colour = (255, 255, 255)
_IGNORED: Colour = (160, 160, 160)


def write_sheets(
    questions: Sequence[Question], pictures: Mapping[str, AnnotatedPicture], folder: Path, labels: Sequence[str]
) -> list[Path]:
    """Write the tiles of all questions, numbered from 1, to PNG files of 5 rows of 8.

    The box in question is white, annotated boxes have the colour of their label, and ignored regions are grey.

    Args:
        questions: In the order of their numbers.
        pictures: By the name that a question gives.
        folder: Folder to write to: ``001.png``, ``002.png``, ...
        labels: Names of the categories, for the legend.

    Raises:
        ImageError: A picture cannot be read.
        DataError: A sheet cannot be written.
    """
    paths: list[Path] = []
    folder.mkdir(parents=True, exist_ok=True)
    for first in range(0, len(questions), COLUMNS * ROWS):
        part = questions[first : first + COLUMNS * ROWS]
        tiles = [
            draw_tile(load_image(pictures[question.picture].path).pixels, pictures[question.picture], question, number)
            for number, question in enumerate(part, first + 1)
        ]
        paths.append(folder / f"{len(paths) + 1:03}.png")
        with replacing(paths[-1]) as unfinished:
            unfinished.write_bytes(cv2.imencode(".png", arrange(tiles, labels))[1].tobytes())
    return paths


def draw_tile(pixels: BGRImage, picture: AnnotatedPicture, question: Question, number: int) -> BGRImage:
    """The box in question with the picture around it, its number, and the question if it is about an annotated box.

    Args:
        pixels: uint8 (H, W, 3), BGR, the picture.
        picture: Its annotations.
        question: The question.
        number: Of the question.

    Returns:
        uint8 (200, 200, 3), BGR.
    """
    x1, y1, x2, y2 = question.box
    side = math.ceil(max(_CONTEXT * max(x2 - x1, y2 - y1), _LEAST_CONTEXT))
    left, top = math.floor((x1 + x2 - side) / 2), math.floor((y1 + y2 - side) / 2)
    shown = Image.fromarray(pixels).crop((left, top, left + side, top + side))  # what is outside the picture is black
    tile = np.array(shown.resize((TILE, TILE), Image.Resampling.LANCZOS))

    def frame(box: Sequence[float], colour: Colour) -> None:
        corners = (np.array(box) - [left, top, left, top]) * TILE / side
        (a, b, c, d) = np.clip(corners.round(), -TILE, 2 * TILE).astype(int).tolist()
        cv2.rectangle(tile, (a, b), (c, d), colour, 1)

    for box, label, ignored in zip(picture.boxes.tolist(), picture.labels, picture.ignored, strict=True):
        frame(box, _IGNORED if ignored else colour_of(label))
    frame(question.box, _WHITE)
    Caption(str(number), None, scale=_LETTERS).draw(tile, 0, 0, _BLACK)
    if question.annotated:
        for line, text in enumerate(reversed(question.text.split("; "))):
            Caption(text, None, scale=_LETTERS * 0.85).draw(tile, 0, TILE - 14 * line, _BLACK)
    return tile


def arrange(tiles: Sequence[BGRImage], labels: Sequence[str]) -> BGRImage:
    """Tiles in rows below a legend.

    Args:
        tiles: Each uint8 (200, 200, 3), BGR; 1 or more.
        labels: Names of the categories.
    """
    rows = -(-len(tiles) // COLUMNS)
    step = TILE + _GAP
    sheet = np.full((_BAR + rows * step, COLUMNS * step, 3), 255, np.uint8)
    for index, tile in enumerate(tiles):
        top, left = _BAR + index // COLUMNS * step, index % COLUMNS * step
        sheet[top : top + TILE, left : left + TILE] = tile
    for column, (text, colour) in enumerate(_legend(labels)):
        Caption(text, None, scale=_LETTERS).draw(sheet, column * step, 0, colour)
    return sheet


def _legend(labels: Sequence[str]) -> Iterator[tuple[str, Colour]]:
    yield "the box in question", _WHITE
    yield from ((f"annotated {label}", colour_of(label)) for label in labels)
    yield "ignored region", _IGNORED
