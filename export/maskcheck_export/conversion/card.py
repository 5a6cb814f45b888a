"""The model card: the facts in a classifier file, as a page (Mitchell et al. 2019, arXiv:1810.03993)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx

from maskcheck.classifier.model import INPUT_NAME, OUTPUT_NAME, ModelInfo, find_model, hash_model
from maskcheck_export.conversion.graph import graph_facts
from maskcheck_export.writing.markdown import table
from maskcheck_export.writing.whole_files import replacing


def write_card(model: Path, output: Path | None = None, *, more: str = "") -> Path:
    """Write the model card of an ONNX file.

    Args:
        model: The file.
        output: The Markdown file; by default, beside the model, with its name.
        more: Markdown for the end of the page.

    Returns:
        The Markdown file.

    Raises:
        ModelError: There is no such file, or its metadata are missing.
    """
    path = find_model(model)
    output = output or path.with_suffix(".md")
    with replacing(output) as unfinished:
        unfinished.write_text(model_card(path) + (f"\n{more.strip()}\n" if more.strip() else ""), encoding="utf-8")
    return output


def model_card(path: Path) -> str:
    """The model card of an ONNX file, as Markdown."""
    proto = onnx.load(path)
    info = ModelInfo.from_metadata({entry.key: entry.value for entry in proto.metadata_props}, path=str(path))
    graph, size = graph_facts(proto), info.input_size
    metrics = info.metrics
    facts = {
        "Input": f"`{INPUT_NAME}`: uint8 (N, {size}, {size}, 3), RGB; the square around a face box, with"
        f" {info.crop_margin:g} of its longer side added on each side",
        "Output": f"`{OUTPUT_NAME}`: float32 (N, {len(info.labels)}): "
        + ", ".join(f"`{label}`" for label in info.labels),
        "Precision": info.precision,
        "File": f"{path.stat().st_size / 1e6:.1f} MB, SHA-256 `{hash_model(path)}`",
        "Graph": f"opset {graph.opset}, IR version {graph.ir_version}, {graph.nodes} nodes, of which"
        f" {graph.transposes} transposes",
        "Licence": info.license,
        "Trained on": info.trained_on,
        "Made by": info.created_by,
    }
    if "temperature" in metrics:
        facts["Softmax temperature"] = f"{metrics['temperature']:g}, in the graph"
    parts = [
        f"# {path.name}",
        "Says of a face crop whether the face wears a mask. For use with `maskcheck`, which cuts the crops.",
        table(("", ""), facts.items()),
    ]
    if "datasets" in metrics:
        parts += ["## Accuracy", f"Measured on {metrics['measured_on']}.", _accuracy(metrics["datasets"], info.labels)]
        if "calibration_error" in metrics:
            parts.append(f"Expected calibration error (15 bins): {metrics['calibration_error']:.4f}.")
    if "quantization" in metrics:
        parts += ["## Quantisation", *_quantization(metrics)]
    parts += [
        "## Limits",
        "- It was measured on the kinds of pictures named above; expect less on others, such as infrared, drawings,"
        " or faces seen from above.\n"
        "- A face whose shorter side is under 12 pixels shows little of a mask; look at the figures by size.\n"
        "- It says what is visible, not whether a mask protects, and it must not be used to tell who somebody is.",
    ]
    return "\n\n".join(parts) + "\n"


def _accuracy(datasets: Mapping[str, Any], labels: Sequence[str]) -> str:
    rows = [
        (
            *(dataset, name, str(scores["faces"]), f"{scores['accuracy']:.4f}"),
            *(f"{scores['recall'][label]:.4f}" if label in scores["recall"] else "" for label in labels),
        )
        for dataset, slices in datasets.items()
        for name, scores in slices.items()
    ]
    return table(("data", "faces of", "number", "accuracy", *(f"recall `{label}`" for label in labels)), rows)


def _quantization(metrics: Mapping[str, Any]) -> list[str]:
    chosen = metrics["quantization"]
    bits = 7 if chosen["reduce_range"] else 8
    text = f"QDQ, weights per channel in {bits} bits, activations in 8; ranges by {chosen['calibration']}."
    if "quantizations" not in metrics:
        return [text]
    rows = [
        (
            entry["calibration"],
            "7" if entry["reduce_range"] else "8",
            f"{entry['flips']} of {entry['faces']}",
            f"{entry['accuracy']:.4f}",
            f"{entry['mean_difference']:.4f}",
            f"{entry['calibration_error']:.4f}",
        )
        for entry in metrics["quantizations"]
    ]
    headings = ("ranges by", "bits of weights", "labels changed", "accuracy", "mean difference", "calibration error")
    return [f"{text} Chosen among these, on the validation faces, against float32:", table(headings, rows)]
