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
from maskcheck.classifier.drawn_crops import draw_crops
from maskcheck.classifier.model import DEFAULT_MODEL, EMBEDDED_MODELS, EmbeddedModel, hash_model
from maskcheck.classifier.settings_search import (
    BATCH_SIZES,
    Measurement,
    RunSettings,
    find_faster_file,
    find_fastest,
    list_settings,
    measure_settings,
)
from maskcheck.classifier.tuned_choices import TunedChoice, choices_file, save_choice
from maskcheck.commands import main
from maskcheck.runtime.providers import CPU


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], catch_exceptions=False)


@pytest.fixture(autouse=True)
def two_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same settings on every machine."""
    monkeypatch.setattr("maskcheck.classifier.settings_search.default_thread_count", lambda: 2)


@pytest.fixture
def quantized(make_toy_model: Callable[..., Path]) -> Path:
    """A model whose metadata says that it is an int8 file."""
    return make_toy_model("int8.onnx", precision="int8")


@pytest.fixture
def embedded(quantized: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The int8 model in the place of the embedded one."""
    monkeypatch.setitem(EMBEDDED_MODELS, DEFAULT_MODEL, EmbeddedModel(quantized, hash_model(quantized)))
    return quantized


@pytest.fixture
def inverted(make_toy_model: Callable[..., Path]) -> Path:
    """A model that always gives the wrong label."""
    path = make_toy_model("inverted.onnx", precision="float16")
    model = onnx.load(path)
    for tensor in model.graph.initializer:
        if tensor.name in ("weights", "bias"):
            tensor.CopyFrom(onnx.numpy_helper.from_array(-onnx.numpy_helper.to_array(tensor), tensor.name))
    onnx.save(model, path)
    return path


def measured(threads: int, times: dict[int, float], model: str = "a.onnx") -> Measurement:
    return Measurement(RunSettings(Path(model), CPU, "stored", threads), times)


def tuned_file() -> Path:
    file = choices_file()
    assert file is not None
    return file


# --- The settings


@pytest.mark.parametrize(("usable", "expected"), [(1, [1]), (2, [1, 2]), (6, [1, 2, 4, 6]), (8, [1, 2, 4, 8])])
def test_threads_are_tried_up_to_those_that_may_be_used(
    monkeypatch: pytest.MonkeyPatch, usable: int, expected: list[int]
) -> None:
    monkeypatch.setattr("maskcheck.classifier.settings_search.default_thread_count", lambda: usable)

    settings = list_settings(Path("a.onnx"), [], quantized=False)

    assert [each.threads for each in settings if each.provider == CPU] == expected


def test_an_int8_file_is_also_tried_in_float32_and_every_other_file_as_it_is() -> None:
    def precisions(quantized: bool) -> set[tuple[str, str]]:
        settings = list_settings(Path("a.onnx"), [Path("b.onnx")], quantized=quantized)
        return {(each.model.name, each.precision) for each in settings if each.provider == CPU}

    assert precisions(False) == {("a.onnx", "stored"), ("b.onnx", "stored")}
    assert precisions(True) == {("a.onnx", "stored"), ("a.onnx", "float32"), ("b.onnx", "stored")}


def test_all_settings_are_compared_and_timed_at_every_batch_size(quantized: Path) -> None:
    settings = [each for each in list_settings(quantized, [], quantized=True) if each.provider == CPU]

    measurements = measure_settings(quantized, settings, draw_crops(8, 16))

    assert [measurement.settings for measurement in measurements] == settings
    for measurement in measurements:
        assert (measurement.flips, measurement.largest, measurement.mean, measurement.refusal) == (0, 0, 0, "")
        assert set(measurement.milliseconds) == set(BATCH_SIZES)
        assert min(measurement.milliseconds.values()) > 0


def test_settings_that_give_other_labels_are_refused_and_not_timed(quantized: Path, inverted: Path) -> None:
    (measurement,) = measure_settings(quantized, [RunSettings(inverted, CPU, "stored", 1)], draw_crops(8, 16))

    assert measurement.flips == 1
    assert measurement.refusal == "another label for 100.0% of the crops, at most 1% may differ"
    assert measurement.milliseconds == {}


@pytest.mark.parametrize(
    ("differently", "problem"),
    [({"labels": ("bright", "dim")}, "labels"), ({"size": 8}, "input_size"), ({"margin": 0.5}, "crop_margin")],
)
def test_another_classifier_is_refused(
    quantized: Path, make_toy_model: Callable[..., Path], differently: dict[str, object], problem: str
) -> None:
    other = make_toy_model("other.onnx", **differently)

    (measurement,) = measure_settings(quantized, [RunSettings(other, CPU, "stored", 1)], draw_crops(8, 16))

    assert measurement.refusal.startswith(f"another classifier: {problem}")


def test_settings_that_do_not_load_are_refused_and_the_others_go_on(quantized: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"broken")
    bad = [RunSettings(broken, CPU, "stored", 1), RunSettings(quantized, "NoProvider", "stored", 1)]

    *refused, good = measure_settings(quantized, [*bad, RunSettings(quantized, CPU, "stored", 1)], draw_crops(4, 16))

    assert "cannot load" in refused[0].refusal
    assert "NoProvider was requested" in refused[1].refusal
    assert good.refusal == ""


# --- The fastest


@pytest.mark.parametrize(
    ("measurements", "expected"),
    [
        pytest.param([measured(1, {1: 5, 8: 4}), measured(2, {1: 3, 8: 2})], (2, 8), id="the fastest of a face"),
        pytest.param([measured(1, {1: 5, 8: 2.05}), measured(2, {1: 3, 8: 2})], (1, 8), id="fewer threads, if as fast"),
        pytest.param([measured(2, {1: 5, 8: 2.05, 16: 2, 32: 2.04})], (2, 8), id="smaller batches, if as fast"),
    ],
)
def test_the_fastest_settings_have_the_shortest_time_of_a_face(
    measurements: list[Measurement], expected: tuple[int, int]
) -> None:
    fastest = find_fastest(measurements)

    assert fastest is not None
    assert (fastest[0].settings.threads, fastest[1]) == expected


def test_if_all_settings_are_refused_none_are_the_fastest() -> None:
    refused = Measurement(RunSettings(Path("a.onnx"), CPU, "stored", 1), refusal="why")

    assert find_fastest([refused]) is None


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
    measurements = [measured(2, {8: time}, model) for model, time in times.items()]

    assert find_faster_file(measurements, Path("a.onnx")) == (Path(faster) if faster else None)


def test_another_file_is_never_chosen(embedded: Path, make_toy_model: Callable[..., Path]) -> None:
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


def test_the_embedded_model_recognises_the_drawn_masks() -> None:
    labels = MaskClassifier(device="cpu")(draw_crops(32, 128)).argmax(axis=1)

    assert (labels[::2] == 0).mean() > 0.9
    assert (labels[1::2] == 1).mean() > 0.6


# --- The command


def test_tune_prints_a_table_and_saves_a_choice_that_is_used_from_then_on(embedded: Path) -> None:
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
    assert {(entry["precision"], entry["threads"]) for entry in content["candidates"] if entry["provider"] == CPU} == {
        (precision, threads) for precision in ("stored", "float32") for threads in (1, 2)
    }
    assert all(set(entry["milliseconds_a_face"]) == {"1", "8", "16", "32", "64"} for entry in content["candidates"])


@pytest.mark.usefixtures("embedded")
def test_tune_says_why_it_refuses_a_file(inverted: Path) -> None:
    content = json.loads(run("doctor", "--tune", "--candidate", inverted, "--json").stdout)

    refused = [entry for entry in content["candidates"] if entry["refusal"]]
    assert {Path(entry["model"]).name for entry in refused} == {"inverted.onnx"}
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
        (("picture.jpg",), "need --tune"),
        (("--candidate", "a.onnx"), "need --tune"),
        (("--tune", "--model", "absent.onnx"), "no model file absent.onnx"),
        (("--tune", "--candidate", "absent.onnx"), "no model file absent.onnx"),
    ],
)
def test_arguments_that_do_not_fit_exit_with_2(arguments: tuple[str, ...], message: str) -> None:
    result = run("doctor", *arguments)

    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())


def test_doctor_says_whether_a_tuned_choice_is_used(embedded: Path) -> None:
    def finding() -> dict[str, str]:
        findings = json.loads(run("doctor", "--json").stdout)["findings"]
        return next(dict(each) for each in findings if each["topic"] == "tuned choice")

    assert finding()["detail"].startswith("none; on the CPU, the model runs in ")
    run("doctor", "--tune")
    assert finding()["status"] == "ok"
    assert "batches of" in finding()["detail"]
    tuned_file().write_text("{")
    assert finding()["status"] == "note"
    assert "maskcheck doctor --tune" in finding()["advice"]
    assert MaskClassifier(embedded, precision="stored").chosen_by == "asked"


def test_doctor_reports_the_choice_where_opencv_does_not_import(
    embedded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_choice(embedded, TunedChoice(CPU, "stored", threads=1, batch_size=8))
    monkeypatch.setitem(sys.modules, "cv2", None)

    findings = json.loads(run("doctor", "--json").stdout)["findings"]

    (finding,) = [each for each in findings if each["topic"] == "tuned choice"]
    assert finding["status"] == "note"
    assert "another CPU features" in finding["detail"]


def test_info_shows_the_stored_precision_whatever_was_tuned(embedded: Path) -> None:
    save_choice(embedded, TunedChoice(CPU, "float32", threads=1, batch_size=8))
    assert MaskClassifier().precision == "float32"

    content = json.loads(run("info", "--json").stdout)

    assert (content["file"], content["precision"]) == (embedded.name, "int8")
