"""The model card: the facts in a classifier file, as a page (Mitchell et al. 2019, arXiv:1810.03993)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx

from maskcheck.classifier.model import (
    BOX_OUTPUT,
    FACE_OUTPUT,
    INPUT_NAME,
    OUTPUT_NAME,
    ModelInfo,
    find_model,
    hash_model,
)
from maskcheck.classifier.second_look import Combination
from maskcheck_export.onnx_graphs.versions import graph_facts
from maskcheck_export.writing.markdown import table
from maskcheck_export.writing.whole_files import replacing

_PLACE = (
    f"; `{FACE_OUTPUT}`: float32 (N,), the probability that the box is on a face; `{BOX_OUTPUT}`: float32 (N, 4), where"
    " the face is: shift of the centre, and logarithms of width and height, in longer sides of the box"
)


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
        + ", ".join(f"`{label}`" for label in info.labels)
        + (_PLACE if info.second_look is not None else ""),
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
        intervals = metrics.get("intervals", {})
        about = " In brackets: intervals of 95 % (Wilson)." if intervals else ""
        parts += ["## Accuracy", f"Measured on {metrics['measured_on']}.{about}"]
        parts.append(_accuracy(metrics["datasets"], intervals, info.labels))
        if "calibration_error" in metrics:
            parts.append(f"Expected calibration error (15 bins): {metrics['calibration_error']:.4f}.")
    if info.second_look:
        parts += ["## Second look", *_second_look(info.second_look, metrics.get("second_look", {}))]
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


def _accuracy(datasets: Mapping[str, Any], intervals: Mapping[str, Any], labels: Sequence[str]) -> str:
    rows = []
    for dataset, slices in datasets.items():
        for name, scores in slices.items():
            bounds = intervals.get(dataset, {}).get(name, {})
            recall, of_recall = scores["recall"], bounds.get("recall", {})
            shares = [(scores["accuracy"], bounds.get("accuracy"))]
            shares += [(recall.get(label), of_recall.get(label)) for label in labels]
            rows.append((dataset, name, str(scores["faces"]), *(_share(*share) for share in shares)))
    return table(("data", "faces of", "number", "accuracy", *(f"recall `{label}`" for label in labels)), rows)


def _share(share: float | None, bounds: Sequence[float] | None) -> str:
    """A share, and its interval if that is known; nothing for None."""
    if share is None:
        return ""
    return f"{share:.4f}" + (f" ({bounds[0]:.3f} to {bounds[1]:.3f})" if bounds else "")


def _second_look(combinations: Mapping[str, Combination], figures: Mapping[str, Any]) -> Iterator[str]:
    """How scores combine for each detector, and the average precision of its boxes without and with the second look."""
    yield (
        "It looks again at what a detector proposes, and says whether it is a face and where. Score ="
        " sigmoid(logit(`face`) + weight x logit(detection score) + offset)."
    )
    sizes = list(dict.fromkeys(size for by_size in figures.values() for size in by_size))
    rows = [
        (
            name,
            *(f"{value:g}" for value in (combination.least, combination.weight, combination.offset)),
            *(_gain(figures.get(name, {}).get(size)) for size in sizes),
        )
        for name, combination in combinations.items()
    ]
    yield table(
        ("detector", "looks from score", "weight", "offset", *(f"AP50 alone, with it: {size}" for size in sizes)), rows
    )


def _gain(ways: Mapping[str, float] | None) -> str:
    return "" if ways is None else f"{ways['alone']:.4f}, {ways['second_look']:.4f}"


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
