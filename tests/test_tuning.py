from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from maskcheck import MaskClassifier
from maskcheck.classifier.execution import Choice, config_file, save_choice
from maskcheck.classifier.tuning import (
    BATCH_SIZES,
    Candidate,
    Trial,
    draw_crops,
    find_best,
    find_faster_file,
    list_candidates,
    try_candidates,
)
from maskcheck.commands import main
from maskcheck.runtime.providers import CPU


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], catch_exceptions=False)


@pytest.fixture(autouse=True)
def two_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same candidates on every machine."""
    monkeypatch.setattr("maskcheck.classifier.tuning.default_thread_count", lambda: 2)


@pytest.fixture
def quantized(make_toy_model: Callable[..., Path]) -> Path:
    """A model that says of itself that it is an int8 file."""
    return make_toy_model("int8.onnx", precision="int8")


@pytest.fixture
def embedded(quantized: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The int8 model in the place of the embedded one."""
    monkeypatch.setattr("maskcheck.classifier.model.EMBEDDED_SHA256", MaskClassifier(quantized).sha256)
    monkeypatch.setattr("maskcheck.classifier.model.EMBEDDED_MODEL", quantized)
    return quantized


@pytest.fixture
def inverted(make_toy_model: Callable[..., Path]) -> Path:
    """A model with the labels of the other ones that gives the wrong one of them."""
    path = make_toy_model("inverted.onnx", precision="float16")
    model = onnx.load(path)
    for tensor in model.graph.initializer:
        if tensor.name in ("weights", "bias"):
            tensor.CopyFrom(onnx.numpy_helper.from_array(-onnx.numpy_helper.to_array(tensor), tensor.name))
    onnx.save(model, path)
    return path


def trial(threads: int, times: dict[int, float], model: str = "a.onnx") -> Trial:
    return Trial(Candidate(Path(model), CPU, "stored", threads), times)


def tuned_file() -> Path:
    file = config_file()
    assert file is not None
    return file


# --- Candidates


@pytest.mark.parametrize(("usable", "expected"), [(1, [1]), (2, [1, 2]), (6, [1, 2, 4, 6]), (8, [1, 2, 4, 8])])
def test_threads_are_tried_up_to_those_that_may_be_used(
    monkeypatch: pytest.MonkeyPatch, usable: int, expected: list[int]
) -> None:
    monkeypatch.setattr("maskcheck.classifier.tuning.default_thread_count", lambda: usable)

    found = [one for one in list_candidates(Path("a.onnx"), [], quantized=False) if one.provider == CPU]

    assert [one.threads for one in found] == expected


def test_an_int8_file_is_tried_in_float_too_and_every_other_file_as_it_is() -> None:
    def ways(quantized: bool) -> set[tuple[str, str]]:
        found = list_candidates(Path("a.onnx"), [Path("b.onnx")], quantized=quantized)
        return {(one.model.name, one.precision) for one in found if one.provider == CPU}

    assert ways(False) == {("a.onnx", "stored"), ("b.onnx", "stored")}
    assert ways(True) == {("a.onnx", "stored"), ("a.onnx", "float32"), ("b.onnx", "stored")}


def test_every_candidate_is_compared_and_timed_at_every_batch_size(quantized: Path) -> None:
    candidates = [one for one in list_candidates(quantized, [], quantized=True) if one.provider == CPU]

    trials = try_candidates(quantized, candidates, draw_crops(8, 16))

    assert [one.candidate for one in trials] == candidates
    for one in trials:
        assert (one.flips, one.largest, one.mean, one.refusal) == (0, 0, 0, "")
        assert set(one.milliseconds) == set(BATCH_SIZES)
        assert min(one.milliseconds.values()) > 0


def test_a_candidate_that_gives_other_labels_is_refused_and_not_timed(quantized: Path, inverted: Path) -> None:
    (found,) = try_candidates(quantized, [Candidate(inverted, CPU, "stored", 1)], draw_crops(8, 16))

    assert found.flips == 1
    assert found.refusal == "another label for 100.0% of the crops, at most 1% may differ"
    assert found.milliseconds == {}


@pytest.mark.parametrize(
    ("differently", "problem"),
    [({"labels": ("bright", "dim")}, "labels"), ({"size": 8}, "input_size"), ({"margin": 0.5}, "crop_margin")],
)
def test_another_classifier_is_refused(
    quantized: Path, make_toy_model: Callable[..., Path], differently: dict[str, object], problem: str
) -> None:
    other = make_toy_model("other.onnx", **differently)

    (found,) = try_candidates(quantized, [Candidate(other, CPU, "stored", 1)], draw_crops(8, 16))

    assert found.refusal.startswith(f"another classifier: {problem}")


def test_a_candidate_that_does_not_load_is_refused_and_the_others_go_on(quantized: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"broken")
    candidates = [Candidate(broken, CPU, "stored", 1), Candidate(quantized, "NoProvider", "stored", 1)]

    *refused, good = try_candidates(quantized, [*candidates, Candidate(quantized, CPU, "stored", 1)], draw_crops(4, 16))

    assert "cannot load" in refused[0].refusal
    assert "NoProvider was requested" in refused[1].refusal
    assert good.refusal == ""


# --- The best


@pytest.mark.parametrize(
    ("trials", "expected"),
    [
        pytest.param([trial(1, {1: 5, 8: 4}), trial(2, {1: 3, 8: 2})], (2, 8), id="the fastest of a face"),
        pytest.param([trial(1, {1: 5, 8: 2.05}), trial(2, {1: 3, 8: 2})], (1, 8), id="fewer threads, if as fast"),
        pytest.param([trial(2, {1: 5, 8: 2.05, 16: 2, 32: 2.04})], (2, 8), id="smaller batches, if as fast"),
    ],
)
def test_the_best_is_the_fastest_by_its_time_of_a_face(trials: list[Trial], expected: tuple[int, int]) -> None:
    best = find_best(trials)

    assert best is not None
    assert (best[0].candidate.threads, best[1]) == expected


def test_without_a_timed_candidate_there_is_no_best() -> None:
    assert find_best([Trial(Candidate(Path("a.onnx"), CPU, "stored", 1), refusal="why")]) is None


@pytest.mark.parametrize(
    ("times", "faster"),
    [
        pytest.param({"a.onnx": 4.0, "b.onnx": 2.0}, "b.onnx", id="another file is faster"),
        pytest.param({"a.onnx": 2.0, "b.onnx": 4.0}, None, id="it is slower"),
        pytest.param({"a.onnx": 2.05, "b.onnx": 2.0}, None, id="it is as fast"),
        pytest.param({"b.onnx": 2.0}, "b.onnx", id="only it gives the labels"),
    ],
)
def test_another_file_is_named_where_it_is_faster_than_the_model(times: dict[str, float], faster: str | None) -> None:
    trials = [trial(2, {8: time}, model) for model, time in times.items()]

    assert find_faster_file(trials, Path("a.onnx")) == (Path(faster) if faster else None)


def test_another_file_is_never_what_is_kept(embedded: Path, make_toy_model: Callable[..., Path]) -> None:
    half = make_toy_model("half.onnx", precision="float16")

    result = run("doctor", "--tune", "--candidate", half)

    assert result.exit_code == 0
    assert "half.onnx" in result.stdout
    assert "half.onnx" not in tuned_file().read_text()
    assert MaskClassifier().path == str(embedded)


# --- Drawn faces


def test_drawn_faces_are_always_the_same_and_differ_from_each_other() -> None:
    crops = draw_crops(6, 32)

    assert crops.shape == (6, 32, 32, 3)
    assert crops.dtype == np.uint8
    np.testing.assert_array_equal(crops, draw_crops(6, 32))
    assert len(np.unique(crops.reshape(6, -1), axis=0)) == 6


def test_the_embedded_model_knows_the_drawn_masks() -> None:
    labels = MaskClassifier(device="cpu")(draw_crops(32, 128)).argmax(axis=1)

    assert (labels[::2] == 0).mean() > 0.9
    assert (labels[1::2] == 1).mean() > 0.6


# --- The command


def test_tune_prints_a_table_keeps_the_choice_and_every_result_says_so(embedded: Path) -> None:
    result = run("doctor", "--tune")

    assert result.exit_code == 0
    assert "chosen, batches of" in result.stdout
    assert str(tuned_file()) in result.stdout
    classifier = MaskClassifier(embedded)
    assert classifier.chosen_by == "tuned"
    assert classifier.batch_size in BATCH_SIZES


def test_tune_prints_json_and_nothing_else(embedded: Path) -> None:
    content = json.loads(run("doctor", "--tune", "--json").stdout)

    assert content["schema"] == "maskcheck-tune/1"
    assert content["model"] == embedded.name
    assert content["written"] == str(tuned_file())
    assert content["choice"]["threads"] in (1, 2)
    assert {(one["precision"], one["threads"]) for one in content["candidates"] if one["provider"] == CPU} == {
        (precision, threads) for precision in ("stored", "float32") for threads in (1, 2)
    }
    assert all(set(one["milliseconds_a_face"]) == {"1", "8", "16", "32", "64"} for one in content["candidates"])


@pytest.mark.usefixtures("embedded")
def test_tune_says_why_it_refuses_a_candidate(inverted: Path) -> None:
    content = json.loads(run("doctor", "--tune", "--candidate", inverted, "--json").stdout)

    refused = [one for one in content["candidates"] if one["refusal"]]
    assert {Path(one["model"]).name for one in refused} == {"inverted.onnx"}
    assert set(content["choice"]) == {"provider", "precision", "threads", "batch_size"}
    assert content["faster_file"] is None
    assert "refused: another label" in " ".join(run("doctor", "--tune", "--candidate", inverted).stdout.split())


@pytest.mark.usefixtures("embedded")
def test_tune_compares_on_the_faces_of_pictures(portrait: Path, tmp_path: Path) -> None:
    content = json.loads(run("doctor", "--tune", portrait, "--json").stdout)

    assert content["crops"] == 18

    Image.new("RGB", (80, 60), "grey").save(tmp_path / "empty.png")
    result = run("doctor", "--tune", tmp_path / "empty.png")
    assert result.exit_code == 2
    assert "no face was found" in result.stderr


def test_tune_of_another_model_leaves_the_embedded_one_alone(toy_model: Path, embedded: Path) -> None:
    assert run("doctor", "--tune", "--model", toy_model).exit_code == 0

    assert MaskClassifier(toy_model).chosen_by == "tuned"
    assert MaskClassifier(embedded).chosen_by == "cpu"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("picture.jpg",), "are for --tune"),
        (("--candidate", "a.onnx"), "are for --tune"),
        (("--tune", "--model", "absent.onnx"), "no model file absent.onnx"),
        (("--tune", "--candidate", "absent.onnx"), "no model file absent.onnx"),
    ],
)
def test_what_cannot_be_tuned_exits_with_2(arguments: tuple[str, ...], message: str) -> None:
    result = run("doctor", *arguments)

    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())


def test_doctor_says_whether_a_tuned_choice_is_in_force(embedded: Path) -> None:
    def finding() -> dict[str, str]:
        findings = json.loads(run("doctor", "--json").stdout)["findings"]
        return next(dict(one) for one in findings if one["topic"] == "tuned choice")

    assert finding()["detail"].startswith("none; on the CPU, the model runs in ")
    run("doctor", "--tune")
    assert finding()["status"] == "ok"
    assert "batches of" in finding()["detail"]
    tuned_file().write_text("{")
    assert finding()["status"] == "note"
    assert "maskcheck doctor --tune" in finding()["advice"]
    assert MaskClassifier(embedded, precision="stored").chosen_by == "asked"


def test_doctor_tells_of_the_choice_where_opencv_does_not_import(
    embedded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_choice(embedded, Choice(CPU, "stored", threads=1, batch_size=8))
    monkeypatch.setitem(sys.modules, "cv2", None)

    findings = json.loads(run("doctor", "--json").stdout)["findings"]

    (finding,) = [one for one in findings if one["topic"] == "tuned choice"]
    assert finding["status"] == "note"
    assert "another CPU features" in finding["detail"]


def test_info_shows_the_model_itself_whatever_was_tuned(embedded: Path) -> None:
    save_choice(embedded, Choice(CPU, "float32", threads=1, batch_size=8))
    assert MaskClassifier().precision == "float32"

    content = json.loads(run("info", "--json").stdout)

    assert (content["file"], content["precision"]) == (embedded.name, "int8")
