"""Quantisation of a detector's network: a tiny one, which finds bright squares."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import onnx
import onnxruntime
import pytest
from click.testing import CliRunner, Result
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from maskcheck.detectors.spec import DetectorSpec
from maskcheck.plugins import (
    BGRImage,
    Detections,
    NetworkDetector,
    OnnxSession,
    PluginError,
    Scales,
    SessionConfig,
    as_planes,
    network_options,
)
from maskcheck_export.commands import main
from maskcheck_export.detector_quantization.calibration import SIDE, cut_window
from maskcheck_export.detector_quantization.equalization import equalize
from maskcheck_export.detector_quantization.network import find_head, read_graph
from maskcheck_export.detector_quantization.parity import Limits, compare
from maskcheck_export.errors import DataError
from maskcheck_export.onnx_graphs.convolutions import find_stem
from maskcheck_export.onnx_graphs.versions import graph_facts

CHANNELS = 4
FACE = 32  # pixels: side of the squares that are drawn


def write_network(path: Path, *, bias: float = -6.0) -> Path:
    """Its output ``heat`` is high in cells of 8 x 8 pixels that are bright; each layer is a mean of what is below.

    A convolution, a depthwise one, one that narrows, one more, and the head. The channels of the first one have ranges
    that differ a thousandfold, which eight bits alone cannot tell.
    """
    ranges = np.array([1, 0.1, 0.01, 0.001], np.float32)
    weights = {
        "w1": np.full((CHANNELS, 3, 8, 8), 1 / (192 * 255), np.float32) * ranges[:, None, None, None],
        "b1": np.zeros(CHANNELS, np.float32),
        "w2": np.full((CHANNELS, 1, 1, 1), 1, np.float32),
        "w3": (1 / ranges).reshape(1, CHANNELS, 1, 1).repeat(2, axis=0) / CHANNELS,
        "w4": np.full((2, 2, 1, 1), 0.5, np.float32),
        "w5": np.full((1, 2, 1, 1), 6, np.float32),
        "b5": np.full(1, bias, np.float32),
    }
    nodes = [
        helper.make_node("Conv", ["picture", "w1", "b1"], ["c1"], strides=[8, 8]),
        helper.make_node("Relu", ["c1"], ["r1"]),
        helper.make_node("Conv", ["r1", "w2"], ["c2"], group=CHANNELS),
        helper.make_node("Conv", ["c2", "w3"], ["c3"]),
        helper.make_node("Conv", ["c3", "w4"], ["c4"]),
        helper.make_node("Relu", ["c4"], ["r4"]),
        helper.make_node("Conv", ["r4", "w5", "b5"], ["c5"]),
        helper.make_node("Sigmoid", ["c5"], ["heat"]),
    ]
    shape = ["N", 3, "height", "width"]
    graph = helper.make_graph(
        nodes,
        "bright squares",
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("heat", TensorProto.FLOAT, ["N", 1, "rows", "columns"])],
        [numpy_helper.from_array(np.ascontiguousarray(values), name) for name, values in weights.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=4), path)
    return path


@dataclass(frozen=True)
class SquareDetector(NetworkDetector):
    """Each bright cell is a candidate for a face of ``FACE`` pixels around it."""

    default_min_score: ClassVar[float] = 0.5
    presets: ClassVar = {"fast": Scales((1,), 10**6, 10**6), "slow": Scales((2,), 10**6, 10**6)}
    largest: ClassVar = 10**6

    preset: str = "fast"
    path: Path = Path()

    def make_session(self) -> OnnxSession:
        return OnnxSession(self.path, self.session)

    def network_inputs(self, pictures: Sequence[BGRImage]) -> dict[str, NDArray[np.float32]]:
        return {"picture": as_planes(pictures)}

    def find_candidates(self, pictures: Sequence[BGRImage]) -> list[Detections]:
        (heat,) = self.network.run(self.network_inputs(pictures))
        return [self._boxes(of_picture[0]) for of_picture in heat]

    def _boxes(self, heat: NDArray[np.float32]) -> Detections:
        rows, columns = np.nonzero(heat > 0.1)
        side = FACE * (2 if self.preset == "slow" else 1)
        centres = np.stack([columns, rows], axis=1) * 8 + 4
        boxes = np.concatenate([centres - side // 2, centres + side // 2], axis=1).astype(np.float32)
        return Detections(boxes, heat[rows, columns])


class Haarlike:
    """A detector without a network."""

    def __init__(self, preset: str) -> None:
        self.preset = preset

    def detect(self, image: BGRImage, /) -> Detections:
        raise NotImplementedError


@pytest.fixture
def detector(tmp_path: Path) -> SquareDetector:
    return SquareDetector("fast", path=write_network(tmp_path / "squares.onnx"))


@pytest.fixture
def installed(detector: SquareDetector, monkeypatch: pytest.MonkeyPatch) -> None:
    """The detector as the command finds it, and another that has no network."""

    def create(preset: str, session: SessionConfig, **others: None) -> SquareDetector:
        assert not any(others.values())
        return SquareDetector(preset, session=session, path=detector.path)

    options = network_options(SquareDetector.presets, "fast")
    specs = {
        "squares": DetectorSpec("squares", "finds squares", create, options, uses_session=True, api_version=2),
        "plain": DetectorSpec("plain", "has no network", Haarlike, options[:1], api_version=2),
    }

    class Registry:
        def find(self, name: str) -> object:
            if name not in specs:
                raise PluginError(f"no detector {name}", plugin=name)
            return type("Found", (), {"spec": specs[name]})

    monkeypatch.setattr("maskcheck.hosting.registry.default_registry", Registry)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Ten dark pictures with a bright square each, annotated."""
    folder = tmp_path / "data"
    (folder / "images").mkdir(parents=True)
    images, annotations = [], []
    for number in range(10):
        picture = np.random.default_rng(number).integers(0, 60, (96, 128, 3), dtype=np.uint8)
        x, y = 8 * (number + 1), 16
        picture[y : y + FACE, x : x + FACE] = 250
        Image.fromarray(picture).save(folder / "images" / f"{number}.png")
        images.append({"id": number, "file_name": f"{number}.png", "width": 128, "height": 96})
        annotations.append({"id": number, "image_id": number, "category_id": 1, "bbox": [x, y, FACE, FACE]})
    content = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "face"}]}
    (folder / "annotations.json").write_text(json.dumps(content))
    (tmp_path / "test.txt").write_text("7.png\n8.png\n9.png\n")
    return folder


@pytest.fixture
def quantize(data: Path, tmp_path: Path) -> Callable[..., Result]:
    def run(*options: str, name: str = "squares") -> Result:
        common = ["--leave-out", str(tmp_path / "test.txt"), "--output", str(tmp_path / "int8.onnx")]
        command = ["quantize-detector", name, str(data), *common, "--license", "MIT", *options]
        return CliRunner().invoke(main, command, catch_exceptions=False)

    return run


def prepared(detector: SquareDetector) -> onnx.ModelProto:
    return read_graph(detector.network)[0]


def noise(count: int = 3) -> Iterator[dict[str, NDArray[np.float32]]]:
    for seed in range(count):
        yield {"picture": np.random.default_rng(seed).uniform(0, 255, (1, 3, 64, 64)).astype(np.float32)}


def run_graph(
    proto: onnx.ModelProto, feeds: dict[str, NDArray[np.float32]], *outputs: str
) -> list[NDArray[np.float32]]:
    copied = onnx.ModelProto()
    copied.CopyFrom(proto)
    for name in outputs:
        copied.graph.output.append(onnx.ValueInfoProto(name=name))
    session = onnxruntime.InferenceSession(copied.SerializeToString(), providers=["CPUExecutionProvider"])
    return list(session.run(None, feeds))


@pytest.mark.usefixtures("installed")
def test_the_file_finds_the_same_and_says_what_it_was_made_of(
    quantize: Callable[..., Result], detector: SquareDetector, tmp_path: Path
) -> None:
    result = quantize("--pictures", "4", "--about-data", "drawn squares", "--json", str(tmp_path / "figures.json"))

    assert result.exit_code == 0, result.output
    proto = onnx.load(tmp_path / "int8.onnx")
    texts = {entry.key: entry.value for entry in proto.metadata_props}
    sha256 = hashlib.sha256(detector.path.read_bytes()).hexdigest()
    assert texts["maskcheck.source"] == f"squares.onnx, SHA-256 {sha256}"
    assert texts["maskcheck.license"] == "MIT"
    assert "onnxruntime" in texts["maskcheck.created_by"]
    about = json.loads(texts["maskcheck.calibrated_on"])
    assert about["data"] == "drawn squares"
    assert about["pictures"] == ["0.png", "1.png", "3.png", "5.png"]  # none of those to compare on
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert [*figures] == ["fast", "slow"]
    for of_preset in figures.values():
        assert of_preset["pictures"] == of_preset["sizes"]["all"]["faces"] == 3
        assert of_preset["boxes_lost"] == 0
    quantized = detector.running(OnnxSession(tmp_path / "int8.onnx", precision="int8"))
    image = np.zeros((96, 96, 3), np.uint8)
    image[32:64, 32:64] = 250
    assert quantized.detect(image).boxes == pytest.approx(detector.detect(image).boxes, abs=1)


@pytest.mark.usefixtures("installed")
def test_head_and_stem_stay_in_float_and_old_runtimes_read_the_file(
    quantize: Callable[..., Result], tmp_path: Path
) -> None:
    quantize("--stem", "1")

    proto = onnx.load(tmp_path / "int8.onnx")
    quantized = {name for node in proto.graph.node if node.op_type == "DequantizeLinear" for name in node.output}
    in_int8 = {node.name: node.input[0] in quantized for node in proto.graph.node if node.op_type == "Conv"}
    assert in_int8["Conv_c1"] is False
    assert in_int8["Conv_c2"] is in_int8["Conv_c3"] is in_int8["Conv_c4"] is True
    weights = {tensor.name: tensor.data_type for tensor in proto.graph.initializer}
    assert weights["w5"] == weights["w1"] == TensorProto.FLOAT
    assert (graph_facts(proto).opset, graph_facts(proto).ir_version) == (17, 8)


@pytest.mark.usefixtures("installed")
def test_a_file_that_finds_something_else_fails_the_command(
    quantize: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    blind = write_network(tmp_path / "blind.onnx", bias=-60)
    monkeypatch.setattr(
        "maskcheck_export.detector_quantization.quantization.OnnxSession",
        lambda _path, config, **_options: OnnxSession(blind, config),
    )

    result = quantize()

    assert result.exit_code == 1
    assert "FAILED: fast: share of boxes lost 1.0000 is above 0.01" in result.output


@pytest.mark.usefixtures("installed")
def test_what_cannot_be_quantised_is_an_error_that_says_why(
    quantize: Callable[..., Result], detector: SquareDetector, tmp_path: Path
) -> None:
    assert "has no method network_inputs" in quantize(name="plain").output
    quantize()
    with pytest.raises(DataError, match="quantised already"):
        read_graph(OnnxSession(tmp_path / "int8.onnx"))
    (tmp_path / "test.txt").write_text("elsewhere.png\n")
    result = quantize()
    assert (result.exit_code, "lists 0 of the 10 pictures" in result.output) == (2, True)
    assert detector.path.is_file()


def test_equalising_changes_no_output_and_gives_all_channels_one_range(detector: SquareDetector) -> None:
    graph = prepared(detector)

    equalized = equalize(graph, noise())

    for feeds in noise():
        (before, ranges), (after, equal) = run_graph(graph, feeds, "r1"), run_graph(equalized, feeds, "r1")
        assert after == pytest.approx(before, abs=1e-5)
        assert ranges.max(axis=(0, 2, 3)).min() < 0.01 * ranges.max()
        assert equal.max(axis=(0, 2, 3)).min() > 0.8 * equal.max()


def test_equalising_leaves_what_is_read_elsewhere_too(detector: SquareDetector) -> None:
    graph = prepared(detector)
    graph.graph.output.append(onnx.ValueInfoProto(name="r1"))

    equalized = equalize(graph, noise())

    assert [*equalized.graph.initializer] == [*graph.graph.initializer]


def test_a_channel_that_is_always_zero_does_no_harm(detector: SquareDetector) -> None:
    graph = prepared(detector)
    weights = next(tensor for tensor in graph.graph.initializer if tensor.name == "w1")
    values = numpy_helper.to_array(weights).copy()
    values[2] = 0
    weights.CopyFrom(numpy_helper.from_array(values, "w1"))

    (before,), (after,) = (run_graph(proto, next(noise())) for proto in (graph, equalize(graph, noise())))

    assert after == pytest.approx(before, abs=1e-5)


def test_head_and_stem_are_found_by_their_convolutions(detector: SquareDetector) -> None:
    graph = prepared(detector)

    assert set(find_head(graph)) == {"Conv_c5", "Sigmoid_heat"}
    assert find_stem(graph, 0) == []
    assert find_stem(graph, 2) == ["Conv_c1", "Relu_r1", "Conv_c2"]


@pytest.mark.parametrize("size", [(100, 700), (700, 100), (SIDE, SIDE)])
def test_windows_are_of_one_size_and_show_the_middle(size: tuple[int, int]) -> None:
    picture = np.zeros((*size, 3), np.uint8)
    picture[size[0] // 2, size[1] // 2] = 255

    window = cut_window(picture)

    assert window.shape == (SIDE, SIDE, 3)
    assert window.max() == 255


def test_a_detector_agrees_with_itself(detector: SquareDetector, data: Path) -> None:
    from maskcheck.evaluation.coco import read_coco

    parity = compare(detector, detector, read_coco(data).pictures)

    assert parity.failures(Limits()) == []
    assert (parity.score_difference, parity.boxes_lost) == (0, 0)
    assert parity.sizes["all"].loss == 0
    assert parity.sizes["all"].interval == (0, 0)
