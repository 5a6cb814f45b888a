from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from maskcheck.coco import read_coco
from maskcheck.errors import SourceError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two pictures, of which one is there; three boxes on it, one of them outside."""
    (tmp_path / "images").mkdir()
    Image.new("RGB", (100, 60)).save(tmp_path / "images" / "a.png")
    write(
        tmp_path,
        {
            "images": [
                {"id": 7, "file_name": "a.png", "width": 100, "height": 60},
                {"id": 8, "file_name": "gone.png", "width": 10, "height": 10},
            ],
            "categories": [{"id": 1, "name": "with_mask"}, {"id": 2, "name": "without_mask"}],
            "annotations": [
                {"id": 1, "image_id": 7, "category_id": 2, "bbox": [10, 20, 30, 25]},
                {"id": 2, "image_id": 7, "category_id": 1, "bbox": [90, 50, 40, 40]},
                {"id": 3, "image_id": 7, "category_id": 1, "bbox": [200, 200, 5, 5]},
                {"id": 4, "image_id": 8, "category_id": 1, "bbox": [1, 1, 5, 5]},
            ],
        },
    )
    return tmp_path


def write(folder: Path, content: Any) -> None:
    (folder / "annotations.json").write_text(json.dumps(content))


def test_boxes_are_corners_inside_the_picture_with_the_name_of_their_category(folder: Path) -> None:
    data = read_coco(folder)

    (picture,) = data.pictures
    assert picture.path == folder / "images" / "a.png"
    assert picture.boxes.tolist() == [[10, 20, 40, 45], [90, 50, 100, 60]]
    assert picture.boxes.dtype == np.float64
    assert picture.labels == ("without_mask", "with_mask")
    assert picture.size == (100, 60)
    assert data.categories == ("with_mask", "without_mask")


def test_what_cannot_be_used_is_said(folder: Path) -> None:
    outside, missing = read_coco(folder).skipped

    assert "a.png: annotation 3 lies outside the picture" in outside
    assert "gone.png: no such file" in missing


def test_a_picture_without_a_face_is_there_all_the_same(folder: Path) -> None:
    write(
        folder,
        {"images": [{"id": 7, "file_name": "a.png", "width": 9, "height": 9}], "categories": [], "annotations": []},
    )

    assert read_coco(folder).pictures[0].boxes.shape == (0, 4)


@pytest.mark.parametrize("content", ["{}", "[]", "no JSON", '{"images": 3, "categories": [], "annotations": []}'])
def test_a_file_of_another_form_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "annotations.json").write_text(content)

    with pytest.raises(SourceError, match=r"annotations\.json is not a COCO annotation file") as refused:
        read_coco(tmp_path)
    assert refused.value.source == str(tmp_path / "annotations.json")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"annotations\.json cannot be read: No such file"):
        read_coco(tmp_path)
