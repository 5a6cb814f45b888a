"""From a trained Keras model to the ONNX files that the SDK reads."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import onnx
import tensorflow as tf
import tf2onnx
from onnxruntime import quantization

from maskcheck.classifier import MaskClassifier
from maskcheck.crops import Crops
from maskcheck.distributions import installed_versions
from maskcheck.model import INPUT_NAME, OUTPUT_NAME, ModelInfo
from maskcheck_export.batches import plain_crops
from maskcheck_export.data import Sample
from maskcheck_export.metrics import evaluate
from maskcheck_export.prediction import predict
from maskcheck_export.provenance import code_commit
from maskcheck_export.runs import MODEL, PRECISIONS, Run

OPSET = 17
IR_VERSION = 8  # of opset 17: every ONNX Runtime that the SDK supports reads it
CALIBRATION_BATCH = 32
CALIBRATION_BATCHES = 16


def convert(
    run: Run,
    folder: Path,
    precisions: Sequence[str] = PRECISIONS,
    *,
    license: str,  # noqa: A002
    about_data: str = "",
    report: Callable[[str], None] = print,
) -> list[Path]:
    """Write the ONNX files of a finished training, each with its own metrics in its metadata.

    Args:
        run: The training.
        folder: Where to write ``float32.onnx`` and ``int8.onnx``.
        precisions: Which of them.
        license: Licence of the weights, for the metadata.
        about_data: What the training data are, for the metadata.
        report: Called with a line of progress.

    Returns:
        The files, in the order of `precisions`.
    """
    settings = run.settings
    folder.mkdir(parents=True, exist_ok=True)
    network = keras.models.load_model(run.folder / MODEL, compile=False)
    floating = to_onnx(network, settings.size)
    info = ModelInfo(
        labels=settings.labels,
        input_size=settings.size,
        crop_margin=settings.margin,
        license=license,
        trained_on=f"{about_data} ({run.trained_on})" if about_data else run.trained_on,
        created_by=_created_by(run),
    )
    written = []
    for precision in precisions:
        report(f"{precision}: converting")
        proto = floating if precision == "float32" else quantize(floating, run)
        path = folder / f"{precision}.onnx"
        _write(proto, replace(info, precision=precision), path)
        report(f"{precision}: measuring on {len(run.validation)} faces kept out of training")
        metrics = measure(path, run)
        _write(proto, replace(info, precision=precision, metrics=metrics), path)
        written.append(path)
    return written


def to_onnx(network: keras.Model, size: int) -> onnx.ModelProto:
    """Convert a Keras classifier: ``faces`` uint8 (N, size, size, 3) RGB to ``probabilities`` float32 (N, C)."""
    signature = [tf.TensorSpec((None, size, size, 3), tf.uint8, name=INPUT_NAME)]

    @tf.function(input_signature=signature)  # type: ignore[untyped-decorator]
    def serve(faces: tf.Tensor) -> dict[str, tf.Tensor]:
        return {OUTPUT_NAME: network(tf.cast(faces, tf.float32), training=False)}

    proto, _ = tf2onnx.convert.from_function(serve, input_signature=signature, opset=OPSET)
    proto.ir_version = IR_VERSION
    for tensor in (proto.graph.input[0], proto.graph.output[0]):
        tensor.type.tensor_type.shape.dim[0].dim_param = "N"
    onnx.checker.check_model(proto, full_check=True)
    return proto


def quantize(floating: onnx.ModelProto, run: Run) -> onnx.ModelProto:
    """Quantise the body to int8 (QDQ, weights per channel, ranges by the minimum and maximum over training crops)."""
    with tempfile.TemporaryDirectory() as temporary:
        plain, prepared, quantized = (Path(temporary) / f"{name}.onnx" for name in ("plain", "prepared", "quantized"))
        onnx.save(floating, plain)
        # Folds batch normalisation and infers shapes; no shape here is symbolic but the batch's.
        quantization.quant_pre_process(plain, prepared, skip_symbolic_shape=True)
        quantization.quantize_static(
            prepared,
            quantized,
            _CalibrationCrops(run),
            quant_format=quantization.QuantFormat.QDQ,
            # Not the head: probabilities in 256 steps would be coarse, and not add up to 1.
            op_types_to_quantize=["Conv", "Relu", "MaxPool", "AveragePool", "Concat"],
            per_channel=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            # 7-bit weights: without VNNI, a CPU adds products of 8 bits in 16, which overflows.
            reduce_range=True,
            calibrate_method=quantization.CalibrationMethod.MinMax,
        )
        proto = onnx.load(quantized)
    onnx.checker.check_model(proto, full_check=True)
    return proto


class _CalibrationCrops(quantization.CalibrationDataReader):  # type: ignore[misc]
    """Training crops in batches of equal size, chosen evenly over the training samples."""

    def __init__(self, run: Run) -> None:
        wanted = min(len(run.training), CALIBRATION_BATCH * CALIBRATION_BATCHES)
        batch = min(wanted, CALIBRATION_BATCH)
        chosen = np.linspace(0, len(run.training) - 1, wanted // batch * batch).astype(int)
        samples: list[Sample] = [run.training[i] for i in chosen]
        self._batches = plain_crops(samples, size=run.settings.size, margin=run.settings.margin, batch_size=batch)

    def get_next(self) -> dict[str, Crops] | None:
        """The next batch by name of the input, or None after the last."""
        crops = next(self._batches, None)
        return None if crops is None else {INPUT_NAME: crops}


def measure(path: Path, run: Run) -> dict[str, object]:
    """Metrics of an ONNX file on the validation samples of its training, through the SDK's own classifier."""
    probabilities = predict(MaskClassifier(path, device="cpu"), run.validation, run.settings)
    folds = round(1 / run.settings.holdout)
    return {
        "measured_on": f"faces kept out of training: one in {folds} groups of pictures, seed {run.settings.seed};"
        " no choice was made by them",
        "datasets": evaluate(run.validation, probabilities, run.settings.labels),
    }


def _write(proto: onnx.ModelProto, info: ModelInfo, path: Path) -> None:
    del proto.metadata_props[:]
    onnx.helper.set_model_props(proto, info.to_metadata())
    proto.producer_name = "maskcheck-export"
    onnx.save(proto, path)


def _created_by(run: Run) -> str:
    trained = _listed(run.versions)
    converted = _listed(installed_versions("tf2onnx", "onnx", "onnxruntime"))
    return (
        f"maskcheck-export; trained from commit {run.commit} with {trained};"
        f" converted from commit {code_commit()} with {converted}"
    )


def _listed(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in versions.items())
