"""A contact sheet of mistakes: the picture around each, and below it the reason."""

from __future__ import annotations

import json
import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from maskcheck.evaluation.coco import AnnotatedPicture
from maskcheck.pictures.decoding import BGRImage, load_image
from maskcheck.pictures.drawing.captions import Caption, Colour
from maskcheck.pictures.drawing.faces import caption_of, colour_of
from maskcheck_bench.accuracy.mistakes import Mistake

COLUMNS = 8
TILE = 240
"""Side of the picture in a tile, in pixels."""

_CONTEXT = 2.5  # sides of the box that a tile shows
_LEAST_CONTEXT = 32  # pixels of the picture that a tile shows at least
_GAP = 6  # pixels between tiles
_LINE, _LINES = 17, 3  # height of a line below a tile, in pixels, and their number
_LETTERS, _CHARACTERS = 0.4, 31  # scale of the letters, and how many of them a line holds
_WHITE: Colour = (255, 255, 255)
_IGNORED: Colour = (160, 160, 160)


def write_mistakes(
    mistakes: Sequence[Mistake], pictures: Sequence[AnnotatedPicture], folder: Path, name: str
) -> str | None:
    """Write a sheet as a PNG file, and its mistakes as JSON, with the numbers of the tiles.

    Returns:
        The name of the sheet; None, and no files, if there are no mistakes.
    """
    if not mistakes:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        {"number": number, **asdict(mistake), "picture": str(mistake.picture)}
        for number, mistake in enumerate(mistakes, 1)
    ]
    (folder / f"{name}.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    (folder / f"{name}.png").write_bytes(cv2.imencode(".png", draw_mistakes(mistakes, pictures))[1].tobytes())
    return f"{name}.png"


def draw_mistakes(mistakes: Sequence[Mistake], pictures: Sequence[AnnotatedPicture]) -> BGRImage:
    """Tiles in rows of eight, numbered from 1, below a legend.

    The box of the mistake is white, annotated boxes have the colour of their label, and ignored regions are grey.

    Args:
        mistakes: The mistakes; 1 or more.
        pictures: The annotated pictures, among them those of the mistakes.

    Returns:
        uint8 (H, W, 3), BGR.

    Raises:
        ImageError: A picture cannot be read.
    """
    by_path = {picture.path: picture for picture in pictures}
    columns = min(COLUMNS, len(mistakes))
    width, height = TILE + _GAP, TILE + _LINES * _LINE + _GAP
    legend = _legend({label for picture in pictures for label in picture.labels if label})
    rows = -(-len(legend) // columns)
    sheet = np.full((rows * (_LINE + _GAP) + -(-len(mistakes) // columns) * height, columns * width, 3), 255, np.uint8)
    for index, (text, colour) in enumerate(legend.items()):
        left, top = index % columns * width, index // columns * (_LINE + _GAP)
        Caption(text, None, scale=_LETTERS).draw(sheet[top:], left, 0, colour)
    for index, mistake in enumerate(mistakes):
        top, left = rows * (_LINE + _GAP) + index // columns * height, index % columns * width
        sheet[top : top + TILE, left : left + TILE] = _draw_tile(mistake, by_path[mistake.picture])
        lines = textwrap.wrap(f"{index + 1}: {mistake.reason}", _CHARACTERS)[: _LINES - 1]
        for number, line in enumerate([*lines, _shortened(mistake.picture.name)]):
            Caption(line, None, scale=_LETTERS).draw(sheet[top + TILE + number * _LINE :], left, 0, _WHITE)
    return sheet


def _draw_tile(mistake: Mistake, picture: AnnotatedPicture) -> BGRImage:
    x1, y1, x2, y2 = mistake.box
    side = math.ceil(max(_CONTEXT * max(x2 - x1, y2 - y1), _LEAST_CONTEXT))
    left, top = math.floor((x1 + x2 - side) / 2), math.floor((y1 + y2 - side) / 2)
    pixels = Image.fromarray(load_image(picture.path).pixels)
    shown = pixels.crop((left, top, left + side, top + side))  # what is outside the picture is black
    tile = np.array(shown.resize((TILE, TILE), Image.Resampling.LANCZOS))

    def frame(box: Sequence[float], colour: Colour) -> None:
        corners = (np.array(box) - [left, top, left, top]) * TILE / side
        a, b, c, d = np.clip(corners.round(), -TILE, 2 * TILE).astype(int).tolist()
        cv2.rectangle(tile, (a, b), (c, d), colour, 1)

    for box, label, ignored in zip(picture.boxes.tolist(), picture.labels, picture.ignored, strict=True):
        frame(box, _IGNORED if ignored else colour_of(label))
    frame(mistake.box, _WHITE)
    return tile


def _legend(labels: set[str]) -> Mapping[str, Colour]:
    annotated = {f"annotated: {caption_of(label)}": colour_of(label) for label in sorted(labels)}
    return {"the mistake": _WHITE, **annotated, "ignored region": _IGNORED}


def _shortened(name: str) -> str:
    return name if len(name) <= _CHARACTERS else f"{name[: _CHARACTERS // 2 - 1]}..{name[-_CHARACTERS // 2 + 1 :]}"
