"""Classifier files of strangers: whatever is in them, the answer is an error that names the file, in bounded time."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

from maskcheck import (
    MaskClassifier,
    MaskPipeline,
    ModelError,
    ModelMetadataError,
    ModelOutputError,
    ModelSignatureError,
    ModelTimeout,
)
from maskcheck.runtime.config import SessionConfig
from maskcheck.runtime.onnx_file import has_external_data, has_seven_bit_weights, metadata_not_in_utf8
from maskcheck.runtime.session import OnnxSession

Build = Callable[..., Path]


def flat(*brightness: int) -> NDArray[np.uint8]:
    return np.stack([np.full((16, 16, 3), value, np.uint8) for value in brightness])


@pytest.fixture
def build(make_toy_model: Callable[..., Path]) -> Build:
    """The toy model, of which the probabilities go through further nodes before they are given."""

    def made(*nodes: Any, weights: tuple[Any, ...] = (), name: str = "strange.onnx") -> Path:
        path = make_toy_model(name)
        model = onnx.load(path)
        model.graph.node[-1].output[0] = "p"
        model.graph.node.extend(nodes)
        model.graph.initializer.extend(weights)
        onnx.save(model, path)
        return path

    return made


def one_number(name: str, value: float) -> Any:
    return helper.make_tensor(name, TensorProto.FLOAT, [], [value])


def endless_loop(rounds: int = 2**62) -> tuple[list[Any], tuple[Any, ...]]:
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["go_on"]), helper.make_node("Identity", ["in"], ["out"])],
        "body",
        [
            helper.make_tensor_value_info("round", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("in", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("out", TensorProto.FLOAT, None),
        ],
    )
    weights = (
        helper.make_tensor("rounds", TensorProto.INT64, [], [rounds]),
        helper.make_tensor("yes", TensorProto.BOOL, [], [True]),
    )
    return [helper.make_node("Loop", ["rounds", "yes", "p"], ["probabilities"], body=body)], weights


# --- Outputs

NO_PROBABILITIES = {
    "not a number": (
        [helper.make_node("Sub", ["p", "two"], ["n"]), helper.make_node("Sqrt", ["n"], ["probabilities"])]
    ),
    "infinite": [helper.make_node("Div", ["p", "zero"], ["probabilities"])],
    "twice as much": [helper.make_node("Mul", ["p", "two"], ["probabilities"])],
    "a little too much": [helper.make_node("Mul", ["p", "bit"], ["probabilities"])],
    "below zero": [
        helper.make_node("Sub", ["p", "two"], ["n"]),
        helper.make_node("Concat", ["n", "n"], ["c"], axis=1),
        helper.make_node("Slice", ["c", "a", "b"], ["probabilities"]),
    ],
}
WEIGHTS = (
    one_number("zero", 0),
    one_number("two", 2),
    one_number("bit", 1.002),
    helper.make_tensor("a", TensorProto.INT64, [2], [0, 0]),
    helper.make_tensor("b", TensorProto.INT64, [2], [99, 2]),
)


@pytest.mark.parametrize("nodes", NO_PROBABILITIES.values(), ids=NO_PROBABILITIES)
def test_output_that_is_not_probabilities_is_refused_at_every_run(build: Build, nodes: list[Any]) -> None:
    path = build(*nodes, weights=WEIGHTS)
    classifier = MaskClassifier(path, device="cpu", threads=1)

    for _ in range(2):
        with pytest.raises(ModelOutputError, match=r"gives no probabilities: expected numbers from 0 to 1") as refused:
            classifier(flat(10, 200))
        assert refused.value.path == str(path)


def test_fewer_rows_than_crops_are_refused(build: Build) -> None:
    # The file declares (N, 2), and gives the first row alone.
    first = helper.make_node("Slice", ["p", "a", "b"], ["probabilities"])
    ends = helper.make_tensor("a", TensorProto.INT64, [1], [0]), helper.make_tensor("b", TensorProto.INT64, [1], [1])
    path = build(first, weights=ends)

    with pytest.raises(ModelOutputError, match=r"expected shape \(3, 2\), got \(1, 2\)"):
        MaskClassifier(path, device="cpu", threads=1)(flat(1, 2, 3))


def test_no_result_contains_nan(build: Build, portrait: Path) -> None:
    path = build(*NO_PROBABILITIES["not a number"], weights=WEIGHTS)
    pipeline = MaskPipeline(model=path, device="cpu", threads=1)

    with pytest.raises(ModelOutputError):
        pipeline.classify(portrait, [[100, 100, 200, 200]])


def test_rounding_errors_are_accepted_and_cut_off(build: Build) -> None:
    path = build(helper.make_node("Mul", ["p", "bit"], ["probabilities"]), weights=(one_number("bit", 1.0005),))

    probabilities = MaskClassifier(path, device="cpu", threads=1)(flat(0, 255))

    assert probabilities.max() == 1
    assert probabilities.min() >= 0


# --- Metadata

DEEP_LIST, DEEP_OBJECT = "[" * 100_000 + "]" * 100_000, '{"a":' * 100_000 + "1" + "}" * 100_000


@pytest.mark.parametrize(
    ("key", "value"),
    [
        pytest.param("labels", DEEP_LIST, id="labels nested deep"),
        pytest.param("labels", '["' + "x" * 101 + '", "dark"]', id="a long label"),
        pytest.param("labels", '["", "dark"]', id="an empty label"),
        pytest.param("labels", '["a\\u001b]52;c;eA==\\u0007", "dark"]', id="a label that speaks to the terminal"),
        pytest.param("labels", '["\\u202eevil", "dark"]', id="a label that turns the text around"),
        pytest.param("labels", '["\\ud800", "dark"]', id="half a character"),
        pytest.param("labels", str([str(number) for number in range(1001)]).replace("'", '"'), id="many labels"),
        pytest.param("metrics", DEEP_OBJECT, id="metrics nested deep"),
        pytest.param("metrics", '{"a":' * 30 + "1" + "}" * 30, id="metrics nested deeper than is shown"),
        pytest.param("metrics", '{"a": 1e400}', id="an endless metric"),
        pytest.param("metrics", '{"a": NaN}', id="a metric that is no number"),
        pytest.param("metrics", '{"a": ' + "9" * 5000 + "}", id="a metric of too many digits"),
        pytest.param("metrics", '{"a": "' + "x" * 1_000_000 + '"}', id="metrics of a megabyte"),
        pytest.param("metrics", "true", id="a truth for metrics"),
        pytest.param("input_size", "0", id="no size"),
        pytest.param("input_size", "7", id="too small"),
        pytest.param("input_size", "1025", id="too large"),
        pytest.param("input_size", "9" * 5000, id="a size of too many digits"),
        pytest.param("input_size", "1" + "0" * 400, id="an endless size"),
        pytest.param("input_size", "true", id="a truth for a size"),
        pytest.param("crop_margin", "1e9", id="a huge margin"),
        pytest.param("crop_margin", "1e400", id="an endless margin"),
        pytest.param("crop_margin", "-0.1", id="a margin below zero"),
        pytest.param("crop_margin", "2.1", id="a margin beyond all sense"),
        pytest.param("precision", "\x1b[31m", id="a precision that speaks to the terminal"),
    ],
)
def test_damaged_metadata_is_refused_and_the_error_names_the_entry(
    make_toy_model: Callable[..., Path], key: str, value: str
) -> None:
    path = make_toy_model()
    model = onnx.load(path)
    next(entry for entry in model.metadata_props if entry.key == f"maskcheck.{key}").value = value
    onnx.save(model, path)

    with pytest.raises(ModelMetadataError, match=rf"metadata that does not parse: maskcheck\.{key}: ") as refused:
        _ = MaskClassifier(path, device="cpu", threads=1).info
    assert len(str(refused.value).removeprefix(str(path))) < 500


def test_labels_of_every_script_are_fine(make_toy_model: Callable[..., Path]) -> None:
    labels = ("می\u200cزند", "戴错", "👩\u200d⚕️")

    assert MaskClassifier(make_toy_model(labels=labels), device="cpu").labels == labels


@pytest.mark.parametrize(
    ("change", "entry"), [(b"nothing: weights", "maskcheck.trained_on"), (b"maskcheck.license", "mask")]
)
def test_metadata_that_is_not_utf8_is_named(toy_model: Path, change: bytes, entry: str) -> None:
    content = toy_model.read_bytes()
    assert change in content
    toy_model.write_bytes(content.replace(change, change[:4] + b"\xff\xfe" + change[6:]))

    with pytest.raises(ModelMetadataError, match=f"metadata that is not UTF-8: {entry}"):
        _ = MaskClassifier(toy_model, device="cpu").info


def test_names_that_are_not_utf8_do_not_crash(toy_model: Path) -> None:
    content = toy_model.read_bytes()
    toy_model.write_bytes(content.replace(b"probabilities", b"probabil\xff\xfees"))

    with pytest.raises(ModelError):
        _ = MaskClassifier(toy_model, device="cpu").info


def test_an_error_message_does_not_quote_pages_of_names(make_toy_model: Callable[..., Path]) -> None:
    path = make_toy_model(input_name="x" * 100_000)

    with pytest.raises(ModelSignatureError) as refused:
        _ = MaskClassifier(path, device="cpu").info

    assert len(str(refused.value).removeprefix(str(path))) < 1000


def test_names_in_a_model_do_not_reach_the_terminal_by_way_of_the_runtime(
    build: Build, capfd: pytest.CaptureFixture[str]
) -> None:
    path = build(
        helper.make_node("Gather", ["p", "far"], ["probabilities"], axis=1, name="\x1b]0;evil\x07"),
        weights=(helper.make_tensor("far", TensorProto.INT64, [2], [0, 99]), one_number("\x1bunused", 1)),
    )

    with pytest.raises(Exception, match="failed while running"):
        MaskClassifier(path, device="cpu", threads=1)(flat(1, 2))

    output = capfd.readouterr()
    assert "\x1b" not in output.out + output.err


# --- Time


def test_a_model_that_never_ends_is_refused_at_its_first_run(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("maskcheck.classifier.execution.FIRST_TIMEOUT", 0.5)
    nodes, weights = endless_loop()
    path = build(*nodes, weights=weights)
    classifier = MaskClassifier(path, device="cpu", threads=1)
    started = time.monotonic()

    for _ in range(2):  # a run that ended early is no first run
        with pytest.raises(ModelTimeout, match=r"one run on a batch of 2 takes longer than 0\.5 seconds") as refused:
            classifier(flat(1, 2))

    assert time.monotonic() - started < 30
    assert (refused.value.path, refused.value.timeout) == (str(path), 0.5)
    assert isinstance(refused.value, TimeoutError)


def test_by_default_other_models_have_a_minute_and_the_embedded_model_has_no_limit(toy_model: Path) -> None:
    mine, embedded = MaskClassifier(toy_model)._session, MaskClassifier()._session

    assert (mine.first_timeout, mine.timeout, mine.trusted) == (60, None, False)
    assert (embedded.first_timeout, embedded.timeout, embedded.trusted) == (None, None, True)


def test_later_runs_have_a_limit_only_with_a_timeout(toy_model: Path) -> None:
    crops = {"faces": flat(*range(64))}
    session = OnnxSession(toy_model, SessionConfig(device="cpu"), first_timeout=60)
    assert (session._limit(1), session._limit(32), session._limit(64)) == (60, 60, 120)
    session.run(crops)
    assert session._limit(64) is None

    session = OnnxSession(toy_model, SessionConfig(device="cpu"), timeout=5, first_timeout=60)
    session.run(crops)
    assert session._limit(64) == 5


def test_a_timeout_holds_for_the_embedded_model_too() -> None:
    classifier = MaskClassifier(device="cpu", threads=1, timeout=1e-4)

    with pytest.raises(ModelTimeout, match="loading it takes longer"):
        _ = classifier.info


def test_a_model_that_takes_too_long_to_load_is_refused(toy_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    import onnxruntime

    leave = threading.Event()
    make = onnxruntime.InferenceSession

    def slow(*arguments: Any, **others: Any) -> Any:  # as one whose constants take hours to fold
        leave.wait(timeout=60)
        return make(*arguments, **others)

    monkeypatch.setattr(onnxruntime, "InferenceSession", slow)
    try:
        with pytest.raises(ModelTimeout, match=r"loading it takes longer than 0\.2 seconds"):
            _ = MaskClassifier(toy_model, device="cpu", timeout=0.2).info
    finally:
        leave.set()


@pytest.mark.parametrize("timeout", [0, -1, float("nan")])
def test_a_time_limit_is_above_zero(toy_model: Path, timeout: float) -> None:
    with pytest.raises(ValueError, match="timeout: expected seconds above 0"):
        MaskClassifier(toy_model, timeout=timeout)


# --- One file


@pytest.fixture
def two_files(toy_model: Path) -> Path:
    """The toy model, with its weights in another file beside it."""
    folder = toy_model.parent / "two"
    folder.mkdir()
    model = onnx.load(toy_model)
    for tensor in model.graph.initializer:  # only raw bytes can lie elsewhere
        tensor.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(tensor), tensor.name))
    onnx.save(model, folder / "m.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0)
    assert (folder / "weights.bin").is_file()
    return folder / "m.onnx"


@pytest.mark.parametrize("inside", [False, True], ids=["from elsewhere", "from its folder"])
def test_weights_in_another_file_are_refused(two_files: Path, monkeypatch: pytest.MonkeyPatch, inside: bool) -> None:
    if inside:
        monkeypatch.chdir(two_files.parent)

    with pytest.raises(ModelError, match=r"has weights in another file, .*save the model again as one file"):
        _ = MaskClassifier(two_files, device="cpu").info


def test_the_runtime_finds_no_other_file_even_if_the_check_misses_it(
    two_files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(two_files.parent)
    monkeypatch.setattr("maskcheck.runtime.model_reading.has_external_data", lambda _: False)

    with pytest.raises(ModelError, match="cannot load"):
        _ = MaskClassifier(two_files, device="cpu").info


def test_what_is_hashed_is_what_runs(toy_model: Path, make_toy_model: Callable[..., Path]) -> None:
    other = make_toy_model("other.onnx", labels=("zebra", "ant"))
    classifier = MaskClassifier(toy_model, device="cpu")
    before = classifier.sha256

    toy_model.write_bytes(other.read_bytes())

    assert classifier.sha256 == before
    assert classifier.labels == ("bright", "dark")
    classifier._session.renew()  # what a fork does in the child
    with pytest.raises(ModelError, match="has changed since it was first loaded"):
        classifier(flat(1))


def external(tensor: Any) -> Any:
    tensor.ClearField("float_data")
    tensor.external_data.add(key="location", value="weights.bin")
    tensor.data_location = TensorProto.EXTERNAL
    return tensor


def in_an_attribute(tensor: Any) -> Any:
    return helper.make_graph([helper.make_node("Constant", [], ["c"], value=tensor)], "g", [], [])


def in_a_branch(tensor: Any) -> Any:
    branch = helper.make_graph([], "b", [], [], [tensor])
    return helper.make_graph([helper.make_node("If", ["c"], ["d"], then_branch=branch)], "g", [], [])


def in_a_sparse_tensor(tensor: Any) -> Any:
    graph = helper.make_graph([], "g", [], [])
    graph.sparse_initializer.add().values.CopyFrom(tensor)
    return graph


def as_weights(tensor: Any) -> Any:
    return helper.make_graph([], "g", [], [], [tensor])


@pytest.mark.parametrize("place", [as_weights, in_an_attribute, in_a_branch, in_a_sparse_tensor])
def test_tensors_of_another_file_are_found_wherever_they_are(place: Callable[[Any], Any]) -> None:
    def content(tensor: Any) -> bytes:
        return bytes(helper.make_model(place(tensor), doc_string="on the location").SerializeToString())

    tensor = helper.make_tensor("t", TensorProto.FLOAT, [2], [1, 2])

    assert not has_external_data(content(tensor))
    assert has_external_data(content(external(tensor)))


def test_tensors_of_another_file_are_found_in_functions() -> None:
    tensor = external(helper.make_tensor("t", TensorProto.FLOAT, [2], [1, 2]))
    node = helper.make_node("Constant", [], ["c"], value=tensor)
    function = helper.make_function("own", "f", [], ["c"], [node], [helper.make_opsetid("", 17)])
    model = helper.make_model(helper.make_graph([], "g", [], []), functions=[function])

    assert has_external_data(model.SerializeToString())


@pytest.mark.parametrize("content", [b"location", b"\x0a\xff\xff\xff\xff\x7flocation", b"\x3b location", b"\x80" * 20])
def test_bytes_that_are_no_onnx_file_are_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"field|number"):
        has_external_data(content + b"location")
    with pytest.raises(ValueError, match=r"field|number"):
        metadata_not_in_utf8(content)
    with pytest.raises(ValueError, match=r"field|number"):
        has_seven_bit_weights(content)


@pytest.mark.parametrize("place", [as_weights, in_an_attribute, in_a_branch, in_a_sparse_tensor])
@pytest.mark.parametrize("raw", [False, True])
def test_weights_of_more_than_seven_bits_are_found_wherever_they_are(place: Callable[[Any], Any], raw: bool) -> None:
    def content(kind: int, *numbers: int) -> bytes:
        values = np.array(numbers, helper.tensor_dtype_to_np_dtype(kind))
        tensor = helper.make_tensor("t", kind, [len(values)], values.tobytes() if raw else values, raw=raw)
        return bytes(helper.make_model(place(tensor)).SerializeToString())

    assert has_seven_bit_weights(content(TensorProto.INT8, -64, 64))
    assert not has_seven_bit_weights(content(TensorProto.INT8, 0, -65))
    assert not has_seven_bit_weights(content(TensorProto.INT8, 65, 0))
    assert has_seven_bit_weights(content(TensorProto.UINT8, 0, 255))
    assert has_seven_bit_weights(content(TensorProto.INT32, 0, 1000))


def test_a_file_beyond_what_onnx_can_hold_is_refused_unread(toy_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("maskcheck.runtime.model_reading._LARGEST_FILE", 100)

    with pytest.raises(ModelError, match="has more than 2 GB"):
        _ = MaskClassifier(toy_model, device="cpu").info


def test_a_file_that_cannot_be_read_is_a_model_error(toy_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stale(_: Path) -> bytes:
        raise OSError(116, "Stale file handle")

    classifier = MaskClassifier(toy_model, device="cpu")
    monkeypatch.setattr(Path, "read_bytes", stale)

    with pytest.raises(ModelError, match="cannot be read: Stale file handle"):
        _ = classifier.info


def test_a_path_that_no_system_allows_is_a_model_that_is_not_there() -> None:
    for path in ("a\0.onnx", "x" * 10_000):
        with pytest.raises(ModelError, match="no model file"):
            MaskClassifier(path)
