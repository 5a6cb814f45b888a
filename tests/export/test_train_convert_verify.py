"""``maskcheck-export`` from training to verification, on small drawn pictures, by the recipes of the package."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner, Result
from drawn_faces import draw_crowd, draw_folders

from maskcheck import MaskClassifier
from maskcheck_export.commands import main

# TensorFlow and its converters warn about their own code.
pytestmark = pytest.mark.filterwarnings("default")

DATA = "data=[{path='seed',weight=0.5},{path='faces'},{path='crowd',proposals=1}]"
SHORT = ("--weights", "none", "--set", "input.size=75", "--set", "training.batch_size=8")
NO_PLUGINS = ("second_look.detectors=['whole-picture']", "augmentation.landmarks='haar'")


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], catch_exceptions=False)


def train(recipe: str, data: Path, folder: Path, *options: str | Path, epochs: tuple[int, int] = (1, 1)) -> Result:
    data_sets = set_all(DATA) if "default" in recipe else []  # the pictures are not those of its overlays
    head, everything = (f"stages.{name}.epochs={n}" for name, n in zip(("head", "all"), epochs, strict=True))
    return run(
        *("train", recipe, "--data-root", data, "--run", folder, *SHORT),
        *set_all(head, everything, "split.near_duplicates=-1", *NO_PLUGINS),
        *(*data_sets, *options),
    )


def set_all(*changes: str) -> list[str]:
    return [part for change in changes for part in ("--set", change)]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data sets that the recipes name, of 40 pictures in all."""
    root = tmp_path_factory.mktemp("data")
    draw_folders(root / "seed", 14)
    draw_folders(root / "faces", 14)
    draw_crowd(root / "crowd", 12)
    return root


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a short training by the default recipe, converted."""
    folder = tmp_path_factory.mktemp("runs") / "default"
    result = train("recipes/default.toml", data, folder, "--set", "split.validation=0.25")
    assert result.exit_code == 0, result.output
    result = run("convert", folder, "--license", "MIT", "--about-data", "drawn faces")
    assert result.exit_code == 0, result.output
    return folder


def test_a_training_leaves_model_record_history_and_log(trained: Path) -> None:
    record = json.loads((trained / "run.json").read_text())

    assert record["settings"]["labels"] == ["with_mask", "without_mask", "mask_worn_incorrectly"]
    assert len(record["commit"].removesuffix("-dirty")) == 40 or record["commit"].startswith("release ")
    assert set(record["metrics"]) <= {"crowd", "faces", "seed"}
    groups = [{face["group"] for face in record[part]} for part in ("training", "validation", "test")]
    assert all(groups)
    assert not groups[0] & groups[2]
    assert not groups[0] & groups[1]
    history = (trained / "history.csv").read_text().splitlines()
    assert [row.split(",")[1] for row in history] == ["stage", "head", "all"]
    assert "temperature: " in (trained / "training.log").read_text()


@pytest.mark.parametrize("precision", ["float32", "float16", "int8"])
def test_the_onnx_file_is_all_that_the_sdk_needs(trained: Path, precision: str) -> None:
    classifier = MaskClassifier(trained / f"{precision}.onnx", device="cpu")

    assert classifier.labels == ("with_mask", "without_mask", "mask_worn_incorrectly")
    assert (classifier.info.input_size, classifier.info.crop_margin) == (75, 0.2)
    assert (classifier.info.precision, classifier.info.license) == (precision, "MIT")
    assert "drawn faces (" in classifier.info.trained_on
    assert classifier.info.metrics["datasets"]
    crops = np.random.default_rng(0).integers(0, 256, (20, 75, 75, 3), dtype=np.uint8)
    assert classifier(crops).sum(axis=1) == pytest.approx(np.ones(20), abs=1e-3 if precision == "float16" else 1e-6)


def test_a_model_card_lies_beside_each_file(trained: Path) -> None:
    card = (trained / "int8.md").read_text()

    assert card.startswith("# int8.onnx")
    for fact in ("MIT", "drawn faces", "opset 17, IR version 8", "7 bits", "ranges by minmax", "Softmax temperature"):
        assert fact in card


def test_a_card_can_be_written_again_with_more_at_its_end(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "more.md").write_text("## By input size\n")

    result = run("card", trained / "int8.onnx", "--output", tmp_path / "card.md", "--append", tmp_path / "more.md")

    assert result.exit_code == 0, result.output
    assert (tmp_path / "card.md").read_text().endswith("\n\n## By input size\n")


def test_verify_passes_the_float_file_and_reports_differences_and_flips(trained: Path, tmp_path: Path) -> None:
    result = run("verify", trained, trained / "float32.onnx", "--json", tmp_path / "verified.json")

    assert result.exit_code == 0, result.output
    assert "labels changed 0 = 0.00%" in result.stdout
    (figures,) = json.loads((tmp_path / "verified.json").read_text())
    assert figures["passed"]
    assert figures["graph"]["opset"] == 17
    assert figures["graph"]["transposes"] <= 2


def test_verify_fails_a_file_that_is_another_model(trained: Path, tmp_path: Path) -> None:
    changed = onnx.load(trained / "float32.onnx")
    weights = max(changed.graph.initializer, key=lambda tensor: len(tensor.raw_data))
    values = onnx.numpy_helper.to_array(weights)
    weights.CopyFrom(onnx.numpy_helper.from_array(values * 1.5, weights.name))
    onnx.save(changed, tmp_path / "changed.onnx")

    result = run("verify", trained, tmp_path / "changed.onnx")

    assert result.exit_code == 1
    assert "FAILED" in result.stdout
    assert any(line.startswith("  largest difference") for line in result.stdout.splitlines())


def test_the_best_calibration_is_chosen_by_the_validation_faces(trained: Path, tmp_path: Path) -> None:
    result = run(
        *("convert", trained, "--output", tmp_path, "--license", "MIT", "--precision", "int8", "--calibration", "best")
    )

    assert result.exit_code == 0, result.output
    metrics = MaskClassifier(tmp_path / "int8.onnx", device="cpu").info.metrics
    compared = metrics["quantizations"]
    assert {(entry["calibration"], entry["reduce_range"]) for entry in compared} == {
        (method, reduced) for method in ("minmax", "entropy", "percentile") for reduced in (True, False)
    }
    least = min(entry["flips"] for entry in compared)
    best = [entry for entry in compared if entry["flips"] == least]
    (chosen,) = (entry for entry in compared if metrics["quantization"].items() <= entry.items())
    assert chosen in best
    assert chosen["reduce_range"] == any(entry["reduce_range"] for entry in best)  # 7 bits run in int8 on more CPUs
    assert "Chosen among these" in (tmp_path / "int8.md").read_text()


@pytest.fixture(scope="module")
def seed_run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a short training by the seed's recipe."""
    folder = tmp_path_factory.mktemp("runs") / "seed"
    result = train("recipes/seed.toml", data, folder, epochs=(1, 2))
    assert result.exit_code == 0, result.output
    return folder


def test_the_recipe_of_the_seed_trains_and_converts(seed_run: Path) -> None:
    assert run("convert", seed_run, "--license", "MIT", "--precision", "float32").exit_code == 0

    assert run("verify", seed_run, seed_run / "float32.onnx").exit_code == 0
    assert MaskClassifier(seed_run / "float32.onnx", device="cpu").labels == ("with_mask", "without_mask")


def test_a_training_in_bfloat16_gives_a_model_in_float32(data: Path, tmp_path: Path) -> None:
    changes = set_all("training.precision=mixed_bfloat16", "network.architecture=mobilenet_v2", "split.validation=0.25")
    result = train("recipes/default.toml", data, tmp_path / "run", *changes)
    assert result.exit_code == 0, result.output

    result = run("convert", tmp_path / "run", "--license", "MIT", "--precision", "float32")
    assert result.exit_code == 0, result.output
    result = run("verify", tmp_path / "run", tmp_path / "run" / "float32.onnx")
    assert result.exit_code == 0, result.output


class Killed(BaseException):
    """A kill, in the middle of a training."""


def test_a_killed_training_resumes_to_the_same_result(
    seed_run: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from maskcheck_export.training.repeatability import RepeatableEpochs

    killed = tmp_path / "killed"

    def kill_in_the_second_epoch(self: RepeatableEpochs, batch: int, logs: object = None) -> None:  # noqa: ARG001
        if self._batches._epoch == 1:
            raise Killed

    monkeypatch.setattr(RepeatableEpochs, "on_train_batch_end", kill_in_the_second_epoch)
    with pytest.raises(Killed):
        train("seed", data, killed, epochs=(1, 2))
    monkeypatch.undo()
    assert len((killed / "history.csv").read_text().splitlines()) == 2
    refused = train("seed", data, killed, epochs=(1, 2))
    assert refused.exit_code == 2
    assert "resume it" in refused.stderr
    other = train("seed", data, killed, "--set", "seed=7", "--resume", epochs=(1, 2))
    assert other.exit_code == 2
    assert "another recipe: seed differ" in other.stderr

    result = train("seed", data, killed, "--resume", epochs=(1, 2))

    assert result.exit_code == 0, result.output
    assert "resuming after epoch 1" in result.stderr
    assert (killed / "history.csv").read_text() == (seed_run / "history.csv").read_text()
    one, other_run = (json.loads((folder / "run.json").read_text()) for folder in (seed_run, killed))
    assert one["metrics"] == other_run["metrics"]


def test_a_stage_stops_early_and_keeps_its_best_epoch(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    options = ("training.early_stopping=1", "training.keep=best", "split.validation=0.25")
    still = ("stages.head.learning_rate=1e-12",)  # so that no epoch is better than the first

    result = train("default", data, folder, *set_all(*options, *still), epochs=(30, 0))

    assert result.exit_code == 0, result.output
    assert len((folder / "history.csv").read_text().splitlines()) == 3
    assert "keeping the weights of epoch 1" in result.stderr


def test_a_training_that_diverges_is_an_error_that_names_what_to_lower(data: Path, tmp_path: Path) -> None:
    result = train("default", data, tmp_path / "run", *set_all("stages.head.learning_rate=1e39"), epochs=(1, 0))

    assert result.exit_code == 2
    assert "diverged in epoch 1" in result.stderr
    assert "lower stages.head.learning_rate" in result.stderr


def test_a_damaged_checkpoint_is_an_error_and_nothing_is_lost(trained: Path, data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(trained, folder, ignore=shutil.ignore_patterns("run.json", "*.onnx", "*.md"))
    (checkpoint,) = folder.glob("checkpoint-*.weights.h5")
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])

    result = train("default", data, folder, "--set", "split.validation=0.25", "--resume")

    assert result.exit_code == 2
    assert "is damaged, or of another architecture" in result.stderr
    assert (folder / "history.csv").exists()


def test_the_options_that_leave_a_label_without_faces_out_are_named(tmp_path: Path) -> None:
    data = draw_folders(tmp_path / "data", 8, ("with_mask", "without_mask"))
    refused = run(
        "train", "recipes/default.toml", "--set", f"data=[{{path='{data.as_posix()}'}}]", "--run", tmp_path / "run"
    )

    assert refused.exit_code == 2, refused.output
    options = refused.stderr.partition("train without: ")[2].split()
    assert options == [
        "--set",
        "\"labels=['with_mask','without_mask']\"",
        "--set",
        "training.label_weights=balanced",
        "--set",
        "augmentation.masks.incorrect=0",
    ]


def test_what_cannot_run_exits_with_2_and_the_reason(data: Path, trained: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.weights.h5"
    wrong.write_text("no weights")
    new = tmp_path / "run"
    lone = draw_folders(tmp_path / "lone" / "seed", 8, ("with_mask",)).parent
    for arguments, message in (
        (("train", "seed", "--data-root", tmp_path, "--run", new), "no such folder"),
        (("train", "seed", "--data-root", data, "--run", new, "--weights", "absent.h5"), "no weights file absent.h5"),
        (("train", "seed", "--data-root", data, "--run", new, "--weights", wrong), "does not fit"),
        (("train", "seed", "--data-root", data, "--run", trained), "already holds a finished training"),
        (("train", "seed", "--data-root", lone, "--run", tmp_path / "lone-run"), "got none of without_mask"),
        (("train", "absent.toml", "--run", new), "no recipe absent.toml"),
        (("convert", tmp_path, "--license", "MIT"), "no finished training"),
        (("verify", trained, tmp_path / "absent.onnx"), "no model file"),
        (("card", tmp_path / "absent.onnx"), "no model file"),
    ):
        result = run(*arguments)
        assert result.exit_code == 2, result.output
        assert message in result.stderr
