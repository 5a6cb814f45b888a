"""A small network with YuNet's inputs and outputs, and a server of files. Nothing here needs a network."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import onnx
import pytest
from onnx import TensorProto, helper

from maskcheck_yunet.decoding import STRIDES


@pytest.fixture
def toy_yunet(tmp_path: Path) -> Path:
    """Takes every bright square of 8, 16 or 32 pixels, on the grid of that size, for a face."""
    nodes, outputs = [], []
    for stride in STRIDES:
        pool = {"kernel_shape": [stride, stride], "strides": [stride, stride]}
        nodes += [
            helper.make_node("AveragePool", ["input"], [f"pooled_{stride}"], **pool),
            helper.make_node("ReduceMean", [f"pooled_{stride}"], [f"grey_{stride}"], axes=[1], keepdims=1),
            helper.make_node("Div", [f"grey_{stride}", "white"], [f"light_{stride}"]),
            helper.make_node("Reshape", [f"light_{stride}", "cells"], [f"flat_{stride}"]),
            helper.make_node("Pow", [f"flat_{stride}", "sharpness"], [f"cls_{stride}"]),
            helper.make_node("Identity", [f"cls_{stride}"], [f"obj_{stride}"]),
            helper.make_node("Mul", [f"flat_{stride}", "nothing"], [f"zero_{stride}"]),
            helper.make_node("Add", [f"zero_{stride}", "half"], [f"half_{stride}"]),
            helper.make_node("Concat", [f"half_{stride}"] * 2 + [f"zero_{stride}"] * 2, [f"bbox_{stride}"], axis=2),
            helper.make_node("Concat", [f"half_{stride}"] * 10, [f"kps_{stride}"], axis=2),
        ]
    for name, size in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)):
        for stride in STRIDES:
            shape = ["batch", f"cells_{stride}", size]
            outputs.append(helper.make_tensor_value_info(f"{name}_{stride}", TensorProto.FLOAT, shape))
    constants = {"white": 255.0, "sharpness": 6.0, "nothing": 0.0, "half": 0.5}
    weights = [helper.make_tensor(name, TensorProto.FLOAT, [], [value]) for name, value in constants.items()]
    weights.append(helper.make_tensor("cells", TensorProto.INT64, [3], [0, -1, 1]))
    inputs = [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 3, "height", "width"])]
    graph = helper.make_graph(nodes, "toy", inputs, outputs, weights)
    path = tmp_path / "toy_yunet.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


class FileServer(ThreadingHTTPServer):
    """Serves one content at every path, in parts if asked to.

    Attributes:
        content: What it serves.
        cut: Bytes after which the next answer breaks off; None for none.
        starts: First byte of every answer.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.content = b""
        self.cut: int | None = None
        self.starts: list[int] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/yunet.onnx"


class _Handler(BaseHTTPRequestHandler):
    server: FileServer

    def do_GET(self) -> None:
        start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")[0])
        content, cut = self.server.content[start:], self.server.cut
        self.server.starts.append(start)
        if not content:
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[:cut])
        self.server.cut = None

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def server() -> Iterator[FileServer]:
    with FileServer() as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()
