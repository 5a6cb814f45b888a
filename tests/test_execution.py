from __future__ import annotations

import json
import os
import pickle
import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from maskcheck import MaskClassifier, MaskPipeline, ModelError, ModelNotFound
from maskcheck.classifier.execution import Choice, config_file, find_choice, save_choice
from maskcheck.commands import main
from maskcheck.runtime.providers import CPU
from maskcheck.runtime.session import Precision

Tune = Callable[..., Choice]


@pytest.fixture
def quantized(make_toy_model: Callable[..., Path]) -> Path:
    """A model that says of itself that it is an int8 file."""
    return make_toy_model("int8.onnx", precision="int8")


@pytest.fixture
def tune(quantized: Path) -> Tune:
    """Keeps a choice for the int8 model, in which everything differs from the defaults."""

    def keep(**others: Any) -> Choice:
        choice = Choice(CPU, "float32", threads=3, batch_size=7)
        choice = replace(choice, **others)
        save_choice(quantized, choice)
        return choice

    return keep


def tuned_file() -> Path:
    file = config_file()
    assert file is not None
    return file


def change_file(change: Callable[[Any], None]) -> None:
    content = json.loads(tuned_file().read_text())
    change(content)
    tuned_file().write_text(json.dumps(content))


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
    monkeypatch.setattr("maskcheck.runtime.precision.int8_features", lambda: features)

    classifier = MaskClassifier(quantized, device="cpu")

    assert (classifier.precision, classifier.chosen_by) == (expected, "cpu")


@pytest.mark.parametrize("stored", ["float32", "float16"])
@pytest.mark.parametrize("features", [("AVX-VNNI",), ()])
def test_a_file_that_is_not_int8_runs_as_it_is(
    make_toy_model: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, stored: str, features: tuple[str, ...]
) -> None:
    monkeypatch.setattr("maskcheck.runtime.precision.int8_features", lambda: features)

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
    "arguments",
    [{"precision": "stored"}, {"providers": [CPU]}, {"device": "cpu"}, {"precision": "stored", "threads": 1}],
    ids=str,
)
def test_what_is_asked_for_puts_the_tuned_choice_aside(quantized: Path, tune: Tune, arguments: dict[str, Any]) -> None:
    tune()

    classifier = MaskClassifier(quantized, **arguments)

    assert classifier.chosen_by != "tuned"
    assert classifier.batch_size == 32


def test_threads_and_batch_size_take_the_place_of_the_tuned_ones(quantized: Path, tune: Tune) -> None:
    tune()

    classifier = MaskClassifier(quantized, threads=1, batch_size=2)

    assert (classifier.threads, classifier.batch_size, classifier.chosen_by) == (1, 2, "tuned")


def test_a_tuned_provider_that_is_gone_is_passed_over_with_one_warning(quantized: Path, tune: Tune) -> None:
    tune(provider="NoSuchExecutionProvider")
    classifier = MaskClassifier(quantized)

    with pytest.warns(RuntimeWarning, match="NoSuchExecutionProvider was requested") as said:
        assert classifier.providers == (CPU,)

    assert len(said) == 1


def test_a_choice_for_another_model_says_nothing_of_this_one(toy_model: Path, quantized: Path, tune: Tune) -> None:
    tune()

    assert MaskClassifier(toy_model).chosen_by == "file"
    assert MaskClassifier(quantized).chosen_by == "tuned"


def test_choices_for_several_models_stand_side_by_side(toy_model: Path, quantized: Path, tune: Tune) -> None:
    tune()
    save_choice(toy_model, Choice(CPU, "stored", threads=1, batch_size=5))

    assert [MaskClassifier(model).batch_size for model in (quantized, toy_model)] == [7, 5]


def test_a_copy_in_another_process_looks_for_its_own_choice(quantized: Path, tune: Tune) -> None:
    travelling = pickle.dumps(MaskClassifier(quantized))
    tune()

    assert pickle.loads(travelling).chosen_by == "tuned"


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
        pytest.param(lambda c: entry(c)["choice"].update(model="a.onnx"), "damaged", id="another model"),
        pytest.param(lambda c: entry(c)["choice"].update(threads=10**30), "damaged.*1 to 512", id="endless threads"),
        pytest.param(lambda c: entry(c)["choice"].update(batch_size=10**6), "damaged.*1 to 1024", id="endless batches"),
        pytest.param(lambda c: entry(c)["choice"].update(threads=True), "damaged", id="a truth for a number"),
        pytest.param(lambda c: entry(c)["choice"].update(precision=["int8"]), "damaged", id="a list for a precision"),
        pytest.param(lambda c: entry(c)["choice"].update(provider=None), "damaged", id="no provider"),
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


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000, b"9" * 5000, b" " * 1_000_001],
    ids=["empty", "cut off", "a list", "not UTF-8", "nested deep", "a long number", "large"],
)
def test_a_damaged_configuration_is_ignored_and_replaced(quantized: Path, tune: Tune, content: bytes) -> None:
    tuned_file().write_bytes(content)

    with pytest.warns(RuntimeWarning, match="cannot be read, and are ignored") as said:
        assert MaskClassifier(quantized).chosen_by == "cpu"
    assert len(str(said[0].message)) < 500
    with pytest.warns(RuntimeWarning):
        assert MaskClassifier(quantized).chosen_by == "cpu"
    tune()

    assert MaskClassifier(quantized).chosen_by == "tuned"


def test_where_nothing_was_tuned_nothing_is_said(quantized: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert MaskClassifier(quantized).chosen_by == "cpu"

    assert find_choice(quantized) == (None, "")


needs_owners = pytest.mark.skipif(not hasattr(os, "geteuid"), reason="files have no owner and mode as on POSIX")


@needs_owners
@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_configuration_that_others_may_write_is_ignored(quantized: Path, tune: Tune, mode: int) -> None:
    tune()
    tuned_file().chmod(mode)

    with pytest.warns(RuntimeWarning, match=rf"ignored: others may write it \(mode {mode:o}\); chmod go-w"):
        assert MaskClassifier(quantized).chosen_by == "cpu"


@needs_owners
def test_a_configuration_of_somebody_else_is_ignored(
    quantized: Path, tune: Tune, monkeypatch: pytest.MonkeyPatch
) -> None:
    tune()
    owner = tuned_file().stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)

    if owner == 0:  # what root wrote, everybody reads
        assert MaskClassifier(quantized).chosen_by == "tuned"
        os.chown(tuned_file(), 12345, -1)
    with pytest.warns(RuntimeWarning, match="ignored: it belongs to user"):
        assert MaskClassifier(quantized).chosen_by == "cpu"


@needs_owners
def test_what_is_kept_is_not_for_others_to_write_whatever_the_umask(quantized: Path, tune: Tune) -> None:
    before = os.umask(0)
    try:
        tune()
    finally:
        os.umask(before)

    assert not tuned_file().stat().st_mode & 0o077
    assert MaskClassifier(quantized).chosen_by == "tuned"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_named_pipe_is_no_configuration(quantized: Path) -> None:
    os.mkfifo(tuned_file(), 0o600)

    with pytest.warns(RuntimeWarning, match="expected a regular file"):
        assert MaskClassifier(quantized).chosen_by == "cpu"


# --- Where it lies


def test_the_configuration_lies_in_the_folder_of_the_user_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MASKCHECK_CONFIG_DIR")

    assert tuned_file().name == "tuned.json"
    assert tuned_file().parent.name == "maskcheck"


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="the folder does not depend on HOME alone")
@pytest.mark.parametrize("home", [None, "", "some/where"], ids=["not set", "empty", "relative"])
def test_without_a_home_folder_there_is_no_configuration(
    quantized: Path, monkeypatch: pytest.MonkeyPatch, home: str | None
) -> None:
    import pwd

    def unknown(uid: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    monkeypatch.delenv("MASKCHECK_CONFIG_DIR")
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.delenv("HOME", raising=False)
    if home is not None:
        monkeypatch.setenv("HOME", home)

    assert config_file() is None
    assert find_choice(quantized) == (None, "")
    assert MaskClassifier(quantized).chosen_by == "cpu"
    with pytest.raises(OSError, match=r"home folder of this user is not known; set HOME, or .*MASKCHECK_CONFIG_DIR"):
        save_choice(quantized, Choice(CPU, "stored", threads=1, batch_size=5))
    findings = json.loads(CliRunner().invoke(main, ["doctor", "--json"]).stdout)["findings"]
    (said,) = [one for one in findings if one["topic"] == "tuned choice"]
    assert said["status"] == "note"
    assert "MASKCHECK_CONFIG_DIR" in said["advice"]


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="the folder does not depend on HOME")
def test_without_a_home_folder_the_folder_that_is_named_is_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("MASKCHECK_CONFIG_DIR")
    monkeypatch.setenv("HOME", "")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))

    assert config_file() == tmp_path / "maskcheck" / "tuned.json"


def test_a_model_that_is_not_there_is_refused_at_once(tune: Tune) -> None:
    tune()

    with pytest.raises(ModelNotFound):
        MaskClassifier("absent.onnx")
