"""``maskcheck batch`` on Ray: the rows are those of this machine, whatever dies."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from marked_detector import HANGS, KILLS, KILLS_PARENT, MarkedDetector, eventually
from PIL import Image

from maskcheck import MaskCheckError, MaskPipeline
from maskcheck.commands import main

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ.setdefault("RAY_raylet_start_wait_time_s", "300")  # on a busy machine
ray = pytest.importorskip("ray", reason="needs maskcheck[ray]")
pytest.importorskip("ray.data", reason="needs maskcheck[ray]")

from maskcheck.commands.batch.engines import LocalEngine  # noqa: E402
from maskcheck.commands.batch.ray_engine import RayEngine  # noqa: E402
from maskcheck.commands.batch.run import BatchSettings, run_batch  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")  # of Ray's own code


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two nodes with a CPU each, and a connection to them."""
    from ray.cluster_utils import Cluster

    path = os.pathsep.join(filter(None, [str(Path(__file__).parent / "detectors"), os.environ.get("PYTHONPATH")]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", path)  # for the nodes, which import the detector
        yield from _running(Cluster)


def _running(make: Any) -> Iterator[Any]:
    nodes = make(
        initialize_head=True,
        head_node_args={"num_cpus": 1, "object_store_memory": 80_000_000, "include_dashboard": False},
    )
    nodes.add_node(num_cpus=1, object_store_memory=80_000_000)
    ray.init(address=nodes.address, log_to_driver=False)
    yield nodes
    for thread in threading.enumerate():  # of a job that failed: it would connect again after the end
        if thread.name.startswith(("maskcheck batch reports", "StreamingExecutor")):
            thread.join(60)
    ray.shutdown()
    nodes.shutdown()


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Sixty pictures, of which one kills the process that sees it, one hangs, and two are none."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(60):
        image = np.full((24, 24, 3), 4 * number, np.uint8)
        image[0, 0] = {17: KILLS, 40: HANGS}.get(number, 0)
        Image.fromarray(image).save(folder / f"{number:02}.png")
    for number in (5, 33):
        (folder / f"{number:02}.png").write_bytes(b"no picture")
    return folder


def parts(output: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in output.glob("part-*.parquet")}


def test_two_nodes_write_the_files_of_this_machine_though_an_actor_is_killed(
    cluster: Any, pictures: Path, toy_model: Path, tmp_path: Path
) -> None:
    pipeline = MaskPipeline(MarkedDetector(tmp_path), model=toy_model, min_score=0.0, threads=1)

    def settings(output: str) -> BatchSettings:
        return BatchSettings((str(pictures),), str(tmp_path / output), part_size=4, timeout=3)

    killed: list[int] = []

    def kill_an_actor() -> None:
        eventually(lambda: len(parts(tmp_path / "ray")) >= 2, seconds=120)
        killed.append(_actors()[0])
        os.kill(killed[0], signal.SIGKILL)

    killer = threading.Thread(target=kill_an_actor)
    killer.start()
    status = run_batch(settings("ray"), pipeline, RayEngine(workers=2))
    killer.join()

    assert run_batch(settings("local"), pipeline, LocalEngine(2)) == status == 1
    assert len(killed) == 1
    assert len(parts(tmp_path / "ray")) == 15
    assert parts(tmp_path / "ray") == parts(tmp_path / "local")
    report = json.loads((tmp_path / "ray" / "_job" / "report.json").read_text())
    assert report["errors"] == {"ImageError": 2, "PictureTimeout": 1, "WorkerDied": 1}
    assert len(report["this_run"]["workers"]) == 2
    assert report["retries"] >= 4  # two for the killer, two for what hangs; one more if the actor was within a part
    assert cluster is not None


def test_a_picture_that_kills_two_actors_has_a_row_with_the_error(
    cluster: Any, toy_model: Path, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    for number in range(6):
        image = np.full((24, 24, 3), 40 * number, np.uint8)
        image[0, 0] = KILLS_PARENT if number == 2 else 0
        Image.fromarray(image).save(tmp_path / "in" / f"{number}.png")
    pipeline = MaskPipeline(MarkedDetector(tmp_path), model=toy_model, min_score=0.0, threads=1)

    status = run_batch(BatchSettings((str(tmp_path / "in"),), str(tmp_path / "out")), pipeline, RayEngine())

    assert status == 1
    report = json.loads((tmp_path / "out" / "_job" / "report.json").read_text())
    assert (report["pictures"], report["faces"], report["errors"]) == (6, 5, {"WorkerDied": 1})
    assert report["quarantined"] == [str(tmp_path / "in" / "2.png")]
    assert report["retries"] == 3  # begun four times: what kills is known by the second death at it
    assert cluster is not None


def test_a_job_of_this_machine_goes_on_there(cluster: Any, pictures: Path, toy_model: Path, tmp_path: Path) -> None:
    for name in ("17.png", "40.png"):
        (pictures / name).unlink()
    arguments = ["batch", str(pictures), "--detector", "whole-picture", "--model", str(toy_model), "--part-size", "20"]
    output = str(tmp_path / "out")
    assert CliRunner().invoke(main, [*arguments, "--output", output, "--threads", "1"]).exit_code == 1
    before = parts(tmp_path / "out")
    (tmp_path / "out" / "part-00000001.parquet").unlink()

    done = CliRunner().invoke(main, [*arguments, "--output", output, "--engine", "ray", "--resume"])

    assert done.exit_code == 1, done.output
    assert parts(tmp_path / "out") == before
    assert "38 resumed from earlier runs" in done.output
    assert cluster is not None


def test_a_cluster_without_room_is_an_error(cluster: Any, toy_model: Path, pictures: Path, tmp_path: Path) -> None:
    pipeline = MaskPipeline("whole-picture", model=toy_model)

    with pytest.raises(MaskCheckError, match="no node of the cluster has room for a worker with 1 CPUs and 1 GPUs"):
        run_batch(BatchSettings((str(pictures),), str(tmp_path / "out")), pipeline, RayEngine(gpus=1))
    assert cluster is not None


def test_an_output_that_cannot_be_written_ends_the_run(
    cluster: Any, toy_model: Path, pictures: Path, tmp_path: Path
) -> None:
    pipeline = MaskPipeline("whole-picture", model=toy_model)
    output = tmp_path / "out"
    (output / "part-00000002.parquet").mkdir(parents=True)

    with pytest.raises(MaskCheckError, match=r"cannot read or write .*part-00000002"):
        run_batch(BatchSettings((str(pictures),), str(output), part_size=20), pipeline, RayEngine())
    assert cluster is not None


def _actors() -> list[int]:
    """Processes that have an actor of the job."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if b"_PartActor" in file.read_bytes():
                found.append(int(file.parent.name))
        except OSError:
            continue
    return found
