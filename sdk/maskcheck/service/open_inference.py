"""The Open Inference Protocol over HTTP, KServe's version 2: tensors in the bodies of requests and answers.

Tensors are lists in the JSON, or bytes behind it (the binary tensor data extension). The protocol is described at
https://kserve.github.io/website/docs/concepts/architecture/data-plane/v2-protocol and, with the extension, at
https://docs.nvidia.com/deeplearning/triton-inference-server/user-guide/docs/protocol/extension_binary_data.html
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskcheck.service.problems import Problem
from maskcheck.texts import shortened

JSON_LENGTH = "Inference-Header-Content-Length"
"""The header that says how many bytes of a body are JSON; what follows is binary data."""

_LENGTH_BYTES = 4  # before each element of a BYTES tensor, little-endian
_MOST_SIDES = 8


@dataclass(frozen=True)
class TensorInfo:
    """What a model says of an input or an output.

    Attributes:
        name: Its name.
        datatype: ``UINT8``, ``FP32`` or ``BYTES``.
        shape: Its sides, -1 where any number goes.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready values."""
        return {"name": self.name, "datatype": self.datatype, "shape": list(self.shape)}


@dataclass(frozen=True)
class InferenceRequest:
    """A request to a model of one input.

    Attributes:
        tensor: The input: an array of the wanted type, or of bytes objects for BYTES.
        identity: What the caller calls the request, if anything.
        outputs: The outputs that the caller wants, by name, and whether each as binary data.
    """

    tensor: NDArray[Any]
    identity: str | None
    outputs: Mapping[str, bool]


def read_request(
    body: bytes, json_length: str | None, wanted: TensorInfo, outputs: tuple[TensorInfo, ...], *, most: int
) -> InferenceRequest:
    """A request, checked against what the model takes.

    Args:
        body: Of the HTTP request.
        json_length: Its header `JSON_LENGTH`, if it has one.
        wanted: The input of the model.
        outputs: Its outputs.
        most: Most rows of the input.

    Raises:
        Problem: 400, something else than the model takes; 413, more rows.
    """
    head, binary = _split(body, json_length)
    try:
        content = json.loads(head)
    except (ValueError, RecursionError) as error:
        raise _bad(f"expected a JSON object, but {shortened(str(error))}") from None
    inputs = content.get("inputs") if isinstance(content, dict) else None
    if not isinstance(inputs, list) or len(inputs) != 1 or not isinstance(inputs[0], dict):
        raise _bad(f"expected `inputs`, a list of one tensor, {wanted.name}")
    identity = content.get("id")
    if identity is not None and not isinstance(identity, str):
        raise _bad(f"id: expected a text, got {shortened(repr(identity))}")
    return InferenceRequest(_read_tensor(inputs[0], binary, wanted, most), identity, _read_outputs(content, outputs))


def write_answer(
    head: Mapping[str, Any],
    tensors: Mapping[str, NDArray[Any]],
    declared: tuple[TensorInfo, ...],
    request: InferenceRequest,
) -> tuple[bytes, dict[str, str]]:
    """The body of an answer, and its headers.

    Args:
        head: What comes first: the name of the model, say.
        tensors: The outputs by name; those of BYTES hold bytes objects.
        declared: What the model says of its outputs.
        request: Says which outputs are wanted, and in which form.
    """
    entries, parts = [], []
    for info in declared:
        if info.name not in request.outputs:
            continue
        tensor = tensors[info.name]
        entry: dict[str, Any] = {"name": info.name, "datatype": info.datatype, "shape": list(tensor.shape)}
        if request.outputs[info.name]:
            data = _to_bytes(tensor, info.datatype)
            parts.append(data)
            entry["parameters"] = {"binary_data_size": len(data)}
        elif info.datatype == "BYTES":
            entry["data"] = [element.decode() for element in tensor.ravel()]
        else:
            entry["data"] = tensor.ravel().tolist()
        entries.append(entry)
    identity = {} if request.identity is None else {"id": request.identity}
    text = json.dumps({**head, **identity, "outputs": entries}, allow_nan=False).encode()
    if not parts:
        return text, {"Content-Type": "application/json"}
    headers = {"Content-Type": "application/octet-stream", JSON_LENGTH: str(len(text))}
    return b"".join([text, *parts]), headers


def _split(body: bytes, json_length: str | None) -> tuple[bytes, bytes]:
    """The JSON of a body, and the bytes behind it."""
    if json_length is None:
        return body, b""
    if not (json_length.isascii() and json_length.isdigit() and len(json_length) < 20):
        raise _bad(f"{JSON_LENGTH}: expected a number of bytes, got {shortened(json_length)}")
    length = int(json_length)
    if length > len(body):
        raise _bad(f"{JSON_LENGTH}: expected at most the {len(body)} bytes of the body, got {length}")
    return body[:length], body[length:]


def _read_tensor(entry: dict[str, Any], binary: bytes, wanted: TensorInfo, most: int) -> NDArray[Any]:
    if entry.get("name") != wanted.name:
        raise _bad(f"expected the input {wanted.name}, got {shortened(repr(entry.get('name')))}")
    if entry.get("datatype") != wanted.datatype:
        raise _bad(f"{wanted.name}: expected {wanted.datatype}, got {shortened(repr(entry.get('datatype')))}")
    shape = entry.get("shape")
    if (
        not isinstance(shape, list)
        or len(shape) > _MOST_SIDES
        or not all(type(side) is int and side >= 0 for side in shape)
        or len(shape) != len(wanted.shape)
        or any(side not in (given, -1) for given, side in zip(shape, wanted.shape, strict=True))
        or shape[0] == 0
    ):
        expected = f"({', '.join('N' if side == -1 else str(side) for side in wanted.shape)})"
        raise _bad(f"{wanted.name}: expected the shape {expected} with N from 1, got {shortened(repr(shape))}")
    if shape[0] > most:
        raise Problem(
            413,
            f"{wanted.name}: expected at most {most} in a request, got {shape[0]}; send fewer at once",
            reason="too_many_pictures",
        )
    parameters = entry.get("parameters")
    size = parameters.get("binary_data_size") if isinstance(parameters, dict) else None
    count = math.prod(shape)
    if size is None:
        if binary:
            raise _bad(f"{wanted.name}: expected the parameter binary_data_size, as data follow the JSON")
        elements = _LISTED[wanted.datatype](entry.get("data"), count, wanted.name)
    else:
        if type(size) is not int or size != len(binary):
            raise _bad(
                f"{wanted.name}: expected binary_data_size to be the {len(binary)} bytes behind the JSON,"
                f" got {shortened(repr(size))}"
            )
        elements = _BINARY[wanted.datatype](binary, count, wanted.name)
    return elements.reshape(shape)


def _listed_bytes(data: Any, count: int, name: str) -> NDArray[Any]:
    flat = list(_flat(data))
    if len(flat) != count or not all(isinstance(element, str) for element in flat):
        raise _bad(f"{name}: expected {count} texts in `data`; send files as binary data")
    return _as_objects([element.encode("utf-8", "surrogatepass") for element in flat])


def _listed_numbers(data: Any, count: int, name: str) -> NDArray[Any]:
    flat = list(_flat(data))
    if len(flat) != count or not all(type(element) is int and 0 <= element <= 255 for element in flat):
        raise _bad(f"{name}: expected {count} whole numbers from 0 to 255 in `data`")
    return np.array(flat, np.uint8)


def _binary_bytes(data: bytes, count: int, name: str) -> NDArray[Any]:
    elements: list[bytes] = []
    position = 0
    while position < len(data) and len(elements) <= count:
        start = position + _LENGTH_BYTES
        position = start + int.from_bytes(data[position:start], "little")
        elements.append(data[start:position])
    if position != len(data) or len(elements) != count:
        raise _bad(f"{name}: expected {count} elements in the binary data, each with its length in 4 bytes before it")
    return _as_objects(elements)


def _binary_numbers(data: bytes, count: int, name: str) -> NDArray[Any]:
    if len(data) != count:
        raise _bad(f"{name}: expected {count} bytes of binary data, got {len(data)}")
    return np.frombuffer(data, np.uint8)


_Reader = Callable[[Any, int, str], NDArray[Any]]
_LISTED: dict[str, _Reader] = {"BYTES": _listed_bytes, "UINT8": _listed_numbers}
_BINARY: dict[str, _Reader] = {"BYTES": _binary_bytes, "UINT8": _binary_numbers}


def _flat(data: Any) -> list[Any]:
    """The elements of lists inside each other, in order; json.loads bounds how deep they are."""
    flat, waiting = [], [data]
    while waiting:
        element = waiting.pop()
        if isinstance(element, list):
            waiting += reversed(element)
        else:
            flat.append(element)
    return flat


def _as_objects(elements: list[bytes]) -> NDArray[Any]:
    array = np.empty(len(elements), np.object_)
    array[:] = elements
    return array


def _to_bytes(tensor: NDArray[Any], datatype: str) -> bytes:
    if datatype == "BYTES":
        return b"".join(len(element).to_bytes(_LENGTH_BYTES, "little") + element for element in tensor.ravel())
    return np.ascontiguousarray(tensor, "<f4").tobytes()


def _read_outputs(content: dict[str, Any], declared: tuple[TensorInfo, ...]) -> dict[str, bool]:
    names = [info.name for info in declared]
    parameters = content.get("parameters")
    all_binary = isinstance(parameters, dict) and parameters.get("binary_data_output") is True
    entries = content.get("outputs")
    if entries is None or entries == []:
        return dict.fromkeys(names, all_binary)
    outputs = {}
    for entry in entries if isinstance(entries, list) else [entries]:
        name = entry.get("name") if isinstance(entry, dict) else None
        if name not in names:
            raise _bad(f"outputs: expected some of {', '.join(names)}, got {shortened(repr(name))}")
        own = entry.get("parameters") or {}
        if not isinstance(own, dict) or own.get("classification") or own.get("shared_memory_region"):
            raise _bad(f"{name}: classification and shared memory are not offered; ask for the tensor")
        outputs[name] = own.get("binary_data", all_binary) is True
    return outputs


def _bad(detail: str) -> Problem:
    return Problem(400, detail, reason="bad_tensor")
