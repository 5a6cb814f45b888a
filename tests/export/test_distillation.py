"""A small classifier that learns the answers of a teacher: what it is taught, and what comes out of the training."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import onnx
import pytest
from click.testing import CliRunner, Result
from drawn_faces import draw_folders
from onnxruntime import InferenceSession, SessionOptions
from PIL import Image

from maskcheck import MaskClassifier
from maskcheck.classifier.second_look import Combination
from maskcheck.errors import ModelNotFound
from maskcheck_export.commands import main
from maskcheck_export.conversion.graph import to_onnx
from maskcheck_export.conversion.precision import Quantization, quantize
from maskcheck_export.data.samples import Sample
from maskcheck_export.errors import DataError
from maskcheck_export.evaluation.prediction import read_crops
from maskcheck_export.recipes.reading import read_recipe
from maskcheck_export.recipes.settings import DataSource, Distillation, Input, SecondLook, Settings
from maskcheck_export.training.distillation import SoftCrossentropy, Teacher
from maskcheck_export.training.network import build_network

# TensorFlow and its converters warn about their own code.
pytestmark = pytest.mark.filterwarnings("default")

LABELS = ("with_mask", "without_mask")
LOOKS = {"some": Combination(least=0.1, weight=0.0, offset=0.0)}
PLACE = (0.1, -0.2, 0.3, -0.4)
MakeModel = Callable[..., Path]


def settings_of(teacher: Path | str, *, second_look: bool = False) -> Settings:
    return Settings(
        labels=LABELS,
        data=(DataSource(path="crowd", proposals=1.0 if second_look else 0.0),),
        input=Input(size=75, margin=0.1),
        distillation=Distillation(teacher=str(teacher)),
        second_look=SecondLook(detectors=("haar",) if second_look else ()),
    )


def teacher_of(settings: Settings) -> Teacher:
    teacher = Teacher.of(settings)
    assert teacher is not None
    return teacher


def crops_of(*colours: tuple[int, int, int]) -> np.ndarray:
    return np.stack([np.full((75, 75, 3), colour, np.uint8) for colour in colours])


BRIGHT, DARK, RED = (240, 240, 240), (20, 20, 20), (250, 5, 5)


def test_the_targets_are_the_answers_of_the_teacher_and_a_proposal_that_is_no_face_teaches_no_label(
    make_toy_model: MakeModel,
) -> None:
    path = make_toy_model(labels=LABELS, margin=0.1, second_look=LOOKS, place=PLACE)
    crops = crops_of(BRIGHT, DARK, RED)  # the first two are labelled faces, the third a proposal

    targets, counts = teacher_of(settings_of(path, second_look=True)).teach(
        crops, {"probabilities": np.array([1, 2, 0], np.float32)}
    )

    assert targets["probabilities"][:2].round(2).tolist() == [[1, 0], [0, 1]]
    assert targets["face"].shape == (3, 1)
    assert targets["face"][:, 0] == pytest.approx([0.95, 0.95, 0], abs=0.01)
    assert targets["box"][0] == pytest.approx(PLACE)
    assert counts["probabilities"] == pytest.approx([1, 2, 0], abs=0.01)
    assert counts["face"].tolist() == [1, 1, 1]
    assert counts["box"] == pytest.approx([0.95, 0.95, 0], abs=0.01)


def test_a_teacher_of_another_kind_is_refused_before_the_training(make_toy_model: MakeModel, tmp_path: Path) -> None:
    other = make_toy_model("other.onnx", labels=("a", "b"), margin=0.1)
    wide = make_toy_model("wide.onnx", labels=LABELS, margin=0.3)
    labels_only = make_toy_model("labels.onnx", labels=LABELS, margin=0.1)

    with pytest.raises(DataError, match=r"expected labels with_mask, without_mask .* got a, b"):
        Teacher.of(settings_of(other))
    with pytest.raises(DataError, match=r"a margin of 0\.1, got .* and 0.3"):
        Teacher.of(settings_of(wide))
    with pytest.raises(DataError, match="has no second look"):
        Teacher.of(settings_of(labels_only, second_look=True))
    with pytest.raises(ModelNotFound):
        Teacher.of(settings_of(tmp_path / "absent.onnx"))


def test_the_loss_is_least_where_the_student_agrees_and_a_higher_temperature_looks_at_unlikely_labels() -> None:
    truth = np.array([[0.9, 0.09, 0.01]], np.float32)
    near, far = (np.array([[0.9, *rest]], np.float32) for rest in ((0.08, 0.02), (0.02, 0.08)))

    def loss(predicted: np.ndarray, temperature: float) -> float:
        return float(SoftCrossentropy(temperature)(truth, predicted))

    for temperature in (1.0, 2.0):
        assert loss(truth, temperature) < loss(near, temperature) < loss(far, temperature)
    assert loss(far, 4.0) - loss(truth, 4.0) > loss(far, 1.0) - loss(truth, 1.0)
    plain = keras.losses.CategoricalCrossentropy()(truth, near)
    assert loss(near, 1.0) == pytest.approx(float(plain), rel=1e-5)


def test_a_body_with_other_weights_is_an_error_that_names_the_body(tmp_path: Path) -> None:
    build_network(size=75, classes=2, weights="none", dropout=0.0).save(tmp_path / "model.keras")

    with pytest.raises(DataError, match="does not fit mobilenet_v2 without its top"):
        build_network(
            size=75, classes=2, weights=str(tmp_path / "model.keras"), dropout=0.0, architecture="mobilenet_v2"
        )


def test_the_small_recipe_learns_what_the_default_recipe_does_on_the_same_split() -> None:
    small, default = read_recipe("small"), read_recipe("default")

    assert (small.labels, small.data, small.split, small.seed) == (
        *(default.labels, default.data, default.split, default.seed),
    )
    assert small.augmentation == default.augmentation
    assert small.input.margin == default.input.margin
    assert small.network.architecture == "mobilenet_v2"
    assert small.distillation.teacher == "default"


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], catch_exceptions=False)


@pytest.fixture
def dark_faces(tmp_path: Path) -> Path:
    """The folder of a data set of 40 dark pictures, three quarters of them labelled as masked."""
    for number in range(40):
        folder = tmp_path / "dark" / LABELS[number % 4 == 3]
        folder.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 60, (64, 64, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return tmp_path / "dark"


def test_a_student_says_what_its_teacher_says_and_not_what_the_labels_say(
    make_toy_model: MakeModel, dark_faces: Path, tmp_path: Path
) -> None:
    teacher = make_toy_model("teacher.onnx", labels=LABELS, margin=0.2)  # of dark crops: without_mask
    folder = tmp_path / "run"

    result = run(
        *("train", "small", "--data-root", dark_faces.parent, "--run", folder, "--weights", "none"),
        *("--set", "data=[{path='dark'}]", "--set", f"labels={list(LABELS)}", "--set", "input.size=75"),
        *("--set", "training.label_weights='none'", "--set", "training.batch_size=8"),
        *("--set", "augmentation.masks.worn=0", "--set", "augmentation.masks.incorrect=0"),
        *("--set", "augmentation.landmarks='haar'", "--set", "split.near_duplicates=-1"),
        *("--set", f"distillation.teacher='{teacher}'", "--set", "training.temperature=false"),
        *("--set", "stages.head.epochs=2", "--set", "stages.head.learning_rate=0.3", "--set", "stages.all.epochs=0"),
    )

    assert result.exit_code == 0, result.output
    record = json.loads((folder / "run.json").read_text())
    assert "by the answers of teacher.onnx, SHA-256" in record["trained_on"]
    assert run("convert", folder, "--license", "MIT", "--precision", "int8").exit_code == 0
    student = MaskClassifier(folder / "int8.onnx", device="cpu")
    assert student(crops_of(DARK, DARK)).argmax(axis=1).tolist() == [1, 1]
    assert (folder / "int8.onnx").stat().st_size < 4e6
    operators = [node.op_type for node in onnx.load(folder / "int8.onnx").graph.node]
    assert operators.count("Clip") == 2  # only the first convolution and the first depthwise one are computed in float


def test_int8_of_a_mobilenet_says_much_the_same_places(tmp_path: Path) -> None:
    samples = [
        Sample(path, (0.0, 0.0, 64.0, 64.0), label=path.parent.name, dataset="drawn", group=path.stem, whole=True)
        for path in sorted(draw_folders(tmp_path, 40).rglob("*.png"))
    ]
    crops = np.stack(list(read_crops(samples, size=75, margin=0.2)))
    keras.utils.set_random_seed(1)
    network = build_network(
        size=75, classes=2, weights="none", dropout=0.0, second_look=True, architecture="mobilenet_v2"
    )
    body = network.get_layer("mobilenet_v2")
    normalisations = [layer for layer in body.layers if isinstance(layer, keras.layers.BatchNormalization)]
    for layer in normalisations:
        layer.momentum = 0.0  # so that a single batch makes the averages
    network(crops.astype(np.float32), training=True)
    normalisations[-1].gamma.assign(4 * normalisations[-1].gamma)  # many features beyond the limit of 6

    floating = to_onnx(network, 75)
    small = quantize(floating, Quantization(reduce_range=False), samples, Input(size=75, margin=0.2))

    options = SessionOptions()
    options.add_session_config_entry("session.x64quantprecision", "1")  # else 8-bit weights saturate without VNNI
    sessions = (InferenceSession(proto.SerializeToString(), options) for proto in (floating, small))
    exact, rounded = (session.run(["box"], {"faces": crops})[0] for session in sessions)
    # Random weights magnify the rounding of 52 layers; a limit that is lost gives a correlation below 0.
    assert np.corrcoef(exact.ravel(), rounded.ravel())[0, 1] > 0.6
    assert rounded.std() == pytest.approx(exact.std(), rel=0.3)
