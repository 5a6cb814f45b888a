"""Small drawn data sets, in class folders and with COCO boxes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

CATEGORIES = {1: "with_mask", 2: "without_mask", 3: "mask_worn_incorrectly"}
_TOP = {"with_mask": 32, "mask_worn_incorrectly": 46}


def draw_face(label: str, seed: int) -> Image.Image:
    """A face of 64 x 64 pixels."""
    rng = np.random.default_rng(seed)
    picture = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).resize(
        (64, 64), Image.Resampling.NEAREST
    )
    draw = ImageDraw.Draw(picture)
    draw.ellipse((8, 4, 56, 60), fill=(220, 180, 150))
    if label in _TOP:
        draw.rectangle((12, _TOP[label], 52, 58), fill=tuple(rng.integers(0, 256, 3).tolist()))
    return picture


def draw_folders(root: Path, count: int = 20, labels: tuple[str, ...] = ("with_mask", "without_mask")) -> Path:
    """Pictures in a folder for each label."""
    for number in range(count):
        label = labels[number % len(labels)]
        (root / label).mkdir(parents=True, exist_ok=True)
        draw_face(label, number).save(root / label / f"{number:03}.png")
    return root


def draw_crowd(root: Path, count: int = 20) -> Path:
    """Pictures of one face each, with boxes; every fifth wears its mask incorrectly."""
    (root / "images").mkdir(parents=True)
    images, annotations = [], []
    for number in range(count):
        category = 3 if number % 5 == 4 else 1 + number % 2
        street = Image.new("RGB", (160, 100), "grey")
        street.paste(draw_face(CATEGORIES[category], 100 + number), (50, 20))
        street.save(root / "images" / f"{number}.png")
        images.append({"id": number, "file_name": f"{number}.png", "width": 160, "height": 100})
        annotations.append({"id": number, "image_id": number, "category_id": category, "bbox": [58, 24, 48, 56]})
    categories = [{"id": number, "name": name} for number, name in CATEGORIES.items()]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (root / "annotations.json").write_text(json.dumps(content))
    return root
