"""``maskcheck-export evaluate`` on a toy model that calls bright crops masked, and its report."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from maskcheck_export.commands import main
from maskcheck_export.data.samples import Sample
from maskcheck_export.data.split import Parts
from maskcheck_export.evaluation.plots import plot_training
from maskcheck_export.recipes.settings import Settings
from maskcheck_export.runs import HISTORY, MODEL, Run

LABELS = ("with_mask", "without_mask")
PAGE_PLOTS = {"confusion", "precision_recall", "reliability", "slices", "mistakes"}


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["evaluate", *map(str, arguments)], catch_exceptions=False)


def plots_shown(report: Path) -> set[str]:
    """Names of the plots that a page shows; each is there and is a picture."""
    links = re.findall(r"!\[[^]]*\]\(([^)]+)\)", (report / "report.md").read_text())
    for link in links:
        with Image.open(report / link) as picture:
            picture.verify()
    return {Path(link).stem for link in links}


@pytest.fixture
def model(make_toy_model: Callable[..., Path]) -> Path:
    return make_toy_model("toy.onnx", labels=LABELS)


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    """Class folders with 12 bright masked faces, 8 dark bare ones, and a dark masked one: a mistake."""
    folder = tmp_path / "portraits"
    rng = np.random.default_rng(0)
    for label, levels in (("with_mask", [220] * 12 + [40]), ("without_mask", [40] * 8)):
        (folder / label).mkdir(parents=True)
        for number, level in enumerate(levels):
            pixels = rng.integers(level - 35, level + 35, (50, 40, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(folder / label / f"{number}.png")
    return folder


@pytest.fixture
def report(tmp_path: Path) -> Path:
    return tmp_path / "report"


def test_evaluate_writes_a_page_that_shows_its_plots_and_the_same_figures_as_json(
    model: Path, faces: Path, report: Path
) -> None:
    result = run(model, faces, "--output", report)

    assert result.exit_code == 0, result.output
    assert re.search(r"precision +recall +f1-score +support", result.stdout)
    assert re.search(r"with_mask +1.00 +0.92 +0.96 +13", result.stdout)
    assert str(report / "report.md") in result.stdout
    figures = json.loads((report / "report.json").read_text())
    assert figures["schema"] == "maskcheck-evaluation/1"
    assert figures["overall"]["confusion_matrix"] == [[12, 1], [0, 8]]
    assert [mistake["path"] for mistake in figures["mistakes"]] == [str(faces / "with_mask" / "12.png")]
    assert {part["kind"] for part in figures["slices"]} >= {"face size", "label", "blur", "brightness", "mask colour"}
    assert plots_shown(report) == PAGE_PLOTS
    page = (report / "report.md").read_text()
    assert figures["model"]["sha256"] in page
    assert f"{20 / 21:.1%}" in page


def test_a_picture_that_cannot_be_read_is_listed_and_the_rest_is_evaluated(
    model: Path, faces: Path, report: Path
) -> None:
    broken = faces / "with_mask" / "3.png"
    broken.write_bytes(broken.read_bytes()[:3000])  # the header is whole, the pixels are not

    result = run(model, faces, "--output", report)

    assert result.exit_code == 0, result.output
    data = json.loads((report / "report.json").read_text())["data"]
    assert data["faces"] == 20
    assert "3.png" in data["skipped"][0]
    assert "3.png" in result.stderr
    assert data["skipped"][0] in (report / "report.md").read_text()


def test_a_perfect_classifier_has_no_page_of_mistakes_even_where_an_earlier_report_had(
    model: Path, faces: Path, report: Path
) -> None:
    run(model, faces, "--output", report)
    (faces / "with_mask" / "12.png").unlink()

    result = run(model, faces, "--output", report)

    assert result.exit_code == 0, result.output
    assert plots_shown(report) == {path.stem for path in (report / "plots").iterdir()} == PAGE_PLOTS - {"mistakes"}


def test_faces_of_one_label_alone_can_be_evaluated(model: Path, faces: Path, report: Path) -> None:
    for path in (faces / "without_mask").iterdir():
        path.unlink()

    result = run(model, faces, "--output", report)

    assert result.exit_code == 0, result.output
    assert "precision_recall" not in plots_shown(report)


def test_the_test_faces_of_a_training_are_found_in_its_folder(
    model: Path, faces: Path, report: Path, tmp_path: Path
) -> None:
    folder = training(tmp_path / "run", faces)
    (folder / HISTORY).write_text("epoch,accuracy,loss\n0,0.8,0.5\n1,0.9,0.3\n")
    beside = folder / "float32.onnx"
    beside.write_bytes(model.read_bytes())

    result = run(beside, folder, "--output", report)

    assert result.exit_code == 0, result.output
    data = json.loads((report / "report.json").read_text())["data"]
    assert data["faces"] == 2
    assert any("mask_worn_incorrectly" in line for line in data["skipped"])
    assert "training" in plots_shown(report)


def training(folder: Path, faces: Path) -> Path:
    """The folder of a training that kept a face of each of three labels for testing."""
    folder.mkdir()
    (folder / MODEL).touch()
    labels = (*LABELS, "mask_worn_incorrectly")
    test = tuple(
        Sample(faces / where / "0.png", (0, 0, 40, 50), label, "portraits", label, whole=True)
        for where, label in zip(("with_mask", "without_mask", "with_mask"), labels, strict=True)
    )
    Run(folder, Settings(labels=labels), Parts((), (), test), "0", "drawn faces", 1.0, None, {}, {}).save()
    return folder


def test_only_faces_of_chosen_labels_are_measured(model: Path, faces: Path, report: Path) -> None:
    result = run(model, faces, "--label", "without_mask", "--output", report)

    assert result.exit_code == 0, result.output
    assert json.loads((report / "report.json").read_text())["data"]["faces"] == 8
    refused = run(model, faces, "--label", "hat", "--output", report)
    assert refused.exit_code == 2
    assert "has the labels with_mask, without_mask, not hat" in refused.stderr


@pytest.mark.parametrize(
    ("name", "expected"), [("model.txt", "expected a model file, .onnx or .keras"), ("no.keras", "no model file")]
)
def test_what_is_no_model_is_refused_with_what_was_expected(
    tmp_path: Path, faces: Path, report: Path, name: str, expected: str
) -> None:
    if name.endswith(".txt"):
        (tmp_path / name).touch()

    result = run(tmp_path / name, faces, "--output", report)

    assert result.exit_code == 2
    assert expected in result.stderr
    assert not report.exists()


def test_a_keras_file_without_its_training_is_refused(tmp_path: Path, faces: Path, report: Path) -> None:
    (tmp_path / "lone").mkdir()
    (tmp_path / "lone" / "model.keras").touch()

    result = run(tmp_path / "lone" / "model.keras", faces, "--output", report)

    assert result.exit_code == 2
    assert "run.json" in result.stderr


def test_a_training_whose_pictures_are_gone_is_refused(model: Path, faces: Path, report: Path, tmp_path: Path) -> None:
    folder = training(tmp_path / "run", faces)
    for path in faces.glob("*/*.png"):
        path.unlink()

    result = run(model, folder, "--output", report)

    assert result.exit_code == 2
    assert "no readable face" in result.stderr


def test_a_face_whose_picture_has_gone_since_the_training_is_listed(
    model: Path, faces: Path, report: Path, tmp_path: Path
) -> None:
    folder = training(tmp_path / "run", faces)
    (faces / "with_mask" / "0.png").unlink()

    result = run(model, folder, "--output", report)

    assert result.exit_code == 0, result.output
    data = json.loads((report / "report.json").read_text())["data"]
    assert data["faces"] == 1
    assert any("0.png" in line and "faces left out: 1" in line for line in data["skipped"])


def test_training_curves_carry_the_names_of_the_seed_and_leave_out_what_was_not_measured(tmp_path: Path) -> None:
    history = tmp_path / "history.csv"
    history.write_text("epoch,stage,accuracy,loss,val_accuracy,val_loss\n0,head,0.8,0.5,,\n1,all,0.9,0.3,0.85,0.4\n")

    figure = plot_training(history)

    curves = {line.get_label(): line.get_ydata() for axes in figure.axes for line in axes.get_lines()}
    assert {"train_loss", "val_loss", "train_acc", "val_acc"} <= curves.keys()
    np.testing.assert_array_equal(curves["train_acc"], [0.8, 0.9])
    np.testing.assert_array_equal(curves["val_loss"], [np.nan, 0.4])


def test_training_curves_of_a_second_look_are_those_of_the_labels(tmp_path: Path) -> None:
    history = tmp_path / "history.csv"
    columns = "face_loss,loss,probabilities_accuracy,probabilities_loss"
    validation = ",".join(f"val_{column}" for column in columns.split(","))
    history.write_text(f"epoch,stage,{columns},{validation}\n0,all,0.5,1.4,0.8,0.6,0.4,1.1,0.9,0.3\n")

    figure = plot_training(history)

    curves = {
        line.get_label(): np.asarray(line.get_ydata()).tolist() for axes in figure.axes for line in axes.get_lines()
    }
    assert curves == {"train_loss": [0.6], "val_loss": [0.3], "train_acc": [0.8], "val_acc": [0.9]}


def test_a_classifier_can_be_asked_to_decide_among_some_of_its_labels(
    make_toy_model: Callable[..., Path], faces: Path, report: Path
) -> None:
    # Of a dark face it says that the last two are equally likely, and the first of them wins.
    three = make_toy_model("three.onnx", labels=("with_mask", "mask_worn_incorrectly", "without_mask"))
    labels = ("--label", "with_mask", "--label", "without_mask")

    run(three, faces, *labels, "--output", report)
    among_all = json.loads((report / "report.json").read_text())["overall"]["confusion_matrix"]
    run(three, faces, *labels, "--restrict", "--output", report)
    figures = json.loads((report / "report.json").read_text())
    alone = run(three, faces, "--label", "with_mask", "--restrict", "--output", report)

    assert among_all == [[12, 1, 0], [0, 0, 0], [0, 8, 0]]
    assert figures["model"]["labels"] == ["with_mask", "without_mask"]
    assert figures["overall"]["confusion_matrix"] == [[12, 1], [0, 8]]
    assert "--restrict" in figures["command"]
    assert alone.exit_code == 2
    assert "expected two labels or more to decide among, got with_mask" in alone.stderr
