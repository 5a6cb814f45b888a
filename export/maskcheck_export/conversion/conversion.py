"""Converts a trained Keras model to the ONNX files that the SDK reads."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
from numpy.typing import NDArray

from maskcheck.classifier.mask_classifier import MaskClassifier
from maskcheck.classifier.model import ModelInfo
from maskcheck.classifier.second_look import Combination
from maskcheck.runtime.distributions import installed_versions
from maskcheck_export.conversion.card import write_card
from maskcheck_export.conversion.graph import to_onnx
from maskcheck_export.conversion.precision import QUANTIZATIONS, Quantization, quantize, to_float16
from maskcheck_export.conversion.second_look import fit_combinations, measure_second_look
from maskcheck_export.conversion.verification import Agreement
from maskcheck_export.data.samples import Sample
from maskcheck_export.errors import DataError
from maskcheck_export.evaluation.calibration import Reliability
from maskcheck_export.evaluation.metrics import columns, summarise, summarise_intervals
from maskcheck_export.evaluation.prediction import look_all, looks_by, predict
from maskcheck_export.onnx_graphs.versions import graph_facts
from maskcheck_export.runs import MODEL, Run
from maskcheck_export.writing.provenance import code_commit
from maskcheck_export.writing.whole_files import replacing


def convert(
    run: Run,
    folder: Path,
    precisions: Sequence[str],
    *,
    license: str,  # noqa: A002
    about_data: str,
    quantization: Quantization | None,
    report: Callable[[str], None],
) -> list[Path]:
    """Write the ONNX files of a finished training, each with its metrics in its metadata, and a model card beside it.

    Args:
        run: The training.
        folder: Where to write ``float32.onnx``, ``float16.onnx``, ``int8.onnx``, and an ``.md`` beside each.
        precisions: Which of these files, by their names.
        license: Licence of the weights, for the metadata.
        about_data: Description of the training data, for the metadata; may be empty.
        quantization: How int8 is made; None tries all of ``QUANTIZATIONS`` and takes the one that agrees best with
            float32 on the validation faces.
        report: Called with a line of progress.

    Returns:
        The ONNX files, in the order of `precisions`.

    Raises:
        DataError: `quantization` is None, but the training kept no validation faces.
    """
    settings = run.settings
    folder.mkdir(parents=True, exist_ok=True)
    network = keras.models.load_model(run.folder / MODEL, compile=False)
    floating = to_onnx(network, settings.input.size)
    info = ModelInfo(
        labels=settings.labels,
        input_size=settings.input.size,
        crop_margin=settings.input.margin,
        license=license,
        trained_on=f"{about_data} ({run.trained_on})" if about_data else run.trained_on,
        created_by=_created_by(run),
        second_look=_fit_second_look(network, run, report),
    )
    written = []
    for precision in precisions:
        report(f"{precision}: converting")
        about: dict[str, Any] = {}
        if precision == "float32":
            proto = floating
        elif precision == "float16":
            proto = to_float16(floating)
        else:
            chosen = quantization
            if chosen is None:
                chosen, about["quantizations"] = _choose(floating, run, info, report)
            about["quantization"] = asdict(chosen)
            proto = quantize(floating, chosen, run.parts.training, settings.input)
        path = folder / f"{precision}.onnx"
        report(f"{precision}: measuring on {len(run.parts.test)} faces kept out of training")
        metrics = _measure(proto, replace(info, precision=precision), run) | about
        _write(proto, replace(info, precision=precision, metrics=metrics), path)
        write_card(path)
        written.append(path)
    return written


def _fit_second_look(network: keras.Model, run: Run, report: Callable[[str], None]) -> dict[str, Combination] | None:
    """How detectors' scores combine with ``face``, fitted on validation pictures; None without a second look."""
    if not run.settings.has_second_look:
        return None
    proposals, shape = run.parts.validation_proposals, run.settings.input
    if not proposals:
        report("there are no proposals in validation pictures: no detector's scores are combined with the second look")
        return {}
    look = look_all(looks_by(network), proposals, size=shape.size, margin=shape.margin)
    least = run.settings.second_look.least
    return fit_combinations(look, proposals, run.parts.validation, least=least, report=report)


def _choose(
    floating: onnx.ModelProto, run: Run, info: ModelInfo, report: Callable[[str], None]
) -> tuple[Quantization, list[dict[str, Any]]]:
    """The quantisation that changes the fewest labels of validation faces, and the agreement of each quantisation.

    If several change as many labels, one with 7-bit weights is taken, which runs in int8 on CPUs with AVX2 alone, too;
    of these, the smallest mean difference decides.
    """
    faces = run.parts.validation
    if not faces:
        raise DataError(
            f"{run.folder} kept no validation faces to compare quantisations on; choose one by --calibration"
        )
    reference = _probabilities(floating, info, faces, run)
    true = columns(faces, run.settings.labels)
    compared = []
    for quantization in QUANTIZATIONS:
        proto = quantize(floating, quantization, run.parts.training, run.settings.input)
        agreement = Agreement.measure(_probabilities(proto, info, faces, run), reference, true)
        report(
            f"int8 by {quantization}: labels changed {agreement.flips} of {agreement.faces}, accuracy"
            f" {agreement.accuracy:.4f}, mean difference {agreement.mean_difference:.2e}"
        )
        compared.append((quantization, agreement))
    best, _ = min(compared, key=lambda pair: (pair[1].flips, not pair[0].reduce_range, pair[1].mean_difference))
    return best, [asdict(quantization) | asdict(agreement) for quantization, agreement in compared]


def _measure(proto: onnx.ModelProto, info: ModelInfo, run: Run) -> dict[str, Any]:
    """Metrics of a graph on the test faces of its training, with the classifier of the SDK."""
    faces, labels, split = run.parts.test, run.settings.labels, run.settings.split
    about = {"temperature": round(run.temperature, 4), "graph": asdict(graph_facts(proto))}
    if not faces:
        return about
    with _classifier(proto, info) as classifier:
        probabilities = predict(classifier, faces, size=run.settings.input.size, margin=run.settings.input.margin)
        if info.second_look and run.parts.test_proposals:
            about["second_look"] = _measure_second_look(classifier, info.second_look, run)
    fold = f" (fold {split.fold})" if split.fold else ""
    unit = "groups of near-duplicate pictures" if split.by == "groups" else "faces, near-duplicates parted"
    return {
        "measured_on": f"faces kept out of training: a share of {split.test:g}{fold}, split by {unit}, seed"
        f" {run.settings.seed}; nothing was chosen by them",
        "datasets": summarise(faces, probabilities, labels),
        "intervals": summarise_intervals(faces, probabilities, labels),
        "calibration_error": round(Reliability.measure(probabilities, columns(faces, labels)).error, 4),
        **about,
    }


def _measure_second_look(
    classifier: MaskClassifier, combinations: Mapping[str, Combination], run: Run
) -> dict[str, Any]:
    proposals, shape = run.parts.test_proposals, run.settings.input
    look = look_all(classifier.look, proposals, size=shape.size, margin=shape.margin)
    return measure_second_look(look, proposals, run.parts.test, combinations)


def _probabilities(proto: onnx.ModelProto, info: ModelInfo, faces: Sequence[Sample], run: Run) -> NDArray[np.float32]:
    with _classifier(proto, info) as classifier:
        return predict(classifier, faces, size=run.settings.input.size, margin=run.settings.input.margin)


@contextmanager
def _classifier(proto: onnx.ModelProto, info: ModelInfo) -> Iterator[MaskClassifier]:
    """The classifier of the SDK, with a graph that is in no file yet."""
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "model.onnx"
        _write(proto, info, path)
        yield MaskClassifier(path, device="cpu", precision="stored")


def _write(proto: onnx.ModelProto, info: ModelInfo, path: Path) -> None:
    del proto.metadata_props[:]
    onnx.helper.set_model_props(proto, info.to_metadata())
    proto.producer_name = "maskcheck-export"
    with replacing(path) as unfinished:
        onnx.save(proto, unfinished)


def _created_by(run: Run) -> str:
    trained = _listed(run.versions)
    converted = _listed(installed_versions("tf2onnx", "onnx", "onnxruntime"))
    return (
        f"maskcheck-export; trained from commit {run.commit} with {trained};"
        f" converted from commit {code_commit()} with {converted}"
    )


def _listed(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in versions.items())
