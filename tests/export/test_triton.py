"""A model repository for Triton: its configurations, its files, and the model of the Python backend."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from numpy.typing import NDArray

pytest.importorskip("tritonclient.grpc", reason='needs `pip install "maskcheck[triton]"`')

from maskcheck import Combination, MaskPipeline
from maskcheck_export.commands import main
from maskcheck_export.triton.configs import read_config
from maskcheck_export.triton.warmup import picture_tensor

LOOK = {"haar": Combination(least=0.1, weight=0.5, offset=0.0)}


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["triton", *map(str, arguments)])


def written(folder: Path, model: Path, *options: object) -> Path:
    result = run(folder, "--model", model, *options)
    assert result.exit_code == 0, result.output
    return folder


def test_the_configuration_of_the_classifier_is_that_of_its_file(
    tmp_path: Path, make_toy_model: Callable[..., Path]
) -> None:
    model = make_toy_model(second_look=LOOK, size=24, labels=("a", "b", "c"))
    folder = written(
        tmp_path / "models",
        model,
        *("--device", "gpu", "--instances", 2, "--max-batch", 16, "--preferred-batch", 8, "--max-delay-ms", 2.5),
        *("--threads", 3),
    )

    config = read_config(folder / "maskcheck_classifier/config.pbtxt")
    assert (config.name, config.backend, config.max_batch_size) == ("maskcheck_classifier", "onnxruntime", 16)
    assert [(one.name, list(one.dims)) for one in config.input] == [("faces", [24, 24, 3])]
    assert {one.name: list(one.dims) for one in config.output} == {"probabilities": [3], "face": [1], "box": [4]}
    assert config.output[1].HasField("reshape")
    assert not config.output[1].reshape.shape  # ONNX Runtime gives one number for each crop
    assert config.dynamic_batching.max_queue_delay_microseconds == 2500
    assert list(config.dynamic_batching.preferred_batch_size) == [8]
    (group,) = config.instance_group
    assert (group.count, group.kind) == (2, group.KIND_GPU)
    assert [sample.batch_size for sample in config.model_warmup] == [1, 16]
    assert config.parameters["intra_op_thread_count"].string_value == "3"
    assert (folder / "maskcheck_classifier/labels.txt").read_text(encoding="utf-8") == "a\nb\nc\n"
    assert (folder / "maskcheck_classifier/1/model.onnx").read_bytes() == model.read_bytes()


def test_a_classifier_without_a_second_look_has_one_output(tmp_path: Path, toy_model: Path) -> None:
    folder = written(tmp_path / "models", toy_model)

    config = read_config(folder / "maskcheck_classifier/config.pbtxt")
    assert [one.name for one in config.output] == ["probabilities"]
    (group,) = config.instance_group
    assert group.kind == group.KIND_CPU


def test_the_readme_says_what_the_models_take(tmp_path: Path, toy_model: Path) -> None:
    folder = written(tmp_path / "models", toy_model, "--detector-option", "preset=fast")

    text = (folder / "README-maskcheck.md").read_text(encoding="utf-8")
    assert "UINT8 (N, 16, 16, 3)" in text
    assert "bright, dark" in text
    assert "preset=fast" in text
    assert f"-v {folder}:/models" in text


def test_the_readme_warns_of_int8_on_gpus(tmp_path: Path, make_toy_model: Callable[..., Path]) -> None:
    model = make_toy_model(precision="int8")
    on_gpu = written(tmp_path / "gpu", model, "--device", "gpu")
    on_cpu = written(tmp_path / "cpu", model)

    assert "an int8 file is slow" in (on_gpu / "README-maskcheck.md").read_text(encoding="utf-8")
    assert "an int8 file is slow" not in (on_cpu / "README-maskcheck.md").read_text(encoding="utf-8")


def test_what_is_there_is_kept_unless_it_is_to_be_replaced(
    tmp_path: Path, toy_model: Path, make_toy_model: Callable[..., Path]
) -> None:
    folder = written(tmp_path / "models", toy_model)
    other = folder / "another/config.pbtxt"
    other.parent.mkdir()
    other.write_text("of another model", encoding="utf-8")
    larger = make_toy_model("larger.onnx", size=32)

    refused = run(folder, "--model", larger)
    assert refused.exit_code == 2
    assert "--overwrite" in refused.output
    assert (folder / "maskcheck_classifier/1/model.onnx").read_bytes() == toy_model.read_bytes()

    written(folder, larger, "--overwrite")
    assert (folder / "maskcheck_classifier/1/model.onnx").read_bytes() == larger.read_bytes()
    assert other.read_text(encoding="utf-8") == "of another model"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize(
    ("model", "old", "new", "words"),
    [
        ("maskcheck_classifier", "max_batch_size: 32", "max_batch_size: many", "Triton's schema"),
        ("maskcheck_classifier", "dims: 16", "dims: 17", "declares faces TYPE_UINT8 [-1, 17, 17, 3]"),
        ("maskcheck_classifier", "TYPE_UINT8", "TYPE_FP32", "the file has faces TYPE_UINT8"),
        ("maskcheck_classifier", 'name: "probabilities"', 'name: "labels"', "declares labels"),
        ("maskcheck_classifier", 'name: "maskcheck_classifier"', 'name: "mine"', "name of the folder"),
        ("maskcheck_classifier", 'backend: "onnxruntime"', 'backend: "tensorrt"', "backend: expected"),
        ("maskcheck", "classifier.onnx", "none.onnx", "none.onnx"),
        ("maskcheck", "picture.bytes", "none.bytes", "no file warmup/none.bytes"),
    ],
)
def test_check_says_what_is_wrong(tmp_path: Path, toy_model: Path, model: str, old: str, new: str, words: str) -> None:
    folder = written(tmp_path / "models", toy_model)
    config = folder / model / "config.pbtxt"
    text = config.read_text(encoding="utf-8")
    assert old in text
    config.write_text(text.replace(old, new), encoding="utf-8")

    result = run(folder, "--check")

    assert result.exit_code == 1
    assert f"FAILED: {model}" in result.output
    assert words in result.output


def test_check_finds_a_damaged_file_and_writes_nothing(tmp_path: Path, toy_model: Path) -> None:
    folder = written(tmp_path / "models", toy_model)
    assert run(folder, "--check").exit_code == 0
    (folder / "maskcheck_classifier/1/model.onnx").write_bytes(b"no model")

    result = run(folder, "--check")

    assert result.exit_code == 1
    assert "model.onnx" in result.output
    assert (folder / "maskcheck_classifier/1/model.onnx").read_bytes() == b"no model"


def test_check_of_a_folder_without_models(tmp_path: Path) -> None:
    result = run(tmp_path, "--check")

    assert result.exit_code == 2
    assert "expected a model repository" in result.output


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--preferred-batch", 64), "expected 1 to 32"),
        (("--detector-option", "preset=none"), "preset"),
        (("--model", "none.onnx"), "none.onnx"),
    ],
)
def test_a_wrong_option_is_refused_before_anything_is_written(
    tmp_path: Path, options: tuple[object, ...], words: str
) -> None:
    result = run(tmp_path / "models", *options)

    assert result.exit_code == 2
    assert words in result.output
    assert not (tmp_path / "models").exists()


@dataclass
class FakeTensor:
    """A tensor of the Python backend."""

    label: str
    data: NDArray[Any]

    def as_numpy(self) -> NDArray[Any]:
        return self.data


@dataclass
class FakeRequest:
    """A request of the Python backend: its encoded pictures, and the outputs that it asks for."""

    pictures: list[bytes]
    wanted: list[str]

    def requested_output_names(self) -> list[str]:
        return self.wanted


@dataclass
class FakeResponse:
    """A response of the Python backend."""

    output_tensors: list[FakeTensor] = field(default_factory=list)
    error: Any = None

    def __getitem__(self, name: str) -> NDArray[Any]:
        (tensor,) = (tensor for tensor in self.output_tensors if tensor.label == name)
        return tensor.data


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """What Triton offers to a model in Python."""
    module = ModuleType("triton_python_backend_utils")
    vars(module).update(
        Tensor=FakeTensor,
        InferenceResponse=FakeResponse,
        TritonError=str,
        get_input_tensor_by_name=lambda request, name: FakeTensor(
            name, np.array(request.pictures, np.object_).reshape(-1, 1)
        ),
    )
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module


@pytest.mark.usefixtures("backend")
def test_the_whole_pipeline_as_a_model_gives_what_the_pipeline_gives(
    tmp_path: Path, toy_model: Path, examples: Path
) -> None:
    folder = written(tmp_path / "models", toy_model, "--min-score", 0.5, "--detector-option", "preset=fast")
    model = loaded(folder / "maskcheck")
    face, group = (examples / name for name in ("astronaut.jpg", "group.jpg"))
    all_outputs = ["result", "num_faces", "boxes", "labels", "confidences", "scores"]

    several, broken, tensors_only = model.execute(
        [
            FakeRequest([face.read_bytes(), b"no picture", group.read_bytes()], all_outputs),
            FakeRequest([b"no picture"], ["boxes"]),
            FakeRequest([face.read_bytes()], ["boxes", "labels"]),
        ]
    )
    model.finalize()

    pipeline = MaskPipeline(detector_options={"preset": "fast"}, model=toy_model, min_score=0.5)
    one, many = pipeline(face), pipeline(group)
    assert several.error is None
    first, second, third = (json.loads(text) for text in several["result"].ravel())
    assert first["faces"] == one.to_dict()["faces"]
    assert second["error"]["type"] == "ImageError"
    assert third["faces"] == many.to_dict()["faces"]
    assert several["num_faces"].tolist() == [[len(one)], [-1], [len(many)]]
    assert several["boxes"].shape == (3, len(many), 4)
    np.testing.assert_array_equal(several["boxes"][0, : len(one)], one.boxes)
    assert not several["boxes"][0, len(one) :].any()
    assert several["labels"][2].tolist() == [label.encode() for label in many.labels]
    np.testing.assert_array_equal(several["scores"][2], many.scores)
    np.testing.assert_allclose(several["confidences"][2], [found.confidence for found in many])

    assert "picture 0 of the request: ImageError" in broken.error
    assert [tensor.label for tensor in tensors_only.output_tensors] == ["boxes", "labels"]


def loaded(folder: Path) -> Any:
    """The model of the Python backend in a folder, as Triton loads it."""
    spec = importlib.util.spec_from_file_location("model", folder / "1/model.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    config = read_config(folder / "config.pbtxt")
    parameters = {name: {"string_value": value.string_value} for name, value in config.parameters.items()}
    model = module.TritonPythonModel()
    model.initialize(
        {
            "model_config": json.dumps({"parameters": parameters}),
            "model_repository": str(folder),
            "model_version": "1",
            "model_instance_kind": "CPU",
            "model_instance_device_id": "0",
        }
    )
    return model


def test_the_warm_up_picture_is_a_tensor_of_one_element() -> None:
    from tritonclient.utils import deserialize_bytes_tensor

    (picture,) = deserialize_bytes_tensor(picture_tensor())
    assert picture.startswith(b"\xff\xd8")  # a JPEG
