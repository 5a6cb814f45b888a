"""How the classifier runs: what the caller asks for, the tuned choice, and the default."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from maskcheck import MaskClassifier, MaskPipeline, ModelError, ModelNotFound
from maskcheck.classifier.tuned_choices import TunedChoice, choices_file, save_choice
from maskcheck.runtime.precision import Precision
from maskcheck.runtime.providers import CPU

Tune = Callable[..., TunedChoice]


# --- What decides the precision


@pytest.mark.parametrize(
    ("precision", "expected", "chosen_by"),
    [("stored", "int8", "asked"), ("int8", "int8", "asked"), ("float32", "float32", "asked")],
)
def test_a_requested_precision_runs(quantized: Path, precision: Precision, expected: str, chosen_by: str) -> None:
    classifier = MaskClassifier(quantized, device="cpu", precision=precision)

    assert (classifier.precision, classifier.chosen_by) == (expected, chosen_by)


@pytest.mark.parametrize(("features", "expected"), [(("avx_vnni",), "int8"), ((), "float32")])
def test_without_a_tuned_choice_the_cpu_decides(
    quantized: Path, cpu_has: Callable[..., None], features: tuple[str, ...], expected: str
) -> None:
    cpu_has(*features)

    classifier = MaskClassifier(quantized, device="cpu")

    assert (classifier.precision, classifier.chosen_by) == (expected, "cpu")


@pytest.mark.parametrize("stored", ["float32", "float16"])
@pytest.mark.parametrize("features", [("avx_vnni",), ()])
def test_a_file_that_is_not_int8_runs_as_it_is(
    make_toy_model: Callable[..., Path], cpu_has: Callable[..., None], stored: str, features: tuple[str, ...]
) -> None:
    cpu_has(*features)

    classifier = MaskClassifier(make_toy_model(precision=stored), device="cpu")

    assert (classifier.precision, classifier.chosen_by) == (stored, "file")


@pytest.mark.parametrize(
    ("argument", "most"), [({"threads": 513}, 512), ({"threads": 10**30}, 512), ({"batch_size": 1025}, 1024)], ids=str
)
def test_threads_and_batches_have_a_limit_that_says_why(toy_model: Path, argument: dict[str, int], most: int) -> None:
    ((name, value),) = argument.items()

    with pytest.raises(ValueError, match=f"{name}: expected at most {most}, got {value}; "):
        MaskClassifier(toy_model, **argument)  # type: ignore[arg-type]


@pytest.mark.parametrize(("stored", "asked"), [("float32", "int8"), ("float16", "int8"), ("float16", "float32")])
def test_a_precision_that_the_file_does_not_have_is_refused(
    make_toy_model: Callable[..., Path], stored: str, asked: Precision
) -> None:
    model = make_toy_model(precision=stored)

    with pytest.raises(ModelError, match=f"precision {asked} was requested, but .* is stored in {stored}") as refused:
        _ = MaskClassifier(model, device="cpu", precision=asked).info

    assert refused.value.path == str(model)


def test_float_and_int8_of_the_embedded_model_agree() -> None:
    crops = np.random.default_rng(0).integers(0, 256, (8, 128, 128, 3), np.uint8)
    as_stored, in_float = (
        MaskClassifier(device="cpu", precision=precision)(crops) for precision in ("int8", "float32")
    )

    assert (as_stored.argmax(axis=1) == in_float.argmax(axis=1)).all()
    np.testing.assert_allclose(as_stored, in_float, atol=0.05)


# --- The tuned choice


def test_the_tuned_choice_is_used(quantized: Path, tune: Tune) -> None:
    tune()

    receipt = MaskPipeline(model=quantized).receipt

    assert (receipt.precision, receipt.chosen_by, receipt.threads) == ("float32", "tuned", 3)
    assert receipt.to_dict()["chosen_by"] == "tuned"
    assert MaskClassifier(quantized).batch_size == 7


@pytest.mark.parametrize(
    "arguments",
    [{"precision": "stored"}, {"providers": [CPU]}, {"device": "cpu"}, {"precision": "stored", "threads": 1}],
    ids=str,
)
def test_with_a_device_providers_or_a_precision_the_tuned_choice_is_not_used(
    quantized: Path, tune: Tune, arguments: dict[str, Any]
) -> None:
    tune()

    classifier = MaskClassifier(quantized, **arguments)

    assert classifier.chosen_by != "tuned"
    assert classifier.batch_size == 32


def test_threads_and_batch_size_replace_the_tuned_ones(quantized: Path, tune: Tune) -> None:
    tune()

    classifier = MaskClassifier(quantized, threads=1, batch_size=2)

    assert (classifier.threads, classifier.batch_size, classifier.chosen_by) == (1, 2, "tuned")


def test_a_tuned_provider_that_is_gone_is_replaced_with_one_warning(quantized: Path, tune: Tune) -> None:
    tune(provider="NoSuchExecutionProvider")
    classifier = MaskClassifier(quantized)

    with pytest.warns(RuntimeWarning, match="NoSuchExecutionProvider was requested") as caught:
        assert classifier.providers == (CPU,)

    assert len(caught) == 1


def test_a_choice_is_for_one_model_only(toy_model: Path, quantized: Path, tune: Tune) -> None:
    tune()

    assert MaskClassifier(toy_model).chosen_by == "file"
    assert MaskClassifier(quantized).chosen_by == "tuned"


def test_several_models_can_have_a_choice_each(toy_model: Path, quantized: Path, tune: Tune) -> None:
    tune()
    save_choice(toy_model, TunedChoice(CPU, "stored", threads=1, batch_size=5))

    assert [MaskClassifier(model).batch_size for model in (quantized, toy_model)] == [7, 5]


def test_a_copy_in_another_process_looks_for_its_own_choice(quantized: Path, tune: Tune) -> None:
    pickled = pickle.dumps(MaskClassifier(quantized))
    tune()

    assert pickle.loads(pickled).chosen_by == "tuned"


def test_a_missing_model_is_refused_at_once(tune: Tune) -> None:
    tune()

    with pytest.raises(ModelNotFound):
        MaskClassifier("absent.onnx")


# --- The log


def test_the_log_says_which_tuned_choice_is_used(quantized: Path, tune: Tune, caplog: pytest.LogCaptureFixture) -> None:
    tune()

    with caplog.at_level(logging.INFO, "maskcheck"):
        MaskClassifier(quantized).warm_up()

    choice, loaded = caplog.messages
    assert choice == f"tuned choice for int8.onnx: float32, on {CPU}, 3 threads, batches of 7"
    assert loaded.startswith("loaded int8.onnx in ")
    assert loaded.endswith(f": {CPU}, threads: 3, precision: int8 computed in float32")


def test_the_log_says_why_a_tuned_choice_is_ignored_and_a_provider_replaced(
    quantized: Path, toy_model: Path, tune: Tune, caplog: pytest.LogCaptureFixture
) -> None:
    tune(provider="NoSuchExecutionProvider")
    tuned = MaskClassifier(quantized)

    with caplog.at_level(logging.INFO, "maskcheck"), pytest.warns(RuntimeWarning):
        tuned.warm_up()

    assert "NoSuchExecutionProvider was requested, but only CPUExecutionProvider can be used" in caplog.messages[0]

    caplog.clear()
    file = choices_file()
    assert file is not None
    file.write_text("{")
    with caplog.at_level(logging.INFO, "maskcheck"), pytest.warns(RuntimeWarning):
        MaskClassifier(toy_model)

    assert "cannot be read, and are ignored" in caplog.messages[0]
