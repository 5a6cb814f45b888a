"""The file with the tuned choices: who may write it, where it is, and what happens if it is damaged."""

from __future__ import annotations

import json
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from maskcheck import MaskClassifier
from maskcheck.classifier.tuned_choices import TunedChoice, choices_file, find_choice, save_choice
from maskcheck.commands import main
from maskcheck.runtime.providers import CPU

Tune = Callable[..., TunedChoice]


def tuned_file() -> Path:
    file = choices_file()
    assert file is not None
    return file


def change_file(change: Callable[[Any], None]) -> None:
    content = json.loads(tuned_file().read_text())
    change(content)
    tuned_file().write_text(json.dumps(content))


def entry(content: Any) -> Any:
    (only,) = content["choices"].values()
    return only


# --- A choice that does not fit


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

    with pytest.warns(RuntimeWarning, match=f"{problem}.*`maskcheck doctor --tune` makes a new one") as caught:
        classifier = MaskClassifier(quantized)

    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert classifier.chosen_by == "cpu"


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000, b"9" * 5000, b" " * 1_000_001],
    ids=["empty", "cut off", "a list", "not UTF-8", "nested deep", "a long number", "large"],
)
def test_a_damaged_configuration_is_ignored_and_replaced(quantized: Path, tune: Tune, content: bytes) -> None:
    tuned_file().write_bytes(content)

    with pytest.warns(RuntimeWarning, match="cannot be read, and are ignored") as caught:
        assert MaskClassifier(quantized).chosen_by == "cpu"
    assert len(str(caught[0].message)) < 500
    with pytest.warns(RuntimeWarning):
        assert MaskClassifier(quantized).chosen_by == "cpu"
    tune()

    assert MaskClassifier(quantized).chosen_by == "tuned"


def test_without_a_tuned_choice_there_is_no_warning(quantized: Path) -> None:
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
def test_a_configuration_that_belongs_to_another_user_is_ignored(
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
def test_others_may_not_write_the_saved_file_whatever_the_umask(quantized: Path, tune: Tune) -> None:
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


def test_the_configuration_is_in_the_folder_of_the_user_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
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

    assert choices_file() is None
    assert find_choice(quantized) == (None, "")
    assert MaskClassifier(quantized).chosen_by == "cpu"
    with pytest.raises(OSError, match=r"home folder of this user is not known; set HOME, or .*MASKCHECK_CONFIG_DIR"):
        save_choice(quantized, TunedChoice(CPU, "stored", threads=1, batch_size=5))
    findings = json.loads(CliRunner().invoke(main, ["doctor", "--json"]).stdout)["findings"]
    (finding,) = [each for each in findings if each["topic"] == "tuned choice"]
    assert finding["status"] == "note"
    assert "MASKCHECK_CONFIG_DIR" in finding["advice"]


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="the folder does not depend on HOME")
def test_without_a_home_folder_the_folder_in_the_environment_is_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("MASKCHECK_CONFIG_DIR")
    monkeypatch.setenv("HOME", "")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))

    assert choices_file() == tmp_path / "maskcheck" / "tuned.json"
