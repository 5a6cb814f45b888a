"""Pictures and small models that the tests share. Nothing here needs a network or files outside the project."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from click.testing import CliRunner, Result
from numpy.typing import NDArray
from onnx import TensorProto, helper

from maskcheck import ModelInfo
from maskcheck.classifier.second_look import Combination
from maskcheck.classifier.tuned_choices import TunedChoice, save_choice
from maskcheck.commands import main
from maskcheck.runtime.cpu import int8_features
from maskcheck.runtime.providers import CPU


@pytest.fixture(scope="session", autouse=True)
def ctrl_c() -> None:
    """Lets Ctrl-C reach the programs that tests start: they inherit that a background job of a shell ignores it."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def config_dir(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the user's configuration, which is empty: what is tuned on this machine must not matter."""
    folder = tmp_path_factory.mktemp("config")
    monkeypatch.setenv("MASKCHECK_CONFIG_DIR", str(folder))
    return folder


@pytest.fixture
def examples() -> Path:
    """The folder of sample pictures."""
    return Path(__file__).parents[1] / "examples"


@pytest.fixture
def portrait(examples: Path) -> Path:
    """A picture with one bare face, which the default detector finds."""
    return examples / "astronaut.jpg"


@pytest.fixture
def masked_portrait(examples: Path) -> Path:
    """A picture with one masked face, which the default detector finds."""
    return examples / "astronaut_white_mask.jpg"


@pytest.fixture
def cpu_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Gives the CPU these instructions for int8, by the names of Linux."""

    def give(*flags: str) -> None:
        cpuinfo = tmp_path / f"cpuinfo of {'-'.join(flags) or 'none'}"
        cpuinfo.write_text(f"flags\t\t: fpu {' '.join(flags)}\n")
        monkeypatch.setattr("maskcheck.runtime.precision.int8_features", partial(int8_features, cpuinfo))

    return give


@pytest.fixture
def make_toy_model(tmp_path: Path) -> Callable[..., Path]:
    """Makes small classifiers: the brighter a crop, the likelier the first label. By keyword, other metadata.

    With `second_look`, of schema 2: a red crop is no face (0), a grey one is (0.95), and every face lies at `place`.
    """

    def make(
        name: str = "toy.onnx",
        *,
        labels: tuple[str, ...] = ("bright", "dark"),
        size: int = 16,
        margin: float = 0.0,
        precision: str = "float32",
        metadata: dict[str, str] | None = None,
        input_name: str = "faces",
        input_type: int = TensorProto.UINT8,
        second_look: Mapping[str, Combination] | None = None,
        place: tuple[float, float, float, float] = (0, 0, 0, 0),
    ) -> Path:
        info = ModelInfo(
            labels=labels,
            input_size=size,
            crop_margin=margin,
            license="MIT",
            trained_on="nothing: weights set by hand",
            created_by="tests",
            precision=precision,
            second_look=second_look,
        )
        # logits = [mean brightness - 127.5, 0, ...] / 10, then softmax
        weights = np.zeros((1, len(labels)), np.float32)
        weights[0, 0] = 0.1
        bias = np.zeros(len(labels), np.float32)
        bias[0] = -12.75
        nodes, outputs, constants = ([], [], []) if second_look is None else _second_look(place)
        graph = helper.make_graph(
            [
                helper.make_node("Cast", [input_name], ["float"], to=TensorProto.FLOAT),
                helper.make_node("ReduceMean", ["float"], ["brightness"], axes=[1, 2, 3], keepdims=0),
                helper.make_node("Unsqueeze", ["brightness", "axis"], ["column"]),
                helper.make_node("Gemm", ["column", "weights", "bias"], ["logits"]),
                helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
                *nodes,
            ],
            "toy",
            [helper.make_tensor_value_info(input_name, input_type, ["N", size, size, 3])],
            # In the order of the files of `maskcheck-export`: who takes the first output, takes the wrong one.
            [*outputs, helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", len(labels)])],
            [
                helper.make_tensor("axis", TensorProto.INT64, [1], [1]),
                helper.make_tensor("weights", TensorProto.FLOAT, weights.shape, weights.ravel()),
                helper.make_tensor("bias", TensorProto.FLOAT, bias.shape, bias),
                *constants,
            ],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        helper.set_model_props(model, info.to_metadata() if metadata is None else metadata)
        path = tmp_path / name
        onnx.save(model, path)
        return path

    return make


def _second_look(place: tuple[float, float, float, float]) -> tuple[list[Any], list[Any], list[Any]]:
    """Nodes, outputs and constants of the outputs ``face`` and ``box`` of a small classifier."""
    nodes = [
        helper.make_node("ReduceMean", ["float"], ["colour"], axes=[1, 2], keepdims=0),
        helper.make_node("Gemm", ["colour", "redness", "three"], ["face_logit"]),  # 3 - (red - blue) / 10
        helper.make_node("Squeeze", ["face_logit", "axis"], ["face_logits"]),
        helper.make_node("Sigmoid", ["face_logits"], ["face"]),
        helper.make_node("Gemm", ["colour", "nothing", "place"], ["box"]),
    ]
    outputs = [
        helper.make_tensor_value_info("box", TensorProto.FLOAT, ["N", 4]),
        helper.make_tensor_value_info("face", TensorProto.FLOAT, ["N"]),
    ]
    constants = [
        helper.make_tensor("redness", TensorProto.FLOAT, [3, 1], [-0.1, 0, 0.1]),
        helper.make_tensor("three", TensorProto.FLOAT, [1], [3]),
        helper.make_tensor("nothing", TensorProto.FLOAT, [3, 4], [0] * 12),
        helper.make_tensor("place", TensorProto.FLOAT, [4], place),
    ]
    return nodes, outputs, constants


@pytest.fixture
def toy_model(make_toy_model: Callable[..., Path]) -> Path:
    """A small classifier with the labels ``bright`` and ``dark``."""
    return make_toy_model()


@pytest.fixture
def quantized(make_toy_model: Callable[..., Path]) -> Path:
    """A model whose metadata says that it is an int8 file."""
    return make_toy_model("int8.onnx", precision="int8")


@pytest.fixture
def tune(quantized: Path) -> Callable[..., TunedChoice]:
    """Keeps a choice for the int8 model of `quantized`, in which everything differs from the defaults."""

    def keep(**others: Any) -> TunedChoice:
        choice = TunedChoice(CPU, "float32", threads=3, batch_size=7)
        choice = replace(choice, **others)
        save_choice(quantized, choice)
        return choice

    return keep


@pytest.fixture
def install_plugin(tmp_path: Path) -> Callable[[str, str], Path]:
    """Puts the source of a plugin, with the metadata of a distribution, into a folder for ``PYTHONPATH``."""

    def install(name: str, source: str) -> Path:
        site = tmp_path / "site"
        metadata = site / f"{name}-1.dist-info"
        metadata.mkdir(parents=True)
        (site / f"{name}.py").write_text(source)
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        (metadata / "entry_points.txt").write_text(f"[maskcheck]\n{name} = {name}\n")
        return site

    return install


@pytest.fixture
def halves() -> NDArray[np.uint8]:
    """A picture of 100 x 60 pixels (BGR), white on its left half and black on its right."""
    picture = np.zeros((60, 100, 3), np.uint8)
    picture[:, :50] = 255
    return picture


@pytest.fixture
def batch(toy_model: Path) -> Callable[..., Result]:
    """Runs ``maskcheck batch`` with a small model, each picture being a face."""

    def run(*arguments: str | Path) -> Result:
        options = ["--detector", "whole-picture", "--model", str(toy_model), "--workers", "1"]
        return CliRunner().invoke(main, ["batch", *map(str, arguments), *options])

    return run
