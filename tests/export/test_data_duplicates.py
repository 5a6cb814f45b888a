from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image, ImageDraw

from maskcheck_export.commands import main
from maskcheck_export.data.duplicates import group_near_duplicates, hash_pictures, near_pairs
from maskcheck_export.data.gathering import gather
from maskcheck_export.data.listing import list_samples
from maskcheck_export.errors import DataError
from maskcheck_export.recipes.reading import settings_from

LABELS = ("with_mask", "without_mask")


def scene(seed: int) -> Image.Image:
    """A picture of large random shapes."""
    rng = np.random.default_rng(seed)
    picture = Image.new("RGB", (96, 96), tuple(rng.integers(0, 256, 3).tolist()))
    draw = ImageDraw.Draw(picture)
    for _ in range(12):
        x, y, w, h = rng.integers(0, 70, 4).tolist()
        draw.rectangle((x, y, x + w, y + h), fill=tuple(rng.integers(0, 256, 3).tolist()))
    return picture


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two pictures, a smaller copy of the first under another label, and a file that is cut off."""
    root = tmp_path / "portraits"
    for label in LABELS:
        (root / label).mkdir(parents=True)
    scene(1).save(root / "with_mask" / "a.png")
    scene(2).save(root / "with_mask" / "b.png")
    scene(1).resize((64, 64)).save(root / "without_mask" / "copy.jpg")
    scene(3).save(root / "without_mask" / "c.jpg")
    data = (root / "without_mask" / "c.jpg").read_bytes()
    (root / "without_mask" / "cut.jpg").write_bytes(data[: len(data) // 2])
    return root


def test_a_resized_copy_is_in_the_group_of_its_original(folder: Path) -> None:
    samples = [sample for sample in list_samples(folder, LABELS).samples if sample.path.stem != "cut"]

    grouped = group_near_duplicates(samples, hash_pictures([sample.path for sample in samples]), distance=20)

    group = {sample.path.stem: sample.group for sample in grouped}
    assert group["a"] == group["copy"]
    assert len(set(group.values())) == 3


def test_groups_that_share_a_duplicate_are_joined(folder: Path) -> None:
    (folder / "groups.csv").write_text("path,group\nwith_mask/a.png,1\nwith_mask/b.png,1\n")
    samples = [sample for sample in list_samples(folder, LABELS).samples if sample.path.stem != "cut"]

    grouped = group_near_duplicates(samples, hash_pictures([sample.path for sample in samples]), distance=20)

    group = {sample.path.stem: sample.group for sample in grouped}
    assert group["a"] == group["b"] == group["copy"] != group["c"]


def test_pairs_are_found_by_the_number_of_bits_that_differ() -> None:
    hashes = np.zeros((3, 4), np.uint64)
    hashes[1, 2] = 0b111
    hashes[2] = np.iinfo(np.uint64).max

    assert list(near_pairs(hashes, 3)) == [(0, 1)]
    assert list(near_pairs(hashes, 2)) == []


def test_a_picture_that_is_cut_off_is_left_out_and_reported(folder: Path) -> None:
    lines: list[str] = []

    samples = gather(settings_from({"data": [{"path": "portraits"}]}, "test"), folder.parent, report=lines.append)

    assert sorted(sample.path.stem for sample in samples) == ["a", "b", "c", "copy"]
    assert any("skipped" in line and "cut.jpg" in line for line in lines)


def test_data_sets_of_one_name_are_refused(folder: Path) -> None:
    twice = settings_from({"data": [{"path": "portraits"}, {"path": "portraits"}]}, "test")

    with pytest.raises(DataError, match="different folder names"):
        gather(twice, folder.parent, report=print)


def test_the_inventory_counts_faces_sizes_unreadable_files_and_near_duplicates(folder: Path, tmp_path: Path) -> None:
    report = tmp_path / "inventory.json"

    result = CliRunner().invoke(main, ["data", str(folder), "--json", str(report)])

    assert result.exit_code == 0, result.output
    assert "near-duplicate pairs in portraits and portraits: 1" in result.stdout
    assert "cut.jpg" in result.stdout
    inventory = json.loads(report.read_text())
    (portraits,) = inventory["datasets"]
    assert portraits["faces"] == {"with_mask": 2, "without_mask": 2}
    assert portraits["face_sizes"] == [0, 0, 0, 0, 1, 3]
    assert (portraits["groups"], portraits["largest_group"]) == (3, 2)
    assert [Path(path).stem for path in inventory["disagreeing"][0]] == ["a", "copy"]
