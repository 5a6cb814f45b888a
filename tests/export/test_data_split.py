from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any, Literal

import pytest
from click.testing import CliRunner
from drawn_faces import draw_crowd, draw_folders

from maskcheck_export.commands import main
from maskcheck_export.data.samples import Sample
from maskcheck_export.data.split import split
from maskcheck_export.errors import DataError
from maskcheck_export.recipes.settings import Split


def samples(count: int, per_group: int) -> list[Sample]:
    return [
        Sample(Path(f"{i:04}.png"), (0, 0, 9, 9), "ab"[i // per_group % 2], "set", f"{i // per_group}", whole=True)
        for i in range(count)
    ]


def test_groups_stay_together_and_labels_stay_in_proportion() -> None:
    parts = split(samples(200, per_group=2), Split(by="groups", test=0.2, validation=0.25), seed=42)

    assert [len(part) for part in (parts.test, parts.validation, parts.training)] == [40, 40, 120]
    assert Counter(sample.label for sample in parts.test) == {"a": 20, "b": 20}
    groups = [{sample.group for sample in part} for part in (parts.training, parts.validation, parts.test)]
    assert not groups[0] & groups[1]
    assert not groups[0] & groups[2]
    assert not groups[1] & groups[2]


def test_the_folds_are_disjoint_and_cover_all_faces() -> None:
    listed = samples(200, per_group=2)

    folds = [split(listed, Split(test=0.25, validation=0.1, fold=fold), seed=42) for fold in range(4)]

    tested = [sample for parts in folds for sample in parts.test]
    assert sorted(sample.path for sample in tested) == [sample.path for sample in listed]
    assert all(not {face.group for face in parts.test} & {face.group for face in parts.training} for parts in folds)
    assert folds[0] == split(listed, Split(test=0.25, validation=0.1), seed=42)


@pytest.mark.parametrize("wrong", [{"fold": 5}, {"test": 0, "fold": 1}, {"by": "faces", "fold": 1}])
def test_a_fold_that_does_not_exist_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"fold: expected 0"):
        Split(**wrong)


@pytest.mark.parametrize("by", ["groups", "faces"])
def test_equal_seeds_split_alike_in_any_order_of_files(by: Literal["groups", "faces"]) -> None:
    listed = samples(200, per_group=2)
    shuffled = random.Random(1).sample(listed, len(listed))

    first = split(listed, Split(by=by, test=0.2, validation=0.1), seed=42)

    assert first == split(shuffled, Split(by=by, test=0.2, validation=0.1), seed=42)
    assert first.test != split(listed, Split(by=by, test=0.2, validation=0.1), seed=43).test


def test_a_split_by_faces_is_stratified_and_parts_groups() -> None:
    parts = split(samples(200, per_group=4), Split(by="faces", test=0.25, validation=0), seed=42)

    assert (len(parts.training), len(parts.validation), len(parts.test)) == (150, 0, 50)
    assert Counter(sample.label for sample in parts.test) == {"a": 25, "b": 25}
    assert {sample.group for sample in parts.training} & {sample.group for sample in parts.test}


def test_a_label_with_few_examples_does_not_stop_a_split_by_groups() -> None:
    rare = [Sample(Path(f"r{i}.png"), (0, 0, 9, 9), "rare", "set", f"r{i}", whole=True) for i in range(3)]

    parts = split([*samples(100, per_group=1), *rare], Split(by="groups", test=0.2, validation=0.1), seed=42)

    assert sum(map(len, (parts.training, parts.validation, parts.test))) == 103


def test_too_few_groups_or_faces_are_refused() -> None:
    with pytest.raises(DataError, match="too few"):
        split(samples(100, per_group=50), Split(by="groups", test=0.2, validation=0), seed=42)
    with pytest.raises(DataError, match="cannot be split"):
        split(samples(2, per_group=1), Split(by="faces", test=0.5, validation=0), seed=42)


def test_the_pictures_that_a_training_keeps_out_are_listed_by_name(tmp_path: Path) -> None:
    draw_crowd(tmp_path / "crowd", count=60)
    draw_folders(tmp_path / "faces", count=40)
    arguments = ["split", "default", "--data-root", str(tmp_path), "--set", "data=[{path='crowd'}, {path='faces'}]"]
    arguments += ["--set", "split.near_duplicates=-1", "--data-set"]

    listed = {
        part: CliRunner().invoke(main, [*arguments, "crowd", "--part", part]).stdout.split()
        for part in ("training", "validation", "test")
    }
    unknown = CliRunner().invoke(main, [*arguments, "street"])

    assert sorted(name for names in listed.values() for name in names) == sorted(
        f"{number}.png" for number in range(60)
    )
    assert 8 <= len(listed["test"]) <= 16
    assert unknown.exit_code == 2
    assert "no data set 'street'; its data sets: crowd, faces" in unknown.stderr
