"""The benchmark of tracking reports what its trackers do, on scenes that are the same for the same seed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

pytest.importorskip("scipy")

from maskcheck_bench.commands import main
from maskcheck_bench.tracking.scenes import SCENES


@pytest.mark.parametrize("name", SCENES)
def test_a_scene_is_the_same_for_the_same_seed(name: str) -> None:
    first, second = (SCENES[name](np.random.default_rng(7)) for _ in range(2))
    assert len(first) >= 50
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a.boxes, b.boxes)
        assert len(a.boxes) == len(a.scores) <= len(a.true_ids) == len(a.true_boxes)


def test_the_report_has_every_scene_and_faces_keep_their_numbers(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    outcome = CliRunner().invoke(main, ["tracking", "--seeds", "1", "--first-seed", "3", "--output", str(path)])
    assert outcome.exit_code == 0, outcome.output
    report = json.loads(path.read_text("utf-8"))
    rows = [row for row in report["rows"] if row["tracker"] == "maskcheck"]
    assert [row["scene"] for row in rows] == list(SCENES)
    assert {row["scene"]: row["switches"] for row in rows}["crossings"] == 0
    assert all(changes["tracked"] < changes["frame_wise"] for changes in report["label_changes_a_minute"].values())
