"""A page of faces with what was said of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from maskcheck.pictures.crops import crop_face
from maskcheck_export.data.samples import Sample
from maskcheck_export.evaluation.prediction import read_faces

COLUMNS = 5
TILE = 224  # side of a face, in pixels
GAP = 16
LINE = 20
FONT_SIZE = 15


@dataclass(frozen=True)
class Entry:
    """A face on the page.

    Attributes:
        sample: It.
        lines: What is written below it; the file's name follows.
    """

    sample: Sample
    lines: Sequence[str]


def draw_contact_sheet(entries: Sequence[Entry], *, margin: float) -> Image.Image:
    """Draw faces in rows of five, enlarged, each with its lines and its file's name below.

    Args:
        entries: The faces; 1 or more.
        margin: Shown around the box on each side, as a share of its longer side.

    Raises:
        ImageError: A picture cannot be read.
    """
    font = ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf", FONT_SIZE)
    text_height = LINE * (max(len(entry.lines) for entry in entries) + 1)
    columns = min(COLUMNS, len(entries))
    rows = -(-len(entries) // columns)
    cell = (TILE + GAP, TILE + text_height + GAP)
    sheet = Image.new("RGB", (columns * cell[0] + GAP, rows * cell[1] + GAP), "white")
    draw = ImageDraw.Draw(sheet)
    for number, (sample, picture) in enumerate(read_faces(entry.sample for entry in entries)):
        left, top = GAP + number % columns * cell[0], GAP + number // columns * cell[1]
        face = crop_face(picture, np.array(sample.box), size=TILE, margin=margin)
        sheet.paste(Image.fromarray(face), (left, top))
        name = f"{sample.dataset}/{sample.path.name}"
        for line, text in enumerate([*entries[number].lines, name]):
            colour = "#666666" if text == name else "black"
            draw.text((left, top + TILE + 2 + line * LINE), _fit(text, font), fill=colour, font=font)
    return sheet


def _fit(text: str, font: ImageFont.FreeTypeFont) -> str:
    """The text, its middle left out if it is wider than a face."""
    if font.getlength(text) <= TILE:
        return text
    for kept in range(len(text) - 1, 1, -1):
        shorter = f"{text[: kept // 2]}…{text[-(kept - kept // 2) :]}"
        if font.getlength(shorter) <= TILE:
            return shorter
    return "…"
