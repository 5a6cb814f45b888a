"""Draw the contact sheet of export/README.md: ten hard questions about annotations of drawn streets.

pip install ".[cpu,export]" ./plugins/maskcheck-centerface
python examples/make_review_sheet.py .github/images/review.png

Two streets, as an annotator may have left them: faces passed over, labels mistaken, and a wall annotated as a face.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
from PIL import Image

from maskcheck_export.annotations.sheets import COLUMNS as SHEET_COLUMNS
from video_rendering import RenderedFrame, TrueFace, render
from video_scenes import make_scene

LABELS = ("with_mask", "without_mask")
REVIEW = (
    "--detector",
    "centerface preset=thorough",
    "--detector",
    "haar preset=thorough",
    "--least-score",
    "0.2",
    "--most",
    "7",
)
COLUMNS, ROWS = 5, 2  # of what is kept
BAR = 22  # height of the legend of a sheet, in pixels


@dataclass(frozen=True)
class Street:
    """A frame of a scene, and what its annotator got wrong."""

    scene: str
    time: float  # seconds
    size: tuple[int, int]  # width and height in pixels
    blur: float  # standard deviation in pixels
    passed_over: Collection[int]  # track numbers of faces
    mistaken: Collection[int]
    walls: tuple[tuple[int, int, int, int], ...] = ()  # x1, y1, x2, y2 of boxes without a face


STREETS = {
    "crowd.png": Street("crowd25", 3.0, (640, 360), 0.8, passed_over=(2, 11, 18), mistaken=(7, 13)),
    "crossing.png": Street(
        "crossing", 3.6, (400, 225), 0.6, passed_over=(0, 3), mistaken=(), walls=((300, 30, 330, 66),)
    ),
}


def main() -> None:
    """Draw the streets, review their annotations, and keep ten tiles of the sheet."""
    parser = argparse.ArgumentParser(description="Draw questions about annotations of drawn streets.")
    parser.add_argument("picture", type=Path)
    arguments = parser.parse_args()

    with TemporaryDirectory() as folder:
        data, review = Path(folder) / "data", Path(folder) / "review"
        (data / "images").mkdir(parents=True)
        frames = {name: draw(street) for name, street in STREETS.items()}
        for name, frame in frames.items():
            cv2.imwrite(str(data / "images" / name), frame.image)
        (data / "annotations.json").write_text(json.dumps(describe(frames)), encoding="utf-8")
        command = [sys.executable, "-c", "from maskcheck_export.commands import main; main()", "review", str(data)]
        subprocess.run([*command, *REVIEW, "--output", str(review)], check=True)
        print((review / "table.csv").read_text(encoding="utf-8"))
        with Image.open(review / "sheets" / "001.png") as sheet:
            keep(sheet).quantize(256).save(arguments.picture, optimize=True)


def draw(street: Street) -> RenderedFrame:
    """The frame of a street."""
    scene = make_scene(street.scene, size=street.size, fps=5.0)
    frame = next(frame for frame in render(scene) if frame.time >= street.time - 1e-6)
    return frame._replace(image=np.asarray(cv2.GaussianBlur(frame.image, (0, 0), street.blur), np.uint8))


def describe(frames: dict[str, RenderedFrame]) -> dict[str, Any]:
    """What the annotator wrote, in COCO's form."""
    boxes: list[tuple[int, int, tuple[float, float, float, float]]] = []  # picture, label, box
    for number, (name, frame) in enumerate(frames.items()):
        street = STREETS[name]
        annotated = [face for face in frame.faces if face.track not in street.passed_over]
        boxes += [(number, written_label(face, street), face.box) for face in annotated]
        boxes += [(number, 0, wall) for wall in street.walls]
    return {
        "images": [
            {"id": number, "file_name": name, "width": STREETS[name].size[0], "height": STREETS[name].size[1]}
            for number, name in enumerate(frames)
        ],
        "categories": [{"id": number, "name": label} for number, label in enumerate(LABELS)],
        "annotations": [
            {"id": number, "image_id": picture, "category_id": label, "bbox": [x1, y1, x2 - x1, y2 - y1]}
            for number, (picture, label, (x1, y1, x2, y2)) in enumerate(boxes)
        ],
    }


def written_label(face: TrueFace, street: Street) -> int:
    """The number of the label that the annotator gave the face."""
    right = LABELS.index(face.label)
    return 1 - right if face.track in street.mistaken else right


def keep(sheet: Image.Image) -> Image.Image:
    """The first ten tiles of a sheet, in two rows below its legend."""
    step = sheet.width // SHEET_COLUMNS
    kept = Image.new("RGB", (COLUMNS * step, BAR + ROWS * step), "white")
    kept.paste(sheet.crop((0, 0, COLUMNS * step, BAR)))
    for number in range(COLUMNS * ROWS):
        row, column = divmod(number, SHEET_COLUMNS)
        tile = sheet.crop((column * step, BAR + row * step, (column + 1) * step, BAR + (row + 1) * step))
        kept.paste(tile, (number % COLUMNS * step, BAR + number // COLUMNS * step))
    return kept


if __name__ == "__main__":
    main()
