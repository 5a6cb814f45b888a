"""Writes annotated pictures in COCO's form."""

from __future__ import annotations

import json
from pathlib import Path

from maskcheck.evaluation.coco import AnnotatedPictures
from maskcheck_export.annotations.overlay import name_of
from maskcheck_export.writing.whole_files import replacing


def write_coco(annotated: AnnotatedPictures, folder: Path, path: Path, *, about: str) -> None:
    """Write annotated pictures to a COCO annotation file, with new ids.

    Ignored regions have ``iscrowd: 1``, and the first category, since COCO's tools want one.

    Args:
        annotated: The pictures.
        folder: Their folder, which holds ``images/``.
        path: The file.
        about: The ``description`` of the file.

    Raises:
        DataError: The file cannot be written.
    """
    categories = {name: number for number, name in enumerate(annotated.categories, 1)}
    images: list[dict[str, object]] = []
    annotations: list[dict[str, object]] = []
    for number, picture in enumerate(annotated.pictures, 1):
        width, height = picture.size
        images.append({"id": number, "file_name": name_of(picture, folder), "width": width, "height": height})
        for box, label, ignored in zip(picture.boxes.tolist(), picture.labels, picture.ignored.tolist(), strict=True):
            x1, y1, x2, y2 = (round(edge, 2) for edge in box)
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": 1 if ignored else categories[label],
                    "bbox": [x1, y1, round(x2 - x1, 2), round(y2 - y1, 2)],
                    "area": round((x2 - x1) * (y2 - y1), 2),
                    "iscrowd": int(ignored),
                }
            )
    content = {
        "info": {"description": about},
        "images": images,
        "categories": [{"id": number, "name": name} for name, number in categories.items()],
        "annotations": annotations,
    }
    with replacing(path) as unfinished:
        unfinished.write_text(json.dumps(content) + "\n", encoding="utf-8")
