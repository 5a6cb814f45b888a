"""What detectors that run a network share: options, where the session runs, how many pictures at once, descriptions."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from maskcheck import DetectorOptionError
from maskcheck.hosting.creation import check_options
from maskcheck.plugins import (
    ModelError,
    OnnxSession,
    SessionConfig,
    StageDescription,
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
