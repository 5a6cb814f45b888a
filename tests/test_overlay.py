"""Overlays: changes of annotations, kept apart from the pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from maskcheck.evaluation.coco import AnnotatedPicture, read_coco
from maskcheck_export.annotations.overlay import (
    LabelledBox,
    Overlay,
    PictureChanges,
    apply,
    read_annotations,
    read_overlay,
    sha256_of,
    write_overlay,
)
from maskcheck_export.errors import DataError

LABELS = ("with_mask", "without_mask")
FACE, OTHER, EMPTY = (10.0, 10.0, 30.0, 30.0), (50.0, 10.0, 70.0, 30.0), (80.0, 10.0, 98.0, 30.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A picture in which two faces and a place without a face are annotated as with_mask, and a picture without."""
    (tmp_path / "data" / "images").mkdir(parents=True)
    for name, colour in (("a.png", "grey"), ("b.png", "white")):
        Image.new("RGB", (100, 60), colour).save(tmp_path / "data" / "images" / name)
    content = {
        "images": [{"id": i, "file_name": f"{name}.png", "width": 100, "height": 60} for i, name in enumerate("ab")],
        "categories": [{"id": i, "name": name} for i, name in enumerate(LABELS)],
        "annotations": [
            {"id": i, "image_id": 0, "category_id": 0, "bbox": [x1, y1, x2 - x1, y2 - y1]}
            for i, (x1, y1, x2, y2) in enumerate((FACE, OTHER, EMPTY))
        ],
    }
    (tmp_path / "data" / "annotations.json").write_text(json.dumps(content))
    return tmp_path / "data"


def changes(folder: Path, name: str = "a.png", **kinds: Any) -> dict[str, PictureChanges]:
    return {name: PictureChanges(sha256_of(folder / "images" / name), **kinds)}


def faces(picture: AnnotatedPicture) -> list[tuple[tuple[float, ...], str, bool]]:
    rows = zip(picture.boxes.tolist(), picture.labels, picture.ignored.tolist(), strict=True)
    return [(tuple(box), label, ignored) for box, label, ignored in rows]


def test_an_overlay_adds_changes_removes_and_leaves_undecided(folder: Path) -> None:
    new, region = (10.0, 40.0, 20.0, 50.0), (40.0, 40.0, 60.0, 60.0)
    overlay = Overlay(
        "drawn",
        changes(
            folder,
            add=(LabelledBox(new, "without_mask"),),
            change=(LabelledBox(FACE, "without_mask"),),
            remove=(EMPTY,),
            undecided=(OTHER, region),
        ),
    )

    changed = apply(overlay, read_coco(folder), folder)

    assert changed.skipped == ()
    assert faces(changed.pictures[0]) == [
        (FACE, "without_mask", False),
        (OTHER, "", True),
        (region, "", True),
        (new, "without_mask", False),
    ]
    assert faces(changed.pictures[1]) == []


def test_an_overlay_is_the_same_after_it_was_written_and_read(folder: Path, tmp_path: Path) -> None:
    overlay = Overlay(
        'drawn, by "us"\n',
        changes(
            folder,
            add=(LabelledBox((1.25, 2, 3, 4000.5), "without_mask"), LabelledBox((1, 2, 3, 5), "with_mask")),
            change=(LabelledBox(FACE, "without_mask"),),
            remove=(EMPTY, OTHER),
            undecided=(OTHER,),
        )
        | changes(folder, "b.png", undecided=(OTHER, EMPTY)),
    )
    write_overlay(overlay, tmp_path / "overlay.json")

    assert read_overlay(str(tmp_path / "overlay.json")) == overlay
    assert json.loads((tmp_path / "overlay.json").read_text())["format"] == "maskcheck-overlay/1"
    assert overlay.counts() == {"add": 2, "change": 1, "remove": 2, "undecided": 3}


def test_a_picture_that_is_another_file_keeps_its_annotations_and_is_reported(folder: Path) -> None:
    overlay = Overlay("", changes(folder, remove=(FACE,)) | changes(folder, "b.png", undecided=(FACE,)))
    Image.new("RGB", (100, 60), "black").save(folder / "images" / "a.png")

    changed = apply(overlay, read_coco(folder), folder)

    assert [face[1] for face in faces(changed.pictures[0])] == ["with_mask"] * 3
    assert faces(changed.pictures[1]) == [(FACE, "", True)]
    (line,) = changed.skipped
    assert "a.png: the overlay is for another file: expected SHA-256" in line


def test_an_overlay_for_other_pictures_is_refused(folder: Path) -> None:
    other = {"a.png": PictureChanges("0" * 64, remove=(FACE,))}

    with pytest.raises(DataError, match=r"none of its 1 pictures is there as the same file; it says: street"):
        apply(Overlay("street", other), read_coco(folder), folder)


@pytest.mark.parametrize(
    ("kinds", "problem"),
    [
        (
            {"change": (LabelledBox((0, 40, 9, 50), "without_mask"),)},
            "box 0, 40, 9, 50: no annotated box is there whose",
        ),
        ({"remove": ((0, 40, 9, 50),)}, "no annotated box is there that could be removed"),
        ({"add": (LabelledBox(FACE, "without_mask"),)}, "a face that the overlay adds is annotated already"),
    ],
)
def test_a_change_that_does_not_fit_is_left_out_and_reported(folder: Path, kinds: Any, problem: str) -> None:
    annotated = read_coco(folder)

    changed = apply(Overlay("", changes(folder, **kinds)), annotated, folder)

    assert faces(changed.pictures[0]) == faces(annotated.pictures[0])
    (line,) = changed.skipped
    assert "a.png: " in line
    assert problem in line


def test_a_picture_that_is_not_annotated_is_reported(folder: Path) -> None:
    overlay = Overlay("", changes(folder, remove=(FACE,)) | {"gone.png": PictureChanges("0" * 64, remove=(FACE,))})

    assert (
        "gone.png: the overlay changes it, but it is not annotated"
        in apply(overlay, read_coco(folder), folder).skipped[0]
    )


def test_a_label_that_is_no_category_is_refused(folder: Path) -> None:
    overlay = Overlay("", changes(folder, add=(LabelledBox((1, 40, 9, 50), "hat"),)))

    with pytest.raises(DataError, match=r"label hat, which is no category of .*: with_mask, without_mask"):
        apply(overlay, read_coco(folder), folder)


def test_annotations_are_read_with_an_overlay_given_by_its_file(folder: Path, tmp_path: Path) -> None:
    write_overlay(Overlay("", changes(folder, remove=(FACE,))), tmp_path / "mine.json")

    assert len(read_annotations(folder).pictures[0].boxes) == 3
    assert len(read_annotations(folder, str(tmp_path / "mine.json")).pictures[0].boxes) == 2


def test_the_overlay_of_the_package_has_the_counts_that_it_names() -> None:
    crowd = read_overlay("crowd")

    assert crowd.counts() == {"add": 64, "change": 4, "remove": 3, "undecided": 518}
    assert all(len(changes.sha256) == 64 for changes in crowd.pictures.values())


def test_a_missing_overlay_is_an_error_that_names_those_of_the_package() -> None:
    with pytest.raises(DataError, match="no overlay nobody; expected a JSON file, or one of the package: crowd"):
        read_overlay("nobody")


@pytest.mark.parametrize(
    "content", ["no JSON", "[]", "{}", '{"format": "maskcheck-overlay/2", "about": "", "pictures": {}}']
)
def test_a_file_of_another_form_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "mine.json").write_text(content)

    with pytest.raises(DataError, match=r"mine\.json is no overlay: "):
        read_overlay(str(tmp_path / "mine.json"))


@pytest.mark.parametrize(
    "of_picture",
    [
        {},
        [],
        {"sha256": "", "added": []},
        {"sha256": "", "remove": [[1, 2, 3]]},
        {"sha256": "", "remove": [[3, 2, 1, 4]]},
        {"sha256": "", "add": [{"box": "1"}]},
        {"sha256": "", "undecided": [[1, 2, float("nan"), 4]]},
    ],
    ids=str,
)
def test_changes_of_another_form_are_refused(tmp_path: Path, of_picture: Any) -> None:
    content = {"format": "maskcheck-overlay/1", "about": "", "pictures": {"a.png": of_picture}}
    (tmp_path / "mine.json").write_text(json.dumps(content))

    with pytest.raises(DataError, match=r"mine\.json is no overlay: "):
        read_overlay(str(tmp_path / "mine.json"))
