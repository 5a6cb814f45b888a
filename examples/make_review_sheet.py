"""Draw the contact sheet of export/README.md: questions about annotations of the sample pictures.

pip install ".[cpu,export]" ./plugins/maskcheck-centerface
python examples/make_review_sheet.py .github/images/review.png

The annotations lack two faces, have two wrong labels, and a box without a face.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

EXAMPLES = Path(__file__).parent
LABELS = ("with_mask", "without_mask")
ANNOTATIONS = {  # of each picture: boxes, x1, y1, x2, y2, with their labels
    "group.jpg": [
        ((146, 116, 272, 270), "with_mask"),
        ((710, 123, 836, 274), "without_mask"),  # the face has a mask
        ((463, 306, 521, 376), "without_mask"),  # and so has this one
        ((1007, 212, 1047, 258), "with_mask"),
        ((1008, 368, 1044, 409), "with_mask"),
    ],
    "astronaut.jpg": [((162, 106, 345, 336), "without_mask"), ((380, 60, 470, 170), "with_mask")],  # a wall
}
SIZES = {"group.jpg": (1110, 504), "astronaut.jpg": (512, 640)}
REVIEW = (
    "--detector",
    "centerface preset=thorough",
    "--detector",
    "haar preset=thorough",
    "--least-score",
    "0.18",
    "--most",
    "5",
)
COLUMNS, TOP = 4, 22  # of what is kept: two halves of the first row of a sheet, below its legend


def main() -> None:
    """Annotate the pictures, review the annotations, and keep the first eight tiles of the sheet."""
    parser = argparse.ArgumentParser(description="Draw questions about annotations of the sample pictures.")
    parser.add_argument("picture", type=Path)
    arguments = parser.parse_args()

    with TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        (data / "images").mkdir(parents=True)
        for name in ANNOTATIONS:
            shutil.copy(EXAMPLES / name, data / "images")
        (data / "annotations.json").write_text(json.dumps(describe()), encoding="utf-8")
        command = [sys.executable, "-c", "from maskcheck_export.commands import main; main()", "review", str(data)]
        subprocess.run([*command, *REVIEW, "--output", str(Path(folder) / "review")], check=True)
        print((Path(folder) / "review" / "table.csv").read_text(encoding="utf-8"))
        with Image.open(Path(folder) / "review" / "sheets" / "001.png") as sheet:
            step = sheet.width // (2 * COLUMNS)
            kept = Image.new("RGB", (COLUMNS * step, TOP + 2 * step), "white")
            kept.paste(sheet.crop((0, 0, COLUMNS * step, TOP + step)))
            kept.paste(sheet.crop((COLUMNS * step, TOP, sheet.width, TOP + step)), (0, TOP + step))
            kept.quantize(256).save(arguments.picture, optimize=True)


def describe() -> dict[str, object]:
    """The annotations, in COCO's form."""
    names = list(ANNOTATIONS)
    boxes = [(name, box, label) for name in names for box, label in ANNOTATIONS[name]]
    return {
        "images": [
            {"id": number, "file_name": name, "width": SIZES[name][0], "height": SIZES[name][1]}
            for number, name in enumerate(names)
        ],
        "categories": [{"id": number, "name": label} for number, label in enumerate(LABELS, 1)],
        "annotations": [
            {
                "id": number,
                "image_id": names.index(name),
                "category_id": LABELS.index(label) + 1,
                "bbox": [x1, y1, x2 - x1, y2 - y1],
            }
            for number, (name, (x1, y1, x2, y2), label) in enumerate(boxes)
        ],
    }


if __name__ == "__main__":
    main()
