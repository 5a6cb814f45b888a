from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from maskcheck import MaskClassifier, RuntimeUnavailable
from maskcheck.runtime.binding import BoundRunner, padded
from maskcheck.runtime.config import SessionConfig
from maskcheck.runtime.session import OnnxSession
from maskcheck.runtime.time_limits import RunLimit


def mixed(count: int, *, seed: int = 0) -> NDArray[np.uint8]:
    """Crops that differ, around the brightness at which the toy model's label changes."""
    levels = np.random.default_rng(seed).integers(90, 166, (count, 1, 1, 1))
    return np.broadcast_to(levels, (count, 16, 16, 3)).astype(np.uint8)


@pytest.fixture
def session(toy_model: Path) -> OnnxSession:
    return OnnxSession(toy_model, SessionConfig(device="cpu", threads=1))


# --- Few sizes


@pytest.mark.parametrize(
    ("count", "limit", "size"),
    [(1, 32, 1), (2, 32, 2), (3, 32, 4), (9, 32, 16), (17, 32, 32), (32, 32, 32), (17, 24, 24), (5, 5, 5), (1, 1, 1)],
)
def test_a_batch_is_filled_up_to_the_next_power_of_two_within_the_limit(count: int, limit: int, size: int) -> None:
    batch = mixed(count)

    filled = padded(batch, limit)

    assert filled.shape == (size, 16, 16, 3)
    np.testing.assert_array_equal(filled[:count], batch)
    assert not filled[count:].any()


def test_padded_batches_have_few_sizes() -> None:
    assert {len(padded(mixed(count), 100)) for count in range(1, 101)} == {1, 2, 4, 8, 16, 32, 64, 100}


# --- Buffers that stay


def test_bound_buffers_give_the_results_of_a_plain_run(session: OnnxSession) -> None:
    runner = BoundRunner(session)

    for count, seed in [(1, 0), (4, 1), (1, 2), (4, 3), (4, 1)]:
        crops = mixed(count, seed=seed)
        np.testing.assert_array_equal(runner.run(crops)[0], session.run({"faces": crops})[0])


def test_a_result_stays_when_the_buffer_is_used_again(session: OnnxSession) -> None:
    runner = BoundRunner(session)
    (first,) = runner.run(mixed(4, seed=1))
    kept = first.copy()

    runner.run(mixed(4, seed=2))

    np.testing.assert_array_equal(first, kept)


def test_crops_that_are_views_are_bound_like_their_copies(session: OnnxSession) -> None:
    runner = BoundRunner(session)
    crops = mixed(8)

    np.testing.assert_array_equal(runner.run(crops[::2]), runner.run(crops[::2].copy()))


def test_threads_that_share_buffers_get_their_own_results(session: OnnxSession) -> None:
    runner = BoundRunner(session)
    batches = [mixed(4, seed=seed) for seed in range(40)]

    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(runner.run, batches))

    for batch, result in zip(batches, together, strict=True):
        np.testing.assert_array_equal(result, session.run({"faces": batch}))


def test_a_new_session_gets_buffers_of_its_own(session: OnnxSession) -> None:
    runner = BoundRunner(session)
    before = runner.run(mixed(2))

    session.renew()  # what a fork does in the child

    np.testing.assert_array_equal(runner.run(mixed(2)), before)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_child_forked_while_another_thread_runs_has_a_lock_and_buffers_of_its_own(session: OnnxSession) -> None:
    runner = BoundRunner(session)
    runner.run(mixed(1))

    with runner._lock:  # as another thread does that runs a batch meanwhile
        child = os.fork()
        if child == 0:
            free = runner._lock.acquire(blocking=False)
            os._exit(0 if free and not runner._buffers else 1)
    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 0


def test_a_bound_run_has_the_time_limit_of_its_session(toy_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limits: list[float] = []

    class Watched(RunLimit):
        def __init__(self, seconds: float, options: Any) -> None:
            limits.append(seconds)
            super().__init__(seconds, options)

    monkeypatch.setattr("maskcheck.runtime.session.RunLimit", Watched)
    runner = BoundRunner(OnnxSession(toy_model, SessionConfig(device="cpu"), first_timeout=60))

    for _ in range(3):
        runner.run(mixed(4))

    assert limits == [60]


def test_a_bound_run_that_fails_is_an_error_of_the_runtime(session: OnnxSession) -> None:
    with pytest.raises(RuntimeUnavailable, match=r"failed while running toy\.onnx"):
        BoundRunner(session).run(np.zeros((1, 5, 5, 3), np.uint8))


# --- In the classifier, where the CPU stands in for a GPU


@pytest.fixture(params=["bound", "only filled up"])
def as_gpu(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Has the classifier treat its provider as that of a GPU; sizes of the batches that the model gets."""
    sizes: list[int] = []
    monkeypatch.setattr("maskcheck.classifier.mask_classifier.CPU", "another provider")
    if request.param == "bound":
        monkeypatch.setattr("maskcheck.classifier.mask_classifier.BOUND", ("CPUExecutionProvider",))
        kind: Any = BoundRunner
    else:
        kind = OnnxSession
    run = kind.run

    def spy(runner: Any, batch: Any) -> Any:
        sizes.append(len(batch["faces"] if isinstance(batch, dict) else batch))
        return run(runner, batch)

    monkeypatch.setattr(kind, "run", spy)
    return sizes


@pytest.mark.parametrize(
    ("count", "expected"), [(1, [1]), (3, [4]), (8, [8]), (9, [8, 1]), (14, [8, 8]), (0, [])], ids=str
)
def test_a_gpu_gets_batches_of_few_sizes_and_gives_the_results_of_the_cpu(
    toy_model: Path, as_gpu: list[int], count: int, expected: list[int]
) -> None:
    crops = mixed(count)

    probabilities = MaskClassifier(toy_model, batch_size=8)(crops)

    assert as_gpu == expected
    assert probabilities.shape == (count, 2)
    if count:
        (plain,) = OnnxSession(toy_model, SessionConfig(device="cpu")).run({"faces": crops})
        np.testing.assert_allclose(probabilities, plain, rtol=1e-6)


@pytest.mark.usefixtures("as_gpu")
def test_buffers_hold_all_outputs_of_a_second_look(make_toy_model: Callable[..., Path]) -> None:
    model = make_toy_model(second_look={}, place=(0.1, -0.2, 0.3, 0.4))
    crops = np.stack([np.full((16, 16, 3), (level, 127, 127), np.uint8) for level in (127, 255, 140)])

    look = MaskClassifier(model, batch_size=8).look(crops)

    box, face, probabilities = OnnxSession(model, SessionConfig(device="cpu")).run({"faces": crops})
    np.testing.assert_allclose(look.probabilities, probabilities, rtol=1e-6)
    assert look.face is not None
    np.testing.assert_allclose(look.face, face, rtol=1e-6)
    np.testing.assert_array_equal(look.box, box)


@pytest.mark.usefixtures("as_gpu")
def test_a_classifier_with_buffers_can_be_pickled(make_toy_model: Callable[..., Path]) -> None:
    classifier = MaskClassifier(make_toy_model(), batch_size=8)
    before = classifier(mixed(5))

    np.testing.assert_array_equal(pickle.loads(pickle.dumps(classifier))(mixed(5)), before)
