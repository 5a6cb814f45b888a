from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from maskcheck.errors import SourceError
from maskcheck.evaluation.coco import read_coco


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Annotations of two pictures, of which one exists; it has three boxes, of which one lies outside."""
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


def test_boxes_outside_and_missing_pictures_are_reported(folder: Path) -> None:
    outside, missing = read_coco(folder).skipped

    assert "a.png: annotation 3 lies outside the picture" in outside
    assert "gone.png: no such file" in missing


def test_a_crowd_is_an_ignored_region_and_needs_no_category(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    Image.new("RGB", (100, 60)).save(tmp_path / "images" / "a.png")
    content = json.loads(described(iscrowd=0))
    content["annotations"] += [
        {"id": 2, "image_id": 1, "bbox": [10, 10, 20, 20], "iscrowd": 1},
        {"id": 3, "image_id": 1, "category_id": 99, "bbox": [40, 10, 20, 20], "iscrowd": 1},
    ]
    write(tmp_path, content)

    (picture,) = read_coco(tmp_path).pictures

    assert picture.ignored.tolist() == [False, True, True]
    assert picture.ignored.dtype == np.bool_
    assert picture.labels == ("with_mask", "", "")
    assert picture.boxes[1].tolist() == [10, 10, 30, 30]


def test_another_annotation_file_may_describe_the_same_pictures(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.json").write_text(described())

    (picture,) = read_coco(folder, annotations=tmp_path / "mine.json").pictures

    assert picture.path == folder / "images" / "a.png"
    assert picture.boxes.tolist() == [[1, 2, 4, 6]]


def test_a_picture_without_faces_is_read(folder: Path) -> None:
    write(
        folder,
        {"images": [{"id": 7, "file_name": "a.png", "width": 9, "height": 9}], "categories": [], "annotations": []},
    )

    assert read_coco(folder).pictures[0].boxes.shape == (0, 4)


@pytest.mark.parametrize("content", ["{}", "[]", "no JSON", '{"images": 3, "categories": [], "annotations": []}'])
def test_the_error_names_a_file_of_another_form(tmp_path: Path, content: str) -> None:
    (tmp_path / "annotations.json").write_text(content)

    with pytest.raises(SourceError, match=r"annotations\.json is not a COCO annotation file") as refused:
        read_coco(tmp_path)
    assert refused.value.source == str(tmp_path / "annotations.json")


DEEP = "[" * 100_000 + "]" * 100_000


def described(**changes: Any) -> str:
    """Annotations with one picture and one box, with some values changed."""
    image = {"id": 1, "file_name": "a.png", "width": 100, "height": 60}
    face = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "iscrowd": 0}
    category = {"id": 1, "name": "with_mask"}
    for record in (image, face, category):
        record.update({key: value for key, value in changes.items() if key in record})
    return json.dumps({"images": [image], "annotations": [face], "categories": [category]})


@pytest.mark.parametrize(
    "name",
    [
        None,
        5,
        "",
        ["a.png"],
        "../a.png",
        "x/../../a.png",
        "/etc/passwd",
        "C:\\a.png",
        "C:a.png",
        "..\\a.png",
        "\\\\host\\a.png",
        "a\0.png",
    ],
    ids=repr,
)
def test_a_name_that_leads_outside_the_folder_of_pictures_is_refused(tmp_path: Path, name: object) -> None:
    (tmp_path / "annotations.json").write_text(described(file_name=name))

    with pytest.raises(SourceError, match=r"is not a COCO annotation file: .*file_name"):
        read_coco(tmp_path)


def test_a_picture_may_lie_in_a_subfolder(tmp_path: Path) -> None:
    (tmp_path / "images" / "below").mkdir(parents=True)
    Image.new("RGB", (100, 60)).save(tmp_path / "images" / "below" / "a.b..c.png")
    (tmp_path / "annotations.json").write_text(described(file_name="below/a.b..c.png"))

    assert read_coco(tmp_path).pictures[0].path == tmp_path / "images" / "below" / "a.b..c.png"


def test_a_picture_whose_name_no_system_allows_is_missing(tmp_path: Path) -> None:
    (tmp_path / "annotations.json").write_text(described(file_name="a" * 5000))

    assert "no such file" in read_coco(tmp_path).skipped[0]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(DEEP, id="deeply nested"),
        pytest.param(described(id=[1]), id="a list for an id"),
        pytest.param(described(width="100"), id="a width as text"),
        pytest.param(described(width=10**400), id="a huge width"),
        pytest.param(described(height=0), id="no height"),
        pytest.param(described(bbox=[1, 2, 3]), id="three edges"),
        pytest.param(described(bbox=[1, 2, 3, 10**400]), id="a huge box"),
        pytest.param(described(bbox=None), id="no box"),
        pytest.param(described(iscrowd="yes"), id="a text for iscrowd"),
        pytest.param(described(category_id=9), id="an unknown category"),
        pytest.param(described(bbox="1234"), id="a text for a box"),
        pytest.param(described(bbox=[[1, 2], 2, 3, 4]), id="a box of lists"),
        pytest.param(described().replace("[1, 2, 3, 4]", "[1, 2, 3, NaN]"), id="a box without a number"),
        pytest.param(described(bbox=[1, 2, 3, "x" * 100_000]), id="a long text in a box"),
        pytest.param(
            json.dumps({"images": [{"id": 1, "file_name": name, "width": 9, "height": 9} for name in "ab"]}),
            id="two images with one id",
        ),
    ],
)
def test_annotations_of_another_form_are_refused_with_a_short_message(tmp_path: Path, content: str) -> None:
    (tmp_path / "annotations.json").write_text(content)

    with pytest.raises(SourceError, match="is not a COCO annotation file") as refused:
        read_coco(tmp_path)
    assert len(str(refused.value).removeprefix(str(tmp_path))) < 500


def test_the_error_names_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"annotations\.json cannot be read: No such file"):
        read_coco(tmp_path)
