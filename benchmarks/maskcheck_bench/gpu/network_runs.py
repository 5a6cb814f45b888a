"""Ways to run the network on a GPU."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from maskcheck import MaskCheckError
from maskcheck.classifier.drawn_crops import draw_crops
from maskcheck.classifier.model import INPUT_NAME, OUTPUT_NAME
from maskcheck.pictures.crops import Crops
from maskcheck.runtime.binding import BoundRunner
from maskcheck.runtime.config import SessionConfig
from maskcheck.runtime.precision import Precision
from maskcheck.runtime.providers import CPU, CUDA, TENSORRT, Provider
from maskcheck.runtime.session import OnnxSession
from maskcheck_bench.measuring.outcome import describe_missing

Classify: TypeAlias = Callable[[Crops], NDArray[np.float32]]

_CUDA_OPTIONS = {"cudnn_conv_algo_search": "HEURISTIC"}


@dataclass(frozen=True)
class NetworkRun:
    """A way to run the network.

    Attributes:
        name: Its name in the report.
        arithmetic: ``float32`` or ``float16``.
        classify: From crops in the host's memory to probabilities there.
        comparable: Whether it has the weights of the model, so that its labels can be compared.
    """

    name: str
    arithmetic: str
    classify: Classify
    comparable: bool = True


def load_onnx_runs(path: Path, arithmetic: str, precision: Precision, skipped: list[str]) -> Iterator[NetworkRun]:
    """ONNX Runtime: plain runs, buffers on the device, CUDA graphs, and TensorRT where it is active.

    Args:
        path: The model.
        arithmetic: As in :class:`NetworkRun`.
        precision: As a session takes it.
        skipped: Gets a line for each way that does not work here.
    """
    cuda: list[Provider] = [(CUDA, _CUDA_OPTIONS), CPU]
    graph: list[Provider] = [(CUDA, {**_CUDA_OPTIONS, "enable_cuda_graph": "1"}), CPU]
    tensorrt: list[Provider] = [(TENSORRT, {"trt_fp16_enable": str(arithmetic == "float16")}), *cuda]
    plain = OnnxSession(path, SessionConfig(providers=cuda), precision=precision)
    # A model of schema 2 has other outputs, too.
    place = [output.name for output in plain.session.get_outputs()].index(OUTPUT_NAME)
    yield NetworkRun("plain run", arithmetic, lambda crops: plain.run({INPUT_NAME: crops})[place])
    for name, providers in (("buffers on the device", cuda), ("CUDA graph", graph), ("TensorRT", tensorrt)):
        session = OnnxSession(path, SessionConfig(providers=providers), precision=precision)
        try:
            runner = BoundRunner(session)
            runner.run(draw_crops(1, session.session.get_inputs()[0].shape[1]))
        except MaskCheckError as error:  # the other ways may work
            skipped.append(f"{name}, {arithmetic}: {error}")
        else:
            yield NetworkRun(name, arithmetic, partial(_bound_probabilities, runner, place))


def _bound_probabilities(runner: BoundRunner, place: int, crops: Crops) -> NDArray[np.float32]:
    return runner.run(crops)[place]


def load_torch_runs(size: int, labels: int, skipped: list[str]) -> Iterator[NetworkRun]:
    """PyTorch's InceptionV3 with random weights, in both arithmetics.

    Args:
        size: Side of a crop, in pixels.
        labels: Number of labels.
        skipped: Gets a line if PyTorch is not installed or does not see the GPU.
    """
    missing = describe_missing({"torch": "torch", "torchvision": "torchvision"})
    if missing:
        skipped.append(f"PyTorch: {missing}")
        return
    torch, models = import_module("torch"), import_module("torchvision.models")
    if not torch.cuda.is_available():
        skipped.append("PyTorch: this build of torch does not see the GPU")
        return
    torch.backends.cudnn.benchmark = True
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True  # as ONNX Runtime does
    for arithmetic, kind in (("float32", torch.float32), ("float16", torch.float16)):
        network = models.inception_v3(weights=None, init_weights=False, aux_logits=False, num_classes=labels).eval()
        network = network.to("cuda", kind, memory_format=torch.channels_last)

        def classify(crops: Crops, network: Any = network, kind: Any = kind) -> NDArray[np.float32]:
            with torch.inference_mode():
                pixels = torch.from_numpy(crops).to("cuda").permute(0, 3, 1, 2).to(kind) / 127.5 - 1
                return np.asarray(network(pixels).float().softmax(dim=1).cpu().numpy(), np.float32)

        classify(draw_crops(1, size))
        yield NetworkRun(f"PyTorch {version('torch')}, random weights", arithmetic, classify, comparable=False)
