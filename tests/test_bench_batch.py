"""``maskcheck-bench batch``: the pictures that it makes, and the detector that dies of one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from maskcheck import ImageError
from maskcheck.pictures.decoding import load_image
from maskcheck_bench.batch.killing_detector import KILLING_SIZE, install
from maskcheck_bench.batch.made_pictures import make_pictures
from maskcheck_bench.commands import main


def test_made_pictures_are_the_same_for_a_seed_with_bad_ones_and_one_that_kills(examples: Path, tmp_path: Path) -> None:
    samples = [examples / "astronaut.jpg", examples / "group.jpg"]
    for name in "ab":
        make_pictures(tmp_path / name, samples, 60, seed=3, bad=0.1)

    first, second = (sorted((tmp_path / name).rglob("*.jpg")) for name in "ab")
    assert len(first) == 60
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    sizes: list[tuple[int, int]] = []
    bad = 0
    for path in first:
        try:
            height, width = load_image(path).pixels.shape[:2]
            sizes.append((width, height))
        except ImageError:
            bad += 1
    assert bad == 6
    assert sizes.count(KILLING_SIZE) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="a process that ends by a signal")
def test_the_detector_is_a_plugin_that_dies_of_one_size(tmp_path: Path) -> None:
    name = install(tmp_path)
    code = f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
import numpy as np
from maskcheck import MaskPipeline
detector = MaskPipeline({name!r}).detector
print(len(detector.detect(np.zeros((60, 60, 3), np.uint8)).boxes), flush=True)
detector.detect(np.zeros(({KILLING_SIZE[1]}, {KILLING_SIZE[0]}, 3), np.uint8))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.stdout == "0\n"
    assert done.returncode < 0


def test_a_cluster_that_is_killed_bit_by_bit_writes_the_same_files(examples: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="needs maskcheck[ray]")
    report_file = tmp_path / "report.json"

    done = CliRunner().invoke(main, ["batch", str(examples), "--count", "200", "--output", str(report_file)])

    assert done.exit_code == 0, done.output
    report = json.loads(report_file.read_text())
    assert [kill["what"] for kill in report["killed"]] == ["actor", "driver", "actor"]
    assert (report["missing"], report["too_many"], report["sources"]) == (0, 0, 200)
    assert report["equal_files"] == report["files"]["local"] == report["files"]["ray"]
    assert report["exit_status"] == {"local": 1, "ray": 1}
