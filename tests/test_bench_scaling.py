"""How time and memory grow, and the figures that follow."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from maskcheck import Detections, ImageError, MaskPipeline
from maskcheck_bench.measuring.child_process import ProcessFailed
from maskcheck_bench.measuring.effort import Effort, rounds_within
from maskcheck_bench.measuring.timing import Timing
from maskcheck_bench.measuring.turns import Work, counts_up_to, measure_in_turns, ratio_in_turns
from maskcheck_bench.scenarios.catalogue import SCENARIOS
from maskcheck_bench.scenarios.scaling import pictures as scaling_pictures
from maskcheck_bench.scenarios.scaling import sizes
from maskcheck_bench.scenarios.scaling.memory import VARIABLE, sample_memory, second_and_last_quarter
from maskcheck_bench.scenarios.scaling.pictures import draw_boxes, mosaic, read_for_stream, read_pictures, resize_to
from maskcheck_bench.scenarios.scaling.workers import WorkerFailed, start_workers

CAN_PIN = sys.platform == "linux"
ONCE = Effort(rounds=1, warmup=0, seconds=0.1)


class Fatal:
    """A detector that ends the process."""

    def detect(self, _image: NDArray[np.uint8], /) -> Detections:
        os._exit(3)


class NoFaces:
    """A detector without detections."""

    def detect(self, _image: NDArray[np.uint8], /) -> Detections:
        return Detections(np.empty((0, 4), np.float32), np.empty(0, np.float32))


def timing(*milliseconds: float, items: int = 1) -> Timing:
    return Timing("x", items, 0, (milliseconds,))


@pytest.fixture
def pipeline(toy_model: Path) -> MaskPipeline:
    return MaskPipeline(model=toy_model)


@pytest.fixture
def pictures(portrait: Path, masked_portrait: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(scaling_pictures, "STREAMED", 3)
    return [str(portrait), str(masked_portrait)]


def test_a_ratio_is_of_times_an_item_round_by_round() -> None:
    quiet, noisy = timing(2.0, 20.0, 2.0), timing(1.0, 10.0, 1.0)  # the noise of the second round meets both

    assert ratio_in_turns(quiet, noisy) == 2
    assert ratio_in_turns(timing(2.0, items=4), timing(2.0, items=2)) == 0.5


def test_a_ratio_of_different_rounds_is_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        ratio_in_turns(timing(1.0, 2.0), timing(1.0))


def test_growth_compares_the_last_quarter_with_the_second() -> None:
    samples = [0.0, 50.0, 100.0, 100.0, 200.0, 300.0, 101.0, 103.0]

    assert second_and_last_quarter(samples) == (100, 102)


@pytest.mark.parametrize(("most", "counts"), [(1, [1]), (2, [1, 2]), (6, [1, 2, 4, 6]), (8, [1, 2, 4, 8])])
def test_counts_double_up_to_the_most(most: int, counts: list[int]) -> None:
    assert counts_up_to(most) == counts


def test_works_take_turns_and_have_equal_rounds() -> None:
    done: list[str] = []
    works = [Work("a", lambda: done.append("a"), 1, 1), Work("b", lambda: done.append("b"), 5, 2)]

    timings = measure_in_turns(works, Effort(rounds=2, warmup=1, seconds=60), group="letters")

    assert "".join(done) == "ababab"
    assert [(measured.name, measured.items, measured.warmup, measured.group, measured.x) for measured in timings] == [
        ("a", 1, 1, "letters", 1),
        ("b", 5, 1, "letters", 2),
    ]
    assert [len(measured.processes[0]) for measured in timings] == [2, 2]


def test_settling_works_are_done_once_before_the_clock_starts() -> None:
    done: list[str] = []
    works = [Work("a", lambda: done.append("a"), 1), Work("b", lambda: done.append("b"), 1)]

    timings = measure_in_turns(works, Effort(rounds=1, warmup=0, seconds=60), group="letters", settle=True)

    assert "".join(done) == "aabb"
    assert [len(measured.processes[0]) for measured in timings] == [1, 1]


def test_only_the_first_round_starts_after_the_time_is_over() -> None:
    assert list(rounds_within(3, 60)) == [1, 2, 3]
    assert list(rounds_within(3, 0)) == [1]
    assert list(rounds_within(0, 60)) == []


def test_pictures_that_cannot_be_read_are_left_out(pipeline: MaskPipeline, pictures: list[str], tmp_path: Path) -> None:
    absent = str(tmp_path / "absent.jpg")

    read = read_pictures(pipeline, [absent, *pictures])

    assert list(read.files) == pictures
    assert len(read.images) == 2
    assert list(read_pictures(pipeline, pictures, most=1).files) == pictures[:1]
    with pytest.raises(ImageError, match=r"absent\.jpg"):
        read_pictures(pipeline, [absent])


def test_pictures_of_a_stream_are_repeated_until_they_are_enough(pipeline: MaskPipeline, pictures: list[str]) -> None:
    read = read_for_stream(pipeline, pictures)

    assert list(read.files) == pictures * 2
    assert len(read.images) == 4


def test_a_mosaic_shows_every_picture_whole() -> None:
    wide, tall, other = (
        np.full((*size, 3), value, np.uint8) for size, value in (((10, 40), 80), ((40, 10), 160), ((8, 8), 240))
    )

    shown = mosaic([wide, tall, other])

    assert shown.shape == (1024, 1024, 3)
    areas = {value: int((shown[..., 0] == value).sum()) for value in (80, 160, 240)}
    assert areas == {80: 512 * 128, 160: 512 * 128, 240: 512 * 512}


@pytest.mark.parametrize("pixels", [3_000, 600_000])
def test_a_picture_is_resized_to_a_number_of_pixels(halves: NDArray[np.uint8], pixels: int) -> None:
    height, width = resize_to(halves, pixels).shape[:2]

    assert height * width == pytest.approx(pixels, rel=0.02)
    assert width / height == pytest.approx(100 / 60, rel=0.02)


@pytest.mark.parametrize("shape", [(600, 400), (20, 30), (1, 1)])
def test_boxes_are_inside_the_picture(pipeline: MaskPipeline, shape: tuple[int, int]) -> None:
    image = np.zeros((*shape, 3), np.uint8)

    boxes = draw_boxes(image, 100)

    assert (boxes >= 0).all()
    assert (boxes[:, 2:] <= (shape[1], shape[0])).all()
    assert len(pipeline.classify(image, boxes)) == 100


@pytest.mark.parametrize(
    ("scenario", "xs"),
    [
        ("faces in a picture", {1, 2, 5, 10, 20, 50, 100}),
        ("picture size", {0.1, 0.2}),
        ("batch", {1, 2, 4, 8, 16, 32, 64}),
        ("streams", {1, 2, 4}),
    ],
)
def test_a_curve_has_a_time_at_every_place(
    scenario: str, xs: set[float], pipeline: MaskPipeline, pictures: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sizes, "MEGAPIXELS", (0.1, 0.2))

    outcome = SCENARIOS[scenario](pipeline, pictures, ONCE)

    assert {measured.x for measured in outcome.timings} == xs
    (curve,) = {(measured.group, measured.name) for measured in outcome.timings}
    assert all(curve)


def test_threads_and_processes_go_from_one_to_all_that_may_be_used(pipeline: MaskPipeline, pictures: list[str]) -> None:
    threads = SCENARIOS["threads"](pipeline, pictures, ONCE)
    assert [measured.x for measured in threads.timings] == counts_up_to(int(threads.timings[-1].x or 0))

    processes = SCENARIOS["processes"](pipeline, pictures, ONCE)
    if CAN_PIN:
        most = len(os.sched_getaffinity(0))
        assert [(measured.x, measured.items) for measured in processes.timings] == [
            (n, 2 * n) for n in counts_up_to(most)
        ]
    else:
        assert "Linux" in processes.skipped


def test_classify_is_compared_with_the_same_faces_in_a_session(pipeline: MaskPipeline, pictures: list[str]) -> None:
    outcome = SCENARIOS["classify against the session"](pipeline, pictures, ONCE)

    assert [(measured.name, measured.items) for measured in outcome.timings] == [
        ("classify", 64),
        ("session alone", 64),
    ]
    classified, alone = (measured.processes[0][0] for measured in outcome.timings)
    assert outcome.facts["share_of_throughput"] == pytest.approx(alone / classified, abs=1e-3)


def test_a_stream_is_compared_with_its_detector(pipeline: MaskPipeline, pictures: list[str]) -> None:
    outcome = SCENARIOS["stream against its detector"](pipeline, pictures, ONCE)

    streamed, detected = (measured.processes[0][0] for measured in outcome.timings)
    assert outcome.facts["time_by_that_of_the_detector"] == pytest.approx(streamed / detected, abs=1e-3)


def test_a_stream_on_one_cpu_is_compared_with_one_on_all(pipeline: MaskPipeline, pictures: list[str]) -> None:
    outcome = SCENARIOS["stream on one CPU and on all"](pipeline, pictures, ONCE)

    if outcome.skipped:
        assert not CAN_PIN or len(os.sched_getaffinity(0)) == 1
    else:
        alone, every = (measured.processes[0][0] for measured in outcome.timings)
        assert outcome.facts["speedup"] == pytest.approx(alone / every, abs=1e-3)


def test_memory_is_sampled_over_the_given_number_of_pictures(
    toy_model: Path, pictures: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = MaskPipeline(NoFaces(), model=toy_model)
    monkeypatch.setenv(VARIABLE, "80")

    facts = SCENARIOS["memory"](pipeline, pictures, ONCE).facts

    assert facts["pictures"] == 80
    assert len(facts["samples_mib"]) == 40
    assert facts["growth"] == pytest.approx(facts["last_quarter_mib"] / facts["second_quarter_mib"], abs=1e-3)
    assert facts["high_water_mib"] >= max(facts["samples_mib"])


def test_a_long_run_of_a_few_pictures_is_refused(pipeline: MaskPipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "3")

    with pytest.raises(ValueError, match="LONG_RUN: expected 4 pictures or more, got 3"):
        SCENARIOS["memory"](pipeline, [], ONCE)


def test_memory_that_is_kept_shows(toy_model: Path, halves: NDArray[np.uint8]) -> None:
    kept: list[NDArray[np.uint8]] = []

    class Leak(NoFaces):
        def detect(self, image: NDArray[np.uint8], /) -> Detections:
            kept.append(np.ones(2**20, np.uint8))
            return super().detect(image)

    pipeline = MaskPipeline(Leak(), model=toy_model)

    samples = sample_memory(pipeline, [halves] * 200, 200, 20)

    assert samples[-1] - samples[4] > 100 * 2**20


def test_a_cold_start_is_timed_whole_and_step_by_step(pipeline: MaskPipeline, pictures: list[str]) -> None:
    outcome = SCENARIOS["cold start"](pipeline, pictures, ONCE)

    assert [(measured.group, measured.name) for measured in outcome.timings] == [
        ("cold start", "python"),
        ("cold start", "import maskcheck"),
        ("cold start", "import MaskPipeline"),
        ("cold start", "maskcheck detect"),
        ("first steps of a process", "import"),
        ("first steps of a process", "make the pipeline"),
        ("first steps of a process", "load the model"),
        ("first steps of a process", "first picture"),
        ("first steps of a process", "second picture"),
    ]
    whole = {measured.name: measured.processes[0][0] for measured in outcome.timings}
    assert whole["python"] < whole["maskcheck detect"]


def test_a_cold_start_that_fails_says_why(toy_model: Path, pictures: list[str]) -> None:
    with pytest.raises(ProcessFailed, match="no detector 'NoFaces'"):
        SCENARIOS["cold start"](MaskPipeline(NoFaces(), model=toy_model), pictures, ONCE)


@pytest.mark.skipif(not CAN_PIN, reason="keeps processes to some CPUs")
def test_a_worker_that_ends_early_is_an_error(toy_model: Path, pictures: list[str]) -> None:
    workers = start_workers(MaskPipeline(Fatal(), model=toy_model), pictures, [os.sched_getaffinity(0)])

    with pytest.raises(WorkerFailed, match="status 3"), workers:
        pass
