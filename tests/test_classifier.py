from __future__ import annotations

import hashlib
import pickle
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from maskcheck import MaskClassifier, ModelError, ModelMetadataError, ModelSignatureError
from maskcheck.classifier.api import Classifier
from maskcheck.runtime.installed import import_runtime
from maskcheck.runtime.providers import CPU
from maskcheck.runtime.session import OnnxSession
from maskcheck.stages import StageDescription


def classifier_of(model: Path, **others: Any) -> MaskClassifier:
    return MaskClassifier(model, **{"device": "cpu", "threads": 1, **others})


def flat(*brightness: int, size: int = 16) -> NDArray[np.uint8]:
    """Crops of one brightness each."""
    return np.stack([np.full((size, size, 3), value, np.uint8) for value in brightness])


def mixed(count: int) -> NDArray[np.uint8]:
    """Crops that differ, around the brightness at which the toy model's label changes."""
    generator = np.random.default_rng(3)
    levels = generator.integers(60, 196, (count, 1, 1, 1))
    return np.asarray(levels + generator.integers(-40, 40, (count, 16, 16, 3)), np.uint8)


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Sizes of the batches that went to ONNX Runtime."""
    sizes: list[int] = []
    run = OnnxSession.run

    def spy(session: OnnxSession, feeds: Any) -> Any:
        sizes.append(len(feeds["faces"]))
        return run(session, feeds)

    monkeypatch.setattr(OnnxSession, "run", spy)
    return sizes


# --- What it says


@pytest.mark.parametrize("labels", [("bright", "dark"), ("zebra", "ant", "mule"), ("only",)])
def test_labels_are_those_of_the_file_in_its_order(
    make_toy_model: Callable[..., Path], labels: tuple[str, ...]
) -> None:
    classifier = classifier_of(make_toy_model(labels=labels))

    assert classifier.labels == labels
    assert classifier.info.labels == labels


def test_each_crop_gets_the_probability_of_each_label_in_their_order(toy_model: Path) -> None:
    # The toy model's logits are ((brightness - 127.5) / 10, 0).
    probabilities = classifier_of(toy_model)(flat(0, 130, 255))

    expected = [1 / (1 + np.exp(-(value - 127.5) / 10)) for value in (0, 130, 255)]
    np.testing.assert_allclose(probabilities[:, 0], expected, rtol=1e-4)
    assert probabilities.argmax(axis=1).tolist() == [1, 0, 0]


@pytest.mark.parametrize("labels", [("bright", "dark"), ("zebra", "ant", "mule")])
def test_probabilities_are_float32_rows_that_sum_to_1(
    make_toy_model: Callable[..., Path], labels: tuple[str, ...]
) -> None:
    probabilities = classifier_of(make_toy_model(labels=labels))(mixed(9))

    assert probabilities.shape == (9, len(labels))
    assert probabilities.dtype == np.float32
    assert probabilities.min() >= 0
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)


def test_the_description_names_the_file_its_hash_and_how_it_runs(toy_model: Path) -> None:
    classifier: Classifier = classifier_of(toy_model, threads=3)

    assert isinstance(classifier, MaskClassifier)
    assert classifier.describe() == StageDescription(
        model=toy_model.name,
        model_sha256=hashlib.sha256(toy_model.read_bytes()).hexdigest(),
        providers=(CPU,),
        threads=3,
        precision="float32",
    )


def test_the_path_is_that_of_the_file(toy_model: Path) -> None:
    assert classifier_of(toy_model).path == str(toy_model)


def test_a_warm_classifier_needs_its_file_no_longer(toy_model: Path) -> None:
    classifier = classifier_of(toy_model)
    classifier.warm_up()
    toy_model.unlink()

    assert classifier(flat(255)).argmax(axis=1).tolist() == [0]


# --- Batches


@pytest.mark.parametrize(
    ("count", "batch_size", "expected"),
    [(1, 4, [1]), (4, 4, [4]), (5, 4, [4, 1]), (12, 4, [4, 4, 4]), (3, 1, [1, 1, 1]), (40, None, [32, 8])],
)
def test_no_run_has_more_crops_than_the_batch_size(
    toy_model: Path, runs: list[int], count: int, batch_size: int | None, expected: list[int]
) -> None:
    classifier = classifier_of(toy_model, **({} if batch_size is None else {"batch_size": batch_size}))

    probabilities = classifier(mixed(count))

    assert runs == expected
    assert len(probabilities) == count


def test_results_do_not_depend_on_the_batch_size_and_keep_the_order(toy_model: Path) -> None:
    crops = mixed(11)
    alone = np.concatenate([classifier_of(toy_model)(crops[index : index + 1]) for index in range(11)])

    assert len(np.unique(alone[:, 0])) == 11
    for batch_size in (1, 3, 32):
        np.testing.assert_allclose(classifier_of(toy_model, batch_size=batch_size)(crops), alone, rtol=1e-5)


@pytest.mark.parametrize("labels", [("bright", "dark"), ("zebra", "ant", "mule")])
def test_no_crops_give_no_rows_and_no_run(
    make_toy_model: Callable[..., Path], runs: list[int], labels: tuple[str, ...]
) -> None:
    probabilities = classifier_of(make_toy_model(labels=labels))(np.empty((0, 16, 16, 3), np.uint8))

    assert probabilities.shape == (0, len(labels))
    assert probabilities.dtype == np.float32
    assert runs == []


@pytest.mark.parametrize("batch_size", [0, -1])
def test_a_batch_size_below_1_is_refused(toy_model: Path, batch_size: int) -> None:
    with pytest.raises(ValueError, match=f"batch_size: expected 1 or more, got {batch_size}"):
        MaskClassifier(toy_model, batch_size=batch_size)


@pytest.mark.parametrize("view", ["mirrored", "every other", "channels swapped"])
def test_crops_that_are_views_are_classified_like_their_copies(toy_model: Path, view: str) -> None:
    crops = mixed(8)
    crops[:, :, :8] //= 3
    views = {"mirrored": crops[:, :, ::-1], "every other": crops[::2], "channels swapped": crops[..., ::-1]}
    classifier = classifier_of(toy_model)

    np.testing.assert_array_equal(classifier(views[view]), classifier(np.ascontiguousarray(views[view])))


# --- Crops that do not fit


@pytest.mark.parametrize(
    ("crops", "got"),
    [
        (flat(0).astype(np.float32), "float32 of shape (1, 16, 16, 3)"),
        (flat(0).astype(np.int64), "int64 of shape (1, 16, 16, 3)"),
        (flat(0)[0], "uint8 of shape (16, 16, 3)"),
        (flat(0, size=17), "uint8 of shape (1, 17, 17, 3)"),
        (np.zeros((1, 3, 16, 16), np.uint8), "uint8 of shape (1, 3, 16, 16)"),
        (np.zeros((1, 16, 16, 4), np.uint8), "uint8 of shape (1, 16, 16, 4)"),
        (np.zeros((0, 0, 0, 3), np.uint8), "uint8 of shape (0, 0, 0, 3)"),
        (np.zeros((), np.uint8), "uint8 of shape ()"),
        ([[1, 2], [3, 4]], "list"),
        (None, "NoneType"),
    ],
)
def test_crops_of_another_shape_or_type_are_refused_with_what_was_expected_and_what_came(
    toy_model: Path, runs: list[int], crops: Any, got: str
) -> None:
    with pytest.raises(ValueError, match=r"^crops: expected uint8 of shape \(N, 16, 16, 3\) RGB, got ") as refused:
        classifier_of(toy_model)(crops)

    assert str(refused.value).split(", got ")[1].startswith(got)
    assert runs == []


# --- Models that do not fit


def rebuilt(path: Path, change: Callable[[Any], None]) -> Path:
    model = onnx.load(path)
    change(model)
    onnx.save(model, path)
    return path


def test_a_model_without_metadata_is_refused(make_toy_model: Callable[..., Path]) -> None:
    model = make_toy_model(metadata={})

    with pytest.raises(ModelMetadataError, match=r"has no metadata maskcheck\.schema, maskcheck\.labels") as refused:
        _ = classifier_of(model).info

    assert refused.value.path == str(model)


EXPECTED = "faces tensor(uint8) (N, 16, 16, 3) -> probabilities tensor(float) (N, 2)"


@pytest.mark.parametrize(
    ("differently", "got"),
    [
        ({"input_name": "image"}, "image tensor(uint8) ['N', 16, 16, 3] -> "),
        ({"input_type": onnx.TensorProto.FLOAT}, "faces tensor(float) ['N', 16, 16, 3] -> "),
    ],
)
def test_a_model_with_another_input_is_refused(
    make_toy_model: Callable[..., Path], differently: dict[str, Any], got: str
) -> None:
    model = make_toy_model(**differently)

    with pytest.raises(ModelSignatureError) as refused:
        _ = classifier_of(model).info

    assert refused.value.path == str(model)
    assert f"expected {EXPECTED} with N free, got {got}" in str(refused.value)


def declare(key: str, value: str) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        next(entry for entry in model.metadata_props if entry.key == key).value = value

    return change


def fix_the_batch(model: Any) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1


def free_the_size(model: Any) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_param = "H"


def rename_the_output(model: Any) -> None:
    model.graph.output[0].name = model.graph.node[-1].output[0] = "scores"


def add_an_output(model: Any) -> None:
    model.graph.output.append(onnx.helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, ["N", 2]))


def add_an_input(model: Any) -> None:
    model.graph.input.append(onnx.helper.make_tensor_value_info("training", onnx.TensorProto.BOOL, []))


def widen_the_output(model: Any) -> None:
    model.graph.node.append(
        onnx.helper.make_node("Cast", ["probabilities"], ["wide"], to=onnx.TensorProto.DOUBLE),
    )
    model.graph.node[-2].output[0] = "narrow"
    model.graph.node[-1].input[0] = "narrow"
    model.graph.node[-1].output[0] = "probabilities"
    model.graph.output[0].type.tensor_type.elem_type = onnx.TensorProto.DOUBLE


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(declare("maskcheck.input_size", "32"), id="declares another size"),
        pytest.param(declare("maskcheck.labels", '["a", "b", "c"]'), id="declares more labels"),
        pytest.param(declare("maskcheck.labels", '["a"]'), id="declares fewer labels"),
        pytest.param(fix_the_batch, id="takes batches of 1 only"),
        pytest.param(free_the_size, id="takes any height"),
        pytest.param(rename_the_output, id="output of another name"),
        pytest.param(widen_the_output, id="output of another type"),
        pytest.param(add_an_output, id="two outputs"),
        pytest.param(add_an_input, id="two inputs"),
    ],
)
def test_a_model_that_is_no_mask_classifier_is_refused(toy_model: Path, change: Callable[[Any], None]) -> None:
    classifier = classifier_of(rebuilt(toy_model, change))

    with pytest.raises(ModelSignatureError, match=r"is no mask classifier: expected faces .*maskcheck-export convert"):
        classifier(flat(0))


@pytest.mark.parametrize(
    "use",
    [
        pytest.param(lambda classifier: classifier(flat(0)), id="called"),
        pytest.param(MaskClassifier.warm_up, id="warmed up"),
        pytest.param(MaskClassifier.describe, id="described"),
    ],
)
def test_a_file_that_is_no_onnx_is_refused_on_first_use_and_not_before(
    tmp_path: Path, use: Callable[[MaskClassifier], object]
) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(b"broken")

    classifier = classifier_of(path)

    with pytest.raises(ModelError, match="cannot load"):
        use(classifier)


# --- Cutting


@pytest.mark.parametrize("size", [8, 16, 40])
def test_crops_have_the_size_of_the_model(
    make_toy_model: Callable[..., Path], halves: NDArray[np.uint8], size: int
) -> None:
    classifier = classifier_of(make_toy_model(size=size))

    crops = classifier.crop(halves, np.array([[5, 10, 35, 40], [60, 10, 90, 40]], np.float32))

    assert crops.shape == (2, size, size, 3)
    assert crops.dtype == np.uint8
    assert classifier(crops).argmax(axis=1).tolist() == [0, 1]


@pytest.mark.parametrize(
    ("margin", "bright_share"),
    # The box spans x from 50 to 60, wholly in the black half; with a margin, some of the white half comes in.
    [(0.0, 0.0), (0.5, 5 / 20), (1.0, 10 / 30)],
)
def test_crops_have_the_margin_of_the_model(
    make_toy_model: Callable[..., Path], halves: NDArray[np.uint8], margin: float, bright_share: float
) -> None:
    classifier = classifier_of(make_toy_model(margin=margin, size=20))

    (crop,) = classifier.crop(halves, np.array([[50, 25, 60, 35]], np.float64))

    assert crop.mean() / 255 == pytest.approx(bright_share, abs=0.03)


def test_crops_are_rgb(toy_model: Path) -> None:
    blue = np.zeros((20, 20, 3), np.uint8)
    blue[..., 0] = 255

    (crop,) = classifier_of(toy_model).crop(blue, np.array([[2, 2, 18, 18]], np.float32))

    assert crop[0, 0].tolist() == [0, 0, 255]


def test_no_boxes_give_no_crops(toy_model: Path, halves: NDArray[np.uint8]) -> None:
    crops = classifier_of(toy_model).crop(halves, np.empty((0, 4), np.float32))

    assert crops.shape == (0, 16, 16, 3)


# --- Threads and processes


@pytest.mark.parametrize("used", [False, True])
def test_a_classifier_can_be_pickled(toy_model: Path, used: bool) -> None:
    classifier = classifier_of(toy_model, threads=3, batch_size=5)
    if used:
        classifier(flat(0, 255))

    copy = pickle.loads(pickle.dumps(classifier))

    assert (copy.path, copy.threads, copy.batch_size) == (str(toy_model), 3, 5)
    assert copy.labels == classifier.labels
    np.testing.assert_array_equal(copy(mixed(7)), classifier(mixed(7)))


def test_threads_that_share_a_classifier_load_it_once_and_get_their_own_results(
    toy_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Any] = []
    runtime = import_runtime()
    session_class = runtime.InferenceSession

    def spy(*args: Any, **options: Any) -> Any:
        made.append(args)
        return session_class(*args, **options)

    monkeypatch.setattr(runtime, "InferenceSession", spy)
    threads = 32
    classifier = classifier_of(toy_model, batch_size=4)
    batches = [mixed(1 + index % 9) + np.uint8(index) for index in range(threads)]
    start = threading.Barrier(threads)

    def classify(index: int) -> list[NDArray[np.float32]]:
        start.wait(timeout=60)
        return [classifier(batches[(index + turn) % threads]) for turn in range(8)]

    with ThreadPoolExecutor(threads) as pool:
        together = list(pool.map(classify, range(threads)))

    assert len(made) == 1
    alone = [classifier_of(toy_model, batch_size=4)(batch) for batch in batches]
    for index, results in enumerate(together):
        for turn, result in enumerate(results):
            np.testing.assert_array_equal(result, alone[(index + turn) % threads])
