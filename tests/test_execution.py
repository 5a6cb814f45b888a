from __future__ import annotations

import json
import pickle
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from maskcheck import MaskClassifier, MaskPipeline, ModelError, ModelNotFound
from maskcheck.execution import Choice, config_file, find_choice, save_choice
from maskcheck.model import hash_model
from maskcheck.runtime import CPU, CUDA, Precision

Tune = Callable[..., Choice]


@pytest.fixture
def quantized(make_toy_model: Callable[..., Path]) -> Path:
    """A model that says of itself that it is an int8 file."""
    return make_toy_model("int8.onnx", precision="int8")


@pytest.fixture
def tune(quantized: Path) -> Tune:
    """Keeps a choice for the int8 model, in which everything differs from the defaults."""

    def keep(**others: Any) -> Choice:
        choice = Choice(None, hash_model(quantized), CPU, "float32", threads=3, batch_size=7)
        choice = replace(choice, **others)
        save_choice(quantized, choice)
        return choice

    return keep


def change_file(change: Callable[[Any], None]) -> None:
    content = json.loads(config_file().read_text())
    change(content)
    config_file().write_text(json.dumps(content))


def entry(content: Any) -> Any:
    (only,) = content["choices"].values()
    return only


# --- What decides


@pytest.mark.parametrize(
    ("precision", "expected", "chosen_by"),
    [("stored", "int8", "asked"), ("int8", "int8", "asked"), ("float32", "float32", "asked")],
)
def test_a_precision_that_is_asked_for_runs(
    quantized: Path, precision: Precision, expected: str, chosen_by: str
) -> None:
    classifier = MaskClassifier(quantized, device="cpu", precision=precision)

    assert (classifier.precision, classifier.chosen_by) == (expected, chosen_by)


@pytest.mark.parametrize(("features", "expected"), [(("AVX-VNNI",), "int8"), ((), "float32")])
def test_without_a_tuned_choice_the_cpu_decides(
    quantized: Path, monkeypatch: pytest.MonkeyPatch, features: tuple[str, ...], expected: str
) -> None:
    monkeypatch.setattr("maskcheck.runtime.int8_features", lambda: features)

    classifier = MaskClassifier(quantized, device="cpu")

    assert (classifier.precision, classifier.chosen_by) == (expected, "cpu")


@pytest.mark.parametrize("stored", ["float32", "float16"])
@pytest.mark.parametrize("features", [("AVX-VNNI",), ()])
def test_a_file_that_is_not_int8_runs_as_it_is(
    make_toy_model: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, stored: str, features: tuple[str, ...]
) -> None:
    monkeypatch.setattr("maskcheck.runtime.int8_features", lambda: features)

    classifier = MaskClassifier(make_toy_model(precision=stored), device="cpu")

    assert (classifier.precision, classifier.chosen_by) == (stored, "file")


@pytest.mark.parametrize(("stored", "asked"), [("float32", "int8"), ("float16", "int8"), ("float16", "float32")])
def test_a_precision_that_the_file_does_not_have_is_refused(
    make_toy_model: Callable[..., Path], stored: str, asked: Precision
) -> None:
    model = make_toy_model(precision=stored)

    with pytest.raises(ModelError, match=f"precision {asked} was asked for, but .* is stored in {stored}") as refused:
        _ = MaskClassifier(model, device="cpu", precision=asked).info

    assert refused.value.path == str(model)


def test_float_and_int8_of_the_embedded_model_agree() -> None:
    crops = np.random.default_rng(0).integers(0, 256, (8, 128, 128, 3), np.uint8)
    as_stored, in_float = (MaskClassifier(device="cpu", precision=one)(crops) for one in ("int8", "float32"))

    assert (as_stored.argmax(axis=1) == in_float.argmax(axis=1)).all()
    np.testing.assert_allclose(as_stored, in_float, atol=0.05)


# --- The tuned choice


def test_the_tuned_choice_is_in_force(quantized: Path, tune: Tune) -> None:
    tune()

    receipt = MaskPipeline(model=quantized).receipt

    assert (receipt.precision, receipt.chosen_by, receipt.threads) == ("float32", "tuned", 3)
    assert receipt.to_dict()["chosen_by"] == "tuned"
    assert MaskClassifier(quantized).batch_size == 7


@pytest.mark.parametrize(
    "arguments", [{"precision": "stored"}, {"providers": [CPU]}, {"precision": "stored", "threads": 1}], ids=str
)
def test_what_is_asked_for_puts_the_tuned_choice_aside(quantized: Path, tune: Tune, arguments: dict[str, Any]) -> None:
    tune()

    classifier = MaskClassifier(quantized, **arguments)

    assert classifier.chosen_by != "tuned"
    assert classifier.batch_size == 32


def test_another_device_puts_the_tuned_choice_aside(quantized: Path, tune: Tune) -> None:
    tune(provider=CUDA)

    assert MaskClassifier(quantized, device="cpu").chosen_by == "cpu"


def test_threads_and_batch_size_take_the_place_of_the_tuned_ones(quantized: Path, tune: Tune) -> None:
    tune()

    classifier = MaskClassifier(quantized, threads=1, batch_size=2, device="cpu")

    assert (classifier.threads, classifier.batch_size, classifier.chosen_by) == (1, 2, "tuned")


def test_a_tuned_provider_that_is_gone_is_passed_over_with_one_warning(quantized: Path, tune: Tune) -> None:
    tune(provider="NoSuchExecutionProvider")
    classifier = MaskClassifier(quantized)

    with pytest.warns(RuntimeWarning, match="NoSuchExecutionProvider was asked for") as said:
        assert classifier.providers == (CPU,)

    assert len(said) == 1


def test_a_choice_for_another_model_says_nothing_of_this_one(toy_model: Path, quantized: Path, tune: Tune) -> None:
    tune()

    assert MaskClassifier(toy_model).chosen_by == "file"
    assert MaskClassifier(quantized).chosen_by == "tuned"


def test_choices_for_several_models_stand_side_by_side(toy_model: Path, quantized: Path, tune: Tune) -> None:
    tune()
    save_choice(toy_model, Choice(None, hash_model(toy_model), CPU, "stored", threads=1, batch_size=5))

    assert [MaskClassifier(model).batch_size for model in (quantized, toy_model)] == [7, 5]


def test_a_copy_in_another_process_looks_for_its_own_choice(quantized: Path, tune: Tune) -> None:
    travelling = pickle.dumps(MaskClassifier(quantized))
    tune()

    assert pickle.loads(travelling).chosen_by == "tuned"


@pytest.fixture
def embedded(quantized: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The int8 model in the place of the embedded one."""
    monkeypatch.setattr("maskcheck.model.EMBEDDED_SHA256", hash_model(quantized))
    monkeypatch.setattr("maskcheck.model.EMBEDDED_MODEL", quantized)
    return quantized


def test_another_file_can_be_tuned_to_run_for_the_embedded_model(
    embedded: Path, make_toy_model: Callable[..., Path], tune: Tune
) -> None:
    half = make_toy_model("half.onnx", precision="float16")
    tune(model=str(half), model_sha256=hash_model(half), precision="stored")

    receipt = MaskPipeline().receipt

    assert (receipt.model, receipt.model_sha256) == ("half.onnx", hash_model(half))
    assert (receipt.precision, receipt.chosen_by) == ("float16", "tuned")
    assert MaskClassifier(embedded).path == str(embedded), "a model that is asked for by name is never replaced"


@pytest.mark.parametrize("what", ["gone", "changed"])
def test_a_tuned_file_that_is_not_the_same_is_passed_over(
    embedded: Path, make_toy_model: Callable[..., Path], tune: Tune, what: str
) -> None:
    half = make_toy_model("half.onnx", precision="float16")
    tune(model=str(half), model_sha256=hash_model(half), precision="stored")
    half.unlink() if what == "gone" else make_toy_model("half.onnx", labels=("other",))

    with pytest.warns(RuntimeWarning, match=r"half\.onnx is gone or has changed; `maskcheck doctor --tune`"):
        assert MaskClassifier().path == str(embedded)


# --- A configuration that does not fit


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        pytest.param(lambda c: entry(c)["machine"].update(CPU="another"), "made with another CPU", id="another CPU"),
        pytest.param(
            lambda c: entry(c)["machine"].update({"CPU features": []}), "another CPU features", id="other features"
        ),
        pytest.param(
            lambda c: entry(c)["machine"].update(runtime={"onnxruntime": "1.0"}),
            "another runtime",
            id="another runtime",
        ),
        pytest.param(lambda c: entry(c)["machine"].clear(), "made with another", id="no machine"),
        pytest.param(lambda c: entry(c).pop("machine"), "damaged", id="half an entry"),
        pytest.param(lambda c: entry(c).update(choice=[]), "damaged", id="a list for a choice"),
        pytest.param(lambda c: entry(c)["choice"].update(threads=0), "damaged", id="no threads"),
        pytest.param(lambda c: entry(c)["choice"].update(threads="2"), "damaged", id="threads in words"),
        pytest.param(lambda c: entry(c)["choice"].update(precision="half"), "damaged", id="unknown precision"),
        pytest.param(lambda c: entry(c)["choice"].update(colour="red"), "damaged", id="an unknown key"),
        pytest.param(lambda c: entry(c)["choice"].update(model=5), "damaged", id="a number for a model"),
        pytest.param(lambda c: c.update(schema="other/1"), "cannot be read", id="another schema"),
        pytest.param(lambda c: c.update(choices=[]), "cannot be read", id="a list of choices"),
    ],
)
def test_a_choice_that_does_not_fit_is_ignored_with_one_warning(
    quantized: Path, tune: Tune, change: Callable[[Any], None], problem: str
) -> None:
    tune()
    change_file(change)

    with pytest.warns(RuntimeWarning, match=f"{problem}.*`maskcheck doctor --tune` makes a new one") as said:
        classifier = MaskClassifier(quantized)

    assert len(said) == 1
    assert said[0].filename == __file__
    assert classifier.chosen_by == "cpu"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe"], ids=repr)
def test_a_damaged_configuration_is_ignored_and_replaced(quantized: Path, tune: Tune, content: bytes) -> None:
    config_file().write_bytes(content)

    with pytest.warns(RuntimeWarning, match="cannot be read, and are ignored"):
        assert MaskClassifier(quantized).chosen_by == "cpu"
    tune()

    assert MaskClassifier(quantized).chosen_by == "tuned"


def test_where_nothing_was_tuned_nothing_is_said(quantized: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert MaskClassifier(quantized).chosen_by == "cpu"

    assert find_choice(quantized) == (None, "")


def test_the_configuration_lies_in_the_folder_of_the_user_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MASKCHECK_CONFIG_DIR")

    assert config_file().name == "tuned.json"
    assert config_file().parent.name == "maskcheck"


def test_a_model_that_is_not_there_is_refused_at_once(tune: Tune) -> None:
    tune()

    with pytest.raises(ModelNotFound):
        MaskClassifier("absent.onnx")
