from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from maskcheck_export.annotations.overlay import LabelledBox, Overlay, PictureChanges, sha256_of, write_overlay
from maskcheck_export.data.gathering import gather
from maskcheck_export.data.listing import list_samples
from maskcheck_export.data.samples import describe
from maskcheck_export.errors import DataError
from maskcheck_export.recipes.reading import settings_from

LABELS = ("with_mask", "without_mask")


def picture(path: Path, width: int = 40, height: int = 30) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (width, height), "grey").save(path)


def coco(folder: Path, annotations: list[tuple[int, int, list[float]]]) -> Path:
    picture(folder / "images" / "a.png")
    picture(folder / "images" / "b.png")
    content = {
        "images": [{"id": i, "file_name": f"{name}.png", "width": 40, "height": 30} for i, name in enumerate("ab")],
        "categories": [{"id": i, "name": name} for i, name in enumerate((*LABELS, "mask_worn_incorrectly"), 1)],
        "annotations": [
            {"id": number, "image_id": image, "category_id": category, "bbox": box}
            for number, (image, category, box) in enumerate(annotations)
        ],
    }
    (folder / "annotations.json").write_text(json.dumps(content))
    return folder


def test_class_folders_give_whole_pictures_with_their_labels(tmp_path: Path) -> None:
    picture(tmp_path / "with_mask" / "1.png")
    picture(tmp_path / "without_mask" / "2.png", 20, 50)
    (tmp_path / "with_mask" / "notes.txt").write_text("not a picture")

    samples = list_samples(tmp_path, LABELS).samples

    assert [(sample.path.name, sample.label, sample.box) for sample in samples] == [
        ("1.png", "with_mask", (0, 0, 40, 30)),
        ("2.png", "without_mask", (0, 0, 20, 50)),
    ]
    assert samples[1].shorter_side == 20


def test_near_duplicates_named_in_a_file_are_one_group(tmp_path: Path) -> None:
    for name in ("1", "2", "3"):
        picture(tmp_path / "with_mask" / f"{name}.png")
    (tmp_path / "groups.csv").write_text("path,group\nwith_mask/1.png,7\nwith_mask/2.png,7\nwith_mask/3.png,8\n")

    first, second, third = list_samples(tmp_path, LABELS).samples

    assert first.group == second.group != third.group


def test_coco_boxes_give_faces_clipped_to_the_picture(tmp_path: Path) -> None:
    folder = coco(tmp_path / "crowd", [(0, 1, [5, 6, 10, 12]), (0, 2, [30, 20, 30, 30])])

    samples = list_samples(folder, LABELS).samples

    assert [(sample.label, sample.box) for sample in samples] == [
        ("with_mask", (5, 6, 15, 18)),
        ("without_mask", (30, 20, 40, 30)),
    ]
    assert samples[0].group == samples[1].group


def test_ignored_regions_are_no_faces_of_any_label(tmp_path: Path) -> None:
    folder = coco(tmp_path / "crowd", [(0, 1, [5, 6, 10, 12]), (0, 2, [20, 10, 10, 10])])
    content = json.loads((folder / "annotations.json").read_text())
    content["annotations"][1]["iscrowd"] = 1
    (folder / "annotations.json").write_text(json.dumps(content))

    listing = list_samples(folder, LABELS)

    assert [sample.label for sample in listing.samples] == ["with_mask"]
    assert listing.skipped == ()


def test_an_overlay_changes_the_faces_that_are_listed(tmp_path: Path) -> None:
    folder = coco(tmp_path / "crowd", [(0, 1, [5, 6, 10, 12])])
    added = PictureChanges(sha256_of(folder / "images" / "b.png"), add=(LabelledBox((20, 10, 30, 20), "without_mask"),))
    write_overlay(Overlay("drawn", {"b.png": added}), tmp_path / "mine.json")

    samples = list_samples(folder, LABELS, overlay=str(tmp_path / "mine.json")).samples

    assert [(sample.path.name, sample.label) for sample in samples] == [
        ("a.png", "with_mask"),
        ("b.png", "without_mask"),
    ]
    with pytest.raises(DataError, match=r"changes COCO annotations, and .* holds no annotations.json"):
        list_samples(folder / "images", LABELS, overlay=str(tmp_path / "mine.json"))


def test_a_recipe_names_the_overlay_of_a_data_set(tmp_path: Path) -> None:
    folder = coco(tmp_path / "crowd", [(0, 1, [5, 6, 10, 12]), (0, 1, [20, 10, 10, 10])])
    changed = PictureChanges(
        sha256_of(folder / "images" / "a.png"),
        change=(LabelledBox((5, 6, 15, 18), "without_mask"),),
        undecided=((20, 10, 30, 20),),
    )
    gone = PictureChanges("0" * 64, remove=((5, 6, 15, 18),))
    write_overlay(Overlay("drawn", {"a.png": changed, "gone.png": gone}), tmp_path / "mine.json")
    settings = settings_from({"data": [{"path": "crowd", "overlay": str(tmp_path / "mine.json")}]}, "test")
    lines: list[str] = []

    samples = gather(settings, tmp_path, report=lines.append)

    assert [(sample.box, sample.label) for sample in samples] == [((5, 6, 15, 18), "without_mask")]
    assert any(line.startswith("skipped: ") and "gone.png" in line for line in lines)


def test_what_cannot_be_used_is_skipped_and_reported(tmp_path: Path) -> None:
    folder = coco(tmp_path / "crowd", [(0, 1, [5, 6, 10, 12]), (1, 1, [100, 6, 10, 12]), (1, 3, [5, 6, 10, 12])])

    listing = list_samples(folder, LABELS)

    assert len(listing.samples) == 1
    assert any("annotation 1 lies outside the picture" in line for line in listing.skipped)
    assert any("1 faces of label mask_worn_incorrectly" in line for line in listing.skipped)


def test_an_unreadable_picture_in_a_class_folder_is_skipped_and_reported(tmp_path: Path) -> None:
    picture(tmp_path / "with_mask" / "1.png")
    (tmp_path / "with_mask" / "2.png").write_text("no picture")

    listing = list_samples(tmp_path, LABELS)

    assert [sample.path.name for sample in listing.samples] == ["1.png"]
    assert any("2.png" in line for line in listing.skipped)


@pytest.mark.parametrize("content", ["{}", "[]", "no JSON", '{"images": 3, "categories": [], "annotations": []}'])
def test_a_broken_annotation_file_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "annotations.json").write_text(content)

    with pytest.raises(DataError, match=r"annotations\.json"):
        list_samples(tmp_path, LABELS)


def test_a_missing_picture_is_reported_and_its_faces_are_skipped(tmp_path: Path) -> None:
    folder = coco(tmp_path / "crowd", [(0, 1, [5, 6, 10, 12]), (1, 1, [5, 6, 10, 12])])
    (folder / "images" / "b.png").unlink()

    listing = list_samples(folder, LABELS)

    assert [sample.path.name for sample in listing.samples] == ["a.png"]
    assert any("b.png: no such file" in line for line in listing.skipped)


def test_an_annotation_of_an_unknown_picture_is_named(tmp_path: Path) -> None:
    folder = coco(tmp_path / "crowd", [(9, 1, [5, 6, 10, 12])])

    with pytest.raises(DataError, match=r"annotations\.json"):
        list_samples(folder, LABELS)


def test_a_folder_without_faces_is_refused(tmp_path: Path) -> None:
    (tmp_path / "with_mask").mkdir()

    with pytest.raises(DataError, match="no usable face"):
        list_samples(tmp_path, LABELS)
    with pytest.raises(DataError, match="neither"):
        list_samples(tmp_path / "with_mask", LABELS)
    with pytest.raises(DataError, match="no such folder"):
        list_samples(tmp_path / "absent", LABELS)


def test_a_description_counts_faces_by_data_set_and_label(tmp_path: Path) -> None:
    for name in ("1", "2"):
        picture(tmp_path / "street" / "with_mask" / f"{name}.png")
    picture(tmp_path / "street" / "without_mask" / "3.png")

    samples = list_samples(tmp_path / "street", LABELS).samples

    assert describe(samples) == "street: 2 with_mask, 1 without_mask"
