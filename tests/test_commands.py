from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from maskcheck.commands import main
from maskcheck.hosting.registry import default_registry

SCHEMA_KEYS = {"schema", "source", "frame", "width", "height", "faces", "timings_ms", "error"}


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], catch_exceptions=False)


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def detect(toy_model: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs ``maskcheck detect`` with the toy model."""
    # The command lifts Pillow's limit for its process, which here is also that of the other tests.
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)
    return lambda *arguments: run("detect", "--model", toy_model, *arguments)


@pytest.fixture
def huge_png(tmp_path: Path) -> Path:
    """A file of a few bytes whose header claims 400 megapixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)
    path = tmp_path / "huge.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")))
    return path


def test_json_on_standard_output_is_a_line_for_each_picture_and_nothing_else(
    detect: Callable[..., Result], portrait: Path, masked_portrait: Path
) -> None:
    result = detect(portrait, masked_portrait, "--json", "-")

    assert result.exit_code == 0
    first, second = lines(result.stdout)
    assert set(first) == SCHEMA_KEYS
    assert first["schema"] == "maskcheck/1"
    assert (first["source"], second["source"]) == (str(portrait), str(masked_portrait))
    assert (first["width"], first["height"]) == (512, 640)
    assert set(first["faces"][0]) == {"box", "label", "confidence", "probabilities", "detection_score"}
    assert set(first["timings_ms"]) == {"decode", "detect", "classify", "total"}
    assert first["error"] is None


def test_output_holds_annotated_pictures_and_results(
    detect: Callable[..., Result], portrait: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "pictures"
    (folder / "below").mkdir(parents=True)
    shutil.copy(portrait, folder / "below" / "face.jpg")
    Image.new("RGB", (80, 60), "grey").save(folder / "empty.png")
    out = tmp_path / "out"

    result = detect(folder, "--output", out)

    assert result.exit_code == 0
    assert [line["source"] for line in lines((out / "results.jsonl").read_text())] == [
        str(folder / "empty.png"),
        str(folder / "below" / "face.jpg"),
    ]
    annotated = cv2.imread(str(out / "below" / "face.jpg"))
    original = cv2.imread(str(portrait))
    assert annotated is not None
    assert original is not None
    assert annotated.shape == original.shape
    assert np.abs(annotated.astype(int) - original).max() > 100
    assert (out / "empty.png").is_file()


def test_the_table_names_pictures_faces_and_labels(
    detect: Callable[..., Result], portrait: Path, tmp_path: Path
) -> None:
    blank = tmp_path / "blank.png"
    Image.new("RGB", (80, 60), "grey").save(blank)

    result = detect(portrait, blank)

    table = result.stdout.splitlines()
    assert table[0].split() == ["picture", "faces", "ms", "labels"]
    assert str(portrait) in table[1]
    assert " 1 " in table[1]
    assert "1 bright" in table[1] or "1 dark" in table[1]
    assert "no face" in table[2]
    assert table[3].startswith("2 pictures, 1 face")


def test_bad_pictures_are_reported_in_order_and_do_not_stop_the_others(
    detect: Callable[..., Result], portrait: Path, huge_png: Path, tmp_path: Path
) -> None:
    empty, text, cut = tmp_path / "empty.jpg", tmp_path / "text.jpg", tmp_path / "cut.jpg"
    empty.touch()
    text.write_text("This is no picture.")
    cut.write_bytes(portrait.read_bytes()[:20_000])
    absent = tmp_path / "absent.jpg"
    arguments = [absent, empty, text, cut, huge_png, portrait]

    result = detect(*arguments, "--json", "-")

    assert result.exit_code == 1
    written = lines(result.stdout)
    assert [line["source"] for line in written] == [str(path) for path in arguments]
    kinds = [line["error"] and line["error"]["type"] for line in written]
    assert kinds == ["SourceError", "ImageError", "ImageError", "ImageError", "ImageTooLarge", None]
    assert all(line["faces"] == [] for line in written[:5])
    assert "400.0 megapixels" in written[4]["error"]["message"]
    assert len(written[5]["faces"]) == 1

    table = detect(*arguments)
    assert table.exit_code == 1
    assert "1 picture, 1 face, 5 failed" in table.stdout
    assert all(str(path) in table.stdout for path in arguments)


def test_the_size_limit_is_an_option(detect: Callable[..., Result], portrait: Path) -> None:
    result = detect(portrait, "--json", "-", "--max-megapixels", "0.1")

    assert result.exit_code == 1
    assert lines(result.stdout)[0]["error"]["type"] == "ImageTooLarge"


def test_the_first_frame_of_an_animated_file_is_read_and_a_note_says_so(
    detect: Callable[..., Result], tmp_path: Path
) -> None:
    path = tmp_path / "moving.gif"
    frames = [Image.new("RGB", (60, 40), colour) for colour in ("red", "green", "blue")]
    frames[0].save(path, save_all=True, append_images=frames[1:])

    assert lines(detect(path, "--json", "-").stdout)[0]["notes"] == ["only the first of 3 frames was read"]
    assert "only the first of 3 frames was read" in detect(path).stdout


def test_fail_on_sets_the_exit_status(detect: Callable[..., Result], portrait: Path) -> None:
    label = lines(detect(portrait, "--json", "-").stdout)[0]["faces"][0]["label"]
    other = "dark" if label == "bright" else "bright"

    assert detect(portrait, "--fail-on", label).exit_code == 1
    assert detect(portrait, "--fail-on", other).exit_code == 0


def test_fail_on_a_label_that_the_model_lacks_is_refused(detect: Callable[..., Result], portrait: Path) -> None:
    result = detect(portrait, "--fail-on", "helmet")

    assert result.exit_code == 2
    assert "bright, dark" in result.stderr


def test_detector_options_reach_the_detector(detect: Callable[..., Result], portrait: Path) -> None:
    result = detect(portrait, "--json", "-", "--detector-option", "min_size=500")

    assert lines(result.stdout)[0]["faces"] == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--detector", "nobody"), "there are: haar"),
        (("--detector-option", "colour=red"), "scale_factor"),
        (("--detector-option", "scale_factor=9"), ">= 1.01 <= 2"),
        (("--detector-option", "scale_factor"), "NAME=VALUE"),
        (("--classifier", "nobody"), "only the classifier `mask` takes a model file"),
        (("--classifier-option", "limit=3"), "classifier_options are for"),
        (("--device", "tpu"), "auto, cpu, cuda or cuda:N"),
        (("--device", "cuda"), "maskcheck[gpu]"),
        (("--provider", "NoSuchProvider"), "maskcheck doctor"),
        (("--model", "absent.onnx"), "no model file absent.onnx"),
        (("--precision", "int8"), "is stored in float32"),
        (("--precision", "half"), "auto"),
    ],
)
def test_what_cannot_run_exits_with_2_and_says_what_to_do(
    detect: Callable[..., Result], portrait: Path, arguments: tuple[str, ...], message: str
) -> None:
    result = detect(portrait, "--json", "-", *arguments)

    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())
    assert result.stdout == ""


def test_no_input_is_overwritten(detect: Callable[..., Result], portrait: Path, tmp_path: Path) -> None:
    picture = tmp_path / "face.jpg"
    shutil.copy(portrait, picture)

    result = detect(picture, "--output", tmp_path)

    assert result.exit_code == 2
    assert "overwrite" in result.stderr
    assert picture.read_bytes() == portrait.read_bytes()


def test_an_output_folder_that_cannot_be_made_is_an_error(
    detect: Callable[..., Result], portrait: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()

    result = detect(portrait, "--output", tmp_path / "file" / "below")

    assert result.exit_code == 2
    assert "cannot read or write" in result.stderr


def test_info_shows_the_metadata_of_a_model(toy_model: Path) -> None:
    result = run("info", toy_model, "--json")

    content = json.loads(result.stdout)
    assert content["labels"] == ["bright", "dark"]
    assert content["input_size"] == 16
    assert content["license"] == "MIT"
    assert "bright, dark" in run("info", toy_model).stdout


def test_info_refuses_a_model_that_does_not_describe_itself(make_toy_model: Callable[..., Path]) -> None:
    result = run("info", make_toy_model(metadata={}))

    assert result.exit_code == 2
    assert "maskcheck-export convert" in result.stderr


def test_detectors_lists_haar_and_its_options() -> None:
    listed = json.loads(run("detectors", "--json").stdout)

    assert "haar" in [detector["name"] for detector in listed["detectors"]]
    options = run("detectors", "haar").stdout
    assert all(name in options for name in ("preset", "enlarge", "scale_factor", "min_size", "equalize"))


def test_classifiers_lists_the_mask_classifier_and_its_options() -> None:
    listed = json.loads(run("classifiers", "--json").stdout)

    assert listed["schema"] == "maskcheck-classifiers/1"
    mask = next(classifier for classifier in listed["classifiers"] if classifier["name"] == "mask")
    assert mask["distribution"] == "maskcheck"
    assert "default_min_score" not in mask
    assert "mask" in run("classifiers").stdout
    options = run("classifiers", "mask").stdout
    assert all(name in options for name in ("model", "batch_size", "precision"))


def test_the_error_for_an_unknown_classifier_lists_the_classifiers() -> None:
    result = run("classifiers", "glasses")

    assert result.exit_code == 2
    assert "no classifier 'glasses'; there are: mask" in result.stderr


def test_doctor_finds_this_installation_healthy() -> None:
    result = run("doctor", "--json")

    content = json.loads(result.stdout)
    topics = {finding["topic"]: finding for finding in content["findings"]}
    plugins = {f"detector {each.name}" for each in default_registry().registered() if each.distribution != "maskcheck"}
    problems = {topic for topic, finding in topics.items() if finding["status"] == "problem"}
    assert problems <= plugins, "where a plugin is installed, it may lack its model file"
    assert content["ok"] == (not problems) == (result.exit_code == 0)
    assert topics["CPUExecutionProvider"]["status"] == "ok"
    assert topics["Haar cascades"]["status"] == "ok"
    assert topics["model default"]["status"] == topics["model small"]["status"] == "ok"
    assert "usable" in topics["CPU"]["detail"]


def test_doctor_says_what_to_do_about_two_runtimes(monkeypatch: pytest.MonkeyPatch) -> None:
    both = {"onnxruntime": "1.32.0", "onnxruntime-gpu": "1.32.0"}
    monkeypatch.setattr("maskcheck.runtime.installed.installed_runtimes", lambda: both)

    result = run("doctor", "--json")

    assert result.exit_code == 1
    problems = [finding for finding in json.loads(result.stdout)["findings"] if finding["status"] == "problem"]
    assert problems[0]["topic"] == "ONNX Runtime"
    assert all(finding["topic"].startswith("detector ") for finding in problems[1:]), "plugins may need it too"
    assert "pip uninstall" in problems[0]["detail"] + problems[0]["advice"]


# What follows runs in processes of their own, with plugins or without packages that this one has.


def run_apart(*arguments: str | Path, path: Path, block: str = "") -> subprocess.CompletedProcess[str]:
    """Run ``maskcheck`` in a new process that finds modules in `path` first and cannot import `block`."""
    blocked = f"sys.modules[{block!r}] = None; " if block else ""
    code = f"import sys; {blocked}from maskcheck.commands import main; main()"
    environment: Mapping[str, str] = {**os.environ, "PYTHONPATH": os.pathsep.join([str(path), *sys.path])}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def install_plugin(site: Path, name: str, code: str) -> None:
    """Put a plugin with a real entry point into a folder of modules, as an installer would."""
    module = name.replace("-", "_")
    (site / f"{module}.py").write_text(code)
    metadata = site / f"{module}-1.2.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
    (metadata / "entry_points.txt").write_text(f"[maskcheck]\n{name} = {module}\n")


GOOD_PLUGIN = """
import numpy as np
from maskcheck import Detections, DetectorSpec, hookimpl

class Whole:
    def detect(self, image):
        height, width = image.shape[:2]
        return Detections(np.array([[0, 0, width, height]], np.float32), np.ones(1, np.float32))

@hookimpl
def maskcheck_register_detectors():
    return [DetectorSpec("whole", "the whole picture is one face", Whole, api_version=1)]
"""


def test_an_installed_plugin_is_listed_and_detects(toy_model: Path, portrait: Path, tmp_path: Path) -> None:
    install_plugin(tmp_path, "good-plugin", GOOD_PLUGIN)

    listed = json.loads(run_apart("detectors", "--json", path=tmp_path).stdout)
    versions = {each["name"]: (each["distribution"], each["version"]) for each in listed["detectors"]}
    assert versions["whole"] == ("good-plugin", "1.2")

    arguments = ("detect", portrait, "--model", toy_model, "--detector", "whole", "--json", "-")
    result = run_apart(*arguments, path=tmp_path)
    assert result.returncode == 0
    assert lines(result.stdout)[0]["faces"][0]["box"] == [0, 0, 512, 640]


def test_a_plugin_that_raises_at_import_is_listed_as_failed_and_detect_still_works(
    toy_model: Path, portrait: Path, tmp_path: Path
) -> None:
    install_plugin(tmp_path, "bad-plugin", "raise RuntimeError('no licence found')")
    install_plugin(tmp_path, "good-plugin", GOOD_PLUGIN)

    listing = run_apart("detectors", "--json", path=tmp_path)
    listed = json.loads(listing.stdout)
    assert listing.returncode == 0
    assert [(plugin["distribution"], plugin["reason"]) for plugin in listed["failed"]] == [
        ("bad-plugin", "RuntimeError: no licence found")
    ]
    assert {"haar", "whole"} <= {detector["name"] for detector in listed["detectors"]}

    assert run_apart("detect", portrait, "--model", toy_model, path=tmp_path).returncode == 0
    asked = run_apart("detect", portrait, "--model", toy_model, "--detector", "bad-plugin", path=tmp_path)
    assert asked.returncode == 2
    assert "no licence found" in asked.stderr

    checked = run_apart("doctor", "--json", path=tmp_path)
    assert checked.returncode == 1
    assert any("no licence found" in finding["detail"] for finding in json.loads(checked.stdout)["findings"])


CLASSIFIER_PLUGIN = """
import numpy as np
from maskcheck.plugins import ClassifierSpec, Detections, DetectorSpec, StageOption, hookimpl

class Shade:
    labels = ("dark", "light")
    batch_size = 4

    def __init__(self, limit):
        self.limit = limit

    def crop(self, image, boxes):
        return np.zeros((len(boxes), 8, 8, 3), np.uint8)

    def __call__(self, crops):
        light = crops.mean(axis=(1, 2, 3)) >= self.limit
        return np.stack([~light, light], axis=1).astype(np.float32)

class Labelling:
    labels = ("left", "right")

    def detect(self, image):
        box = np.array([[0.5, 1.25, 20, 30]], np.float32)
        return Detections(box, np.ones(1, np.float32), None, np.array([[0.25, 0.75]], np.float32))

@hookimpl
def maskcheck_register_classifiers():
    limit = StageOption("limit", float, 128.0, "least brightness of a light face")
    return [ClassifierSpec("shade", "whether a face is light", Shade, (limit,), api_version=2)]

@hookimpl
def maskcheck_register_detectors():
    return [DetectorSpec("labelling", "a detector that labels its faces", Labelling, api_version=2)]
"""


@pytest.mark.parametrize(("limit", "label"), [("128", "dark"), ("0", "light")])
def test_the_classifier_of_a_plugin_labels_the_faces(limit: str, label: str, portrait: Path, tmp_path: Path) -> None:
    install_plugin(tmp_path, "shade-plugin", CLASSIFIER_PLUGIN)
    arguments = ("--classifier", "shade", "--classifier-option", f"limit={limit}", "--json", tmp_path / "faces.jsonl")

    result = run_apart("detect", portrait, *arguments, path=tmp_path)

    assert (result.returncode, result.stderr) == (0, "")
    (line,) = lines((tmp_path / "faces.jsonl").read_text())
    assert [face["label"] for face in line["faces"]] == [label]
    receipt = json.loads((tmp_path / "faces.receipt.json").read_text())
    classifier = next(stage for stage in receipt["stages"] if stage["kind"] == "classifier")
    assert (classifier["name"], classifier["distribution"]) == ("shade", "shade-plugin")
    assert classifier["options"] == {"limit": float(limit)}


def test_a_classifier_that_is_not_installed_is_an_error(portrait: Path) -> None:
    result = run("detect", portrait, "--classifier", "nobody")

    assert result.exit_code == 2
    assert "no classifier 'nobody'; there are: mask" in result.stderr


def test_a_detector_that_labels_its_faces_needs_no_classifier(portrait: Path, tmp_path: Path) -> None:
    install_plugin(tmp_path, "shade-plugin", CLASSIFIER_PLUGIN)
    arguments = ("--detector", "labelling", "--format", "csv", "--output", tmp_path / "out", "--fail-on", "right")

    result = run_apart("detect", portrait, *arguments, path=tmp_path, block="onnxruntime")

    assert (result.returncode, result.stderr) == (1, "")
    header, row = (tmp_path / "out" / "results.csv").read_text().splitlines()
    assert "probability_left,probability_right" in header
    assert ",0,1,20,30,right,0.75," in row
    receipt = json.loads((tmp_path / "out" / "receipt.json").read_text())
    assert [stage["kind"] for stage in receipt["stages"]] == ["detector"]
    assert receipt["model"] is None


def test_a_model_that_takes_too_long_is_an_error(portrait: Path, tmp_path: Path) -> None:
    # Not the toy model: it may have loaded before anyone looks at the clock.
    result = run_apart("detect", portrait, "--model-timeout", "0.000001", path=tmp_path)

    assert result.returncode == 2
    assert "takes longer than" in result.stderr


def test_memory_of_the_model_has_a_limit(toy_model: Path, portrait: Path, tmp_path: Path) -> None:
    few, enough = (
        run_apart("detect", portrait, "--model", toy_model, "--max-memory", megabytes, path=tmp_path)
        for megabytes in ("0.001", "500")
    )

    assert enough.returncode == 0
    assert few.returncode != 0


def test_without_a_runtime_the_error_says_what_to_install(toy_model: Path, portrait: Path, tmp_path: Path) -> None:
    result = run_apart("detect", portrait, "--model", toy_model, path=tmp_path, block="onnxruntime")

    assert result.returncode == 2
    assert 'pip install "maskcheck[cpu]"' in result.stderr


def test_doctor_runs_where_opencv_does_not_import(tmp_path: Path) -> None:
    result = run_apart("doctor", "--json", path=tmp_path, block="cv2")

    assert result.returncode == 1
    problems = {each["topic"]: each for each in json.loads(result.stdout)["findings"] if each["status"] == "problem"}
    assert "OpenCV" in problems
    assert problems["OpenCV"]["advice"]


def test_export_and_bench_say_which_extra_is_missing(tmp_path: Path) -> None:
    for module, arguments, missing, extra in (
        ("maskcheck_export", ("verify", "run", "model.onnx"), "tensorflow", "export"),
        ("maskcheck_bench", ("run", "examples"), "psutil", "bench"),
    ):
        code = (
            "import sys, importlib.machinery as m; find = m.PathFinder.find_spec;"
            f"m.PathFinder.find_spec = lambda name, *rest: None if name == {missing!r} else find(name, *rest);"
            f"from {module}.commands import main; main()"
        )
        command = [sys.executable, "-c", code, *arguments]
        result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
        assert result.returncode == 2
        assert f'pip install "maskcheck[{extra}]"' in result.stderr
