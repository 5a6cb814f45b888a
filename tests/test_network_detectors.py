"""What detectors that run a network share: options, scales, where the session runs, batches, descriptions."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from maskcheck import DetectorOptionError
from maskcheck.hosting.creation import check_options
from maskcheck.plugins import (
    BGRImage,
    Detections,
    ModelError,
    NetworkDetector,
    OnnxSession,
    Scales,
    SessionConfig,
    StageDescription,
    as_planes,
    chosen_session,
    describe_session,
    faster_batch_size,
    network_options,
)
from maskcheck.stages import StageSpec

PIPELINE = SessionConfig(providers=["OpenVINOExecutionProvider"], threads=3)


@pytest.mark.parametrize(
    ("options", "chosen"),
    [
        ({}, PIPELINE),
        ({"threads": 1}, SessionConfig(providers=["OpenVINOExecutionProvider"], threads=1)),
        ({"device": "cpu"}, SessionConfig("cpu", threads=3)),
        ({"device": "cuda:1", "threads": 2}, SessionConfig("cuda:1", threads=2)),
    ],
    ids=["none", "threads", "device", "both"],
)
def test_a_network_runs_where_the_pipeline_does_unless_its_options_say_otherwise(
    options: dict[str, Any], chosen: SessionConfig
) -> None:
    assert chosen_session(PIPELINE, **options) == chosen


def test_the_options_of_a_network_are_checked_and_leave_device_and_threads_to_the_pipeline() -> None:
    spec = StageSpec("mine", "a network", object, network_options(("fast", "slow"), "fast"), api_version=2)

    assert check_options(spec) == {"preset": "fast", "scale": None, "device": None, "threads": None}
    for bad in ({"preset": "best"}, {"device": "tpu"}, {"threads": 0}, {"threads": 513}, {"scale": 9}):
        with pytest.raises(DetectorOptionError, match=f"option {next(iter(bad))} of detector mine: "):
            check_options(spec, bad)


def test_a_session_is_described_by_its_model_and_what_it_runs_on(toy_model: Path) -> None:
    session = OnnxSession(toy_model, SessionConfig("cpu", threads=2))

    assert describe_session(session, precision="float32") == StageDescription(
        model="toy.onnx",
        model_sha256=hashlib.sha256(toy_model.read_bytes()).hexdigest(),
        providers=("CPUExecutionProvider",),
        threads=2,
        precision="float32",
    )


@pytest.mark.parametrize(
    ("providers", "size"),
    [
        (("CPUExecutionProvider",), 1),
        (("CUDAExecutionProvider", "CPUExecutionProvider"), 8),
        (("OpenVINOExecutionProvider", "CPUExecutionProvider"), 8),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_a_network_gets_pictures_one_by_one_on_the_cpu_and_in_batches_elsewhere(
    toy_model: Path, providers: tuple[str, ...], size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(OnnxSession, "active_providers", providers)

    assert faster_batch_size(OnnxSession(toy_model)) == size


def test_a_model_that_cannot_be_loaded_says_so_when_it_is_asked(tmp_path: Path) -> None:
    session = OnnxSession(tmp_path / "none.onnx", SessionConfig("cpu"))

    for ask in (describe_session, faster_batch_size):
        with pytest.raises(ModelError, match=r"none\.onnx"):
            ask(session)


# --- A detector but for the network


@dataclass(frozen=True)
class Corners(NetworkDetector):
    """Takes a box of 10 pixels in the corner of what the network sees for a face, and one beyond its edge."""

    default_min_score: ClassVar[float] = 0.5
    presets: ClassVar = {
        "fast": Scales((1,), enlarged=10**6, largest=10**6),
        "balanced": Scales((2,), enlarged=10**6, largest=10**6),
        "thorough": Scales((1, 2), enlarged=10**6, largest=10**6),
    }
    largest: ClassVar = 10**6

    model: str = ""

    def make_session(self) -> OnnxSession:
        return OnnxSession(Path(self.model), self.session)

    def find_candidates(self, pictures: Sequence[BGRImage]) -> list[Detections]:
        SEEN.append([picture.shape for picture in pictures])
        boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 10], [-40, 0, -20, 10]], np.float32)
        return [Detections(boxes, np.array([0.9, 0.8, 0.7], np.float32)) for _ in pictures]


SEEN: list[list[tuple[int, ...]]] = []


@pytest.mark.parametrize(
    ("preset", "scale", "sides", "seen"),
    [
        ("fast", None, [10], [(64, 96, 3)]),
        ("balanced", None, [5], [(128, 192, 3)]),
        ("thorough", None, [5, 10], [(64, 96, 3), (128, 192, 3)]),
        ("thorough", 0.5, [20], [(32, 64, 3)]),
    ],
)
def test_a_preset_says_at_which_scales_a_network_looks_and_boxes_are_in_pixels_of_the_picture(
    preset: str, scale: float | None, sides: list[int], seen: list[tuple[int, ...]]
) -> None:
    SEEN.clear()

    detections = Corners(preset, scale).detect(np.zeros((64, 96, 3), np.uint8))

    assert [[shape] for shape in seen] == SEEN
    assert sorted(detections.boxes[:, 3].tolist()) == sides  # one box each, none outside the picture
    assert detections.scores.tolist() == pytest.approx([0.9] * len(sides))


def test_pictures_of_one_size_share_a_run_and_others_are_refused() -> None:
    SEEN.clear()
    picture = np.zeros((64, 96, 3), np.uint8)

    assert len(Corners("fast").detect_batch([picture] * 3)) == 3
    assert SEEN == [[(64, 96, 3)] * 3]
    assert Corners("fast").detect_batch([]) == []
    with pytest.raises(ValueError, match="expected pictures of one size"):
        Corners("fast").detect_batch([picture, picture[:10]])


def test_a_preset_that_a_network_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match="preset: expected one of fast, balanced, thorough, got 'best'"):
        Corners("best")


def test_a_network_detector_is_pickled_as_its_configuration(toy_model: Path) -> None:
    detector = Corners("fast", session=SessionConfig("cpu", threads=1), model=str(toy_model))
    detector.warm_up()

    copied = pickle.loads(pickle.dumps(detector))

    assert copied == detector
    assert "made_session" not in vars(copied)
    assert copied.describe() == describe_session(detector.network, precision="float32")
    assert copied.batch_size == 1


@pytest.mark.parametrize("rgb", [False, True])
def test_the_input_of_a_network_has_a_plane_for_each_colour(rgb: bool) -> None:
    picture = np.zeros((2, 3, 3), np.uint8)
    picture[:, :] = (10, 20, 30)

    planes = as_planes([picture, picture], rgb=rgb)

    assert planes.shape == (2, 3, 2, 3)
    assert planes.dtype == np.float32
    assert planes[0, :, 0, 0].tolist() == ([30, 20, 10] if rgb else [10, 20, 30])
