"""The whole way of ``maskcheck-export``, on small drawn pictures. Needs TensorFlow."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image, ImageDraw

from maskcheck import MaskClassifier
from maskcheck_export.commands import main
from maskcheck_export.data import DataError, Sample, split

pytestmark = [
    pytest.mark.export,
    # TensorFlow and its converters warn of their own code.
    pytest.mark.filterwarnings("default"),
]


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], catch_exceptions=False)


def face(masked: bool, seed: int) -> Image.Image:
    """A drawn face of 64 x 64 pixels, with or without a mask."""
    rng = np.random.default_rng(seed)
    picture = Image.new("RGB", (64, 64), tuple(rng.integers(0, 256, 3).tolist()))
    draw = ImageDraw.Draw(picture)
    draw.ellipse((8, 4, 56, 60), fill=(220, 180, 150))
    if masked:
        draw.rectangle((12, 32, 52, 56), fill=tuple(rng.integers(0, 256, 3).tolist()))
    return picture


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A data set in class folders and one with COCO boxes, of 20 faces each."""
    root = tmp_path_factory.mktemp("data")
    folders, crowd = root / "portraits", root / "crowd"
    (crowd / "images").mkdir(parents=True)
    for label in ("with_mask", "without_mask"):
        (folders / label).mkdir(parents=True)
    images, annotations = [], []
    for number in range(20):
        masked = number % 2 == 0
        face(masked, number).save(folders / ("with_mask" if masked else "without_mask") / f"{number}.png")
        street = Image.new("RGB", (160, 100), "grey")
        street.paste(face(masked, 100 + number), (50, 20))
        street.save(crowd / "images" / f"{number}.png")
        images.append({"id": number, "file_name": f"{number}.png", "width": 160, "height": 100})
        category = 1 if masked else 2
        annotations.append({"id": number, "image_id": number, "category_id": category, "bbox": [58, 24, 48, 56]})
    categories = [{"id": 1, "name": "with_mask"}, {"id": 2, "name": "without_mask"}]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (crowd / "annotations.json").write_text(json.dumps(content))
    return folders, crowd


@pytest.fixture(scope="module")
def trained(data: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a short training, converted."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    short = ("--weights", "none", "--size", "75", "--epochs", "1", "--batch-size", "8")
    result = run("train", *data, "--run", folder, *short)
    assert result.exit_code == 0, result.output
    result = run("convert", folder, "--license", "MIT", "--about-data", "drawn faces")
    assert result.exit_code == 0, result.output
    return folder


def test_a_training_leaves_model_record_and_history(trained: Path) -> None:
    record = json.loads((trained / "run.json").read_text())

    assert record["settings"]["size"] == 75
    assert len(record["commit"].removesuffix("-dirty")) == 40 or record["commit"].startswith("release ")
    assert set(record["metrics"]) == {"crowd", "portraits"}
    assert not {face["group"] for face in record["training"]} & {face["group"] for face in record["validation"]}
    assert len((trained / "history.csv").read_text().splitlines()) == 3  # a heading, the head, the fine-tuning


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_the_onnx_file_is_all_that_the_sdk_needs(trained: Path, precision: str) -> None:
    classifier = MaskClassifier(trained / f"{precision}.onnx", device="cpu")

    assert classifier.labels == ("with_mask", "without_mask")
    assert (classifier.info.input_size, classifier.info.crop_margin) == (75, 0.2)
    assert classifier.info.precision == precision
    assert classifier.info.license == "MIT"
    assert "drawn faces (crowd: " in classifier.info.trained_on
    assert classifier.info.metrics["datasets"]["crowd"]["all"]["faces"] > 0
    crops = np.random.default_rng(0).integers(0, 256, (20, 75, 75, 3), dtype=np.uint8)
    assert classifier(crops).sum(axis=1) == pytest.approx(np.ones(20), abs=1e-6)


def test_verify_passes_the_float_file_and_tells_differences_and_flips(trained: Path) -> None:
    result = run("verify", trained, trained / "float32.onnx")

    assert result.exit_code == 0, result.output
    assert "passed" in result.stdout
    assert "largest difference" in result.stdout
    assert "labels changed 0 = 0.00%" in result.stdout


def test_verify_fails_a_file_that_is_another_model(trained: Path, tmp_path: Path) -> None:
    import onnx

    changed = onnx.load(trained / "float32.onnx")
    weights = max(changed.graph.initializer, key=lambda tensor: len(tensor.raw_data))
    values = onnx.numpy_helper.to_array(weights)
    weights.CopyFrom(onnx.numpy_helper.from_array(values * 1.5, weights.name))
    onnx.save(changed, tmp_path / "changed.onnx")

    result = run("verify", trained, tmp_path / "changed.onnx")

    assert result.exit_code == 1
    assert "FAILED" in result.stdout


def test_what_cannot_run_exits_with_2_and_says_why(data: tuple[Path, Path], trained: Path, tmp_path: Path) -> None:
    (tmp_path / "wrong.weights.h5").write_text("no weights")
    for arguments, message in (
        (("train", tmp_path / "absent", "--run", tmp_path / "run"), "no such folder"),
        (("train", *data, "--run", tmp_path / "run", "--weights", "absent.h5"), "no weights file absent.h5"),
        (("train", *data, "--run", tmp_path / "run", "--weights", tmp_path / "wrong.weights.h5"), "does not fit"),
        (("train", *data, "--run", trained), "already holds a finished training"),
        (("train", *data, "--run", tmp_path / "run", "--label", "with_mask"), "two labels or more"),
        (("train", *data, "--run", tmp_path / "run", "--label", "with_mask", "--label", "hat"), "no example of hat"),
        (("convert", tmp_path, "--license", "MIT"), "no finished training"),
        (("verify", trained, tmp_path / "absent.onnx"), "no model file"),
    ):
        result = run(*arguments)
        assert result.exit_code == 2, result.output
        assert message in result.stderr


def samples(count: int, per_group: int) -> list[Sample]:
    return [
        Sample(Path(f"{i}.png"), (0, 0, 9, 9), "ab"[i // per_group % 2], "set", f"{i // per_group}", whole=True)
        for i in range(count)
    ]


def test_a_split_is_repeatable_stratified_and_keeps_groups_together() -> None:
    everything = samples(200, per_group=2)

    training, validation = split(everything, holdout=0.2, seed=42)

    assert len(validation) == 40
    assert Counter(sample.label for sample in validation) == {"a": 20, "b": 20}
    assert not {sample.group for sample in training} & {sample.group for sample in validation}
    assert (training, validation) == split(everything, holdout=0.2, seed=42)
    assert validation != split(everything, holdout=0.2, seed=43)[1]


def test_too_few_groups_to_split_are_refused() -> None:
    with pytest.raises(DataError, match="too few"):
        split(samples(100, per_group=50), holdout=0.2, seed=42)
