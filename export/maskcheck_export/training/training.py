"""Trains a classifier by a recipe, and writes the folder of the run."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from maskcheck.runtime.distributions import installed_versions
from maskcheck_export.data.landmarks import landmark_finder
from maskcheck_export.data.pack import pack_faces
from maskcheck_export.data.samples import Sample, describe
from maskcheck_export.data.split import split
from maskcheck_export.errors import DataError
from maskcheck_export.evaluation.calibration import apply_temperature, fit_temperature, mean_log_loss
from maskcheck_export.evaluation.metrics import columns, summarise
from maskcheck_export.evaluation.prediction import labels_by, predict
from maskcheck_export.recipes.settings import Settings
from maskcheck_export.runs import MODEL, PACK, RECIPE, RECORD, Run
from maskcheck_export.training.devices import training_devices
from maskcheck_export.training.distillation import Teacher
from maskcheck_export.training.network import build_network, divide_logits, in_float32
from maskcheck_export.training.places import fit_places
from maskcheck_export.training.repeatability import make_repeatable
from maskcheck_export.training.stages import Stages
from maskcheck_export.writing.provenance import code_commit
from maskcheck_export.writing.whole_files import replacing


def train(
    samples: Sequence[Sample],
    settings: Settings,
    folder: Path,
    *,
    resume: bool = False,
    pack_folder: Path | None = None,
    report: Callable[[str], None] = print,
    verbose: str | int = "auto",
) -> Run:
    """Train a classifier, and write the model and its record to a folder.

    Nothing is chosen by the test faces, so that the scores on them are honest.

    Args:
        samples: All labelled faces, near-duplicates in one group, and the proposals of detectors in their pictures.
        settings: The recipe.
        folder: Folder of the run; created if missing.
        resume: Go on with a training that was killed, after its last epoch; with TensorFlow on a CPU, the result is the
            same as without the kill. Without a checkpoint, the training starts from the beginning.
        pack_folder: Folder of the packed faces, to share them between trainings; by default, in `folder`.
        report: Called with a line of progress.
        verbose: As in ``keras.Model.fit``.

    Raises:
        DataError: There are too few faces, or none of a label, the weights do not fit, or the folder holds another
            training.
    """
    _check_labels(samples, settings)
    parts = split(samples, settings.split, settings.seed)
    _check_labels(parts.training, settings)
    _check_folder(folder, settings, resume=resume)
    commit = code_commit()  # now: the working tree may change while this runs
    for name, part in (("training", parts.training), ("validation", parts.validation), ("test", parts.test)):
        report(f"{name}: {len(part)} faces and proposals; {describe(part)}")
    teacher = Teacher.of(settings)
    if teacher:
        report(f"teacher: {teacher.description}")
    make_repeatable(settings.seed)
    with training_devices(settings.training):
        network = build_network(
            size=settings.input.size,
            classes=len(settings.labels),
            weights=settings.network.weights,
            dropout=settings.network.dropout,
            second_look=settings.has_second_look,
            architecture=settings.network.architecture,
        )
        _begin(folder, settings)
        pack = pack_faces(
            parts.training,
            pack_folder or folder / PACK,
            bare_label=settings.augmentation.masks.bare_label,
            report=report,
            landmarks=landmark_finder(settings.augmentation.landmarks, report=report),
        )
        Stages(network, pack, parts, settings, folder, report, verbose, teacher).fit()
        if settings.training.precision != "float32":
            network = in_float32(network)
        if settings.has_second_look:
            validation = parts.validation + parts.validation_proposals
            fit_places(network, pack, parts.training, validation, settings, report=report)
    temperature, validation_loss = 1.0, None
    if parts.validation:
        true = columns(parts.validation, settings.labels)
        probabilities = _predict(network, parts.validation, settings)
        if settings.training.temperature:
            temperature = fit_temperature(probabilities, true)
            probabilities = apply_temperature(probabilities, temperature)
            divide_logits(network, temperature)
            report(f"temperature: {temperature:.3f}, fitted on {len(true)} validation faces")
        validation_loss = mean_log_loss(probabilities, true)
    with replacing(folder / MODEL) as path:
        network.save(path)
    run = Run(
        folder=folder,
        settings=settings,
        parts=replace(parts, training=tuple(sample for sample in parts.training if sample.proposal is None)),
        commit=commit,
        trained_on=describe(parts.training) + (f", by the answers of {teacher.description}" if teacher else ""),
        temperature=temperature,
        validation_loss=validation_loss,
        metrics=summarise(parts.test, _predict(network, parts.test, settings), settings.labels) if parts.test else {},
        versions=installed_versions("maskcheck", "keras", "tensorflow", "tensorflow-cpu", "torch", "jax", "numpy"),
        with_landmarks=pack.with_landmarks,
    )
    run.save()
    return run


def _check_labels(samples: Sequence[Sample], settings: Settings) -> None:
    missing = [label for label in settings.labels if all(sample.label != label for sample in samples)]
    if missing:
        raise DataError(
            f"expected faces of each of the labels {', '.join(settings.labels)}, got none of {', '.join(missing)};"
            f" add such pictures{_without(missing, settings)}"
        )


def _without(labels: Sequence[str], settings: Settings) -> str:
    """How to train without some labels; empty if too few are left."""
    left = [label for label in settings.labels if label not in labels]
    if len(left) < 2:
        return ""
    changes = [f'"labels={left}"'.replace(", ", ",")]
    if isinstance(settings.training.label_weights, dict):
        changes.append("training.label_weights=balanced")
    painted = settings.augmentation.masks.painted
    changes += [f"augmentation.masks.{name}=0" for name, (_, label) in painted.items() if label in labels]
    return ", or train without: " + " ".join(f"--set {change}" for change in changes)


def _check_folder(folder: Path, settings: Settings, *, resume: bool) -> None:
    """Check that a folder is new, or holds the same training and may be resumed."""
    if (folder / RECORD).exists():
        raise DataError(f"{folder} already holds a finished training; choose another folder, or remove it")
    path = folder / RECIPE
    if not path.exists():
        return
    if not resume:
        raise DataError(
            f"{folder} already holds a training that has not finished; resume it by --resume, or remove the folder"
        )
    recipe, before = settings.model_dump(mode="json"), json.loads(path.read_text(encoding="utf-8"))
    changed = [name for name in recipe if recipe[name] != before.get(name)]
    if changed:
        raise DataError(
            f"{folder} holds a training by another recipe: {', '.join(changed)} differ; resume with the recipe in"
            f" {path}, or choose another folder"
        )


def _begin(folder: Path, settings: Settings) -> None:
    """Create the folder of a training that can start, and write its recipe."""
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / RECIPE) as path:
        path.write_text(json.dumps(settings.model_dump(mode="json"), indent=1), encoding="utf-8")


def _predict(network: keras.Model, samples: Sequence[Sample], settings: Settings) -> NDArray[np.float32]:
    return predict(labels_by(network), samples, size=settings.input.size, margin=settings.input.margin)
