"""Training: the new head first with the body frozen, then everything."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from maskcheck.distributions import installed_versions
from maskcheck_export.augmentation.anatomy import find_face
from maskcheck_export.data.pack import Pack, pack_faces
from maskcheck_export.data.samples import Sample, describe
from maskcheck_export.data.split import Parts, split
from maskcheck_export.errors import DataError
from maskcheck_export.evaluation.calibration import apply_temperature, fit_temperature, mean_log_loss
from maskcheck_export.evaluation.metrics import columns, summarise
from maskcheck_export.evaluation.prediction import predict
from maskcheck_export.files import replacing
from maskcheck_export.provenance import code_commit
from maskcheck_export.runs import MODEL, PACK, RECIPE, RECORD, Run
from maskcheck_export.settings import Settings, Stage
from maskcheck_export.training.batches import TrainingBatches
from maskcheck_export.training.checkpoints import (
    BEST,
    Checkpoints,
    Progress,
    load_checkpoint,
    load_progress,
    load_weights,
)
from maskcheck_export.training.devices import training_devices
from maskcheck_export.training.network import BODY, build_network, divide_logits
from maskcheck_export.training.optimizers import build_optimizer
from maskcheck_export.training.repeatability import RepeatableEpochs, make_repeatable
from maskcheck_export.training.validation import ValidationBatches


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
    """Train a classifier and leave everything about it in a folder.

    Nothing is chosen by the test samples: what is measured on them is not flattered.

    Args:
        samples: All labelled faces, near-duplicates in one group.
        settings: The recipe.
        folder: Where to write; made if missing.
        resume: Go on after the last epoch of a training that was killed; with TensorFlow on a CPU, with the same
            result as if it had not been. Nothing to resume from is no error.
        pack_folder: Where the packed faces lie or are to be written, to share them between trainings; by default,
            in `folder`.
        report: Called with a line of progress.
        verbose: As in ``keras.Model.fit``.

    Raises:
        DataError: Too little data, a label without an example, weights that do not fit, or a folder that holds
            another training.
    """
    _check_labels(samples, settings)
    parts = split(
        samples,
        by=settings.split.by,
        test=settings.split.test,
        validation=settings.split.validation,
        seed=settings.seed,
    )
    _check_labels(parts.training, settings)
    _check_folder(folder, settings, resume=resume)
    commit = code_commit()  # now: the working tree may change while this runs
    for name, part in (("training", parts.training), ("validation", parts.validation), ("test", parts.test)):
        report(f"{name}: {len(part)} faces; {describe(part)}")
    make_repeatable(settings.seed)
    with training_devices(settings.training):
        network = build_network(
            size=settings.input.size,
            classes=len(settings.labels),
            weights=settings.network.weights,
            dropout=settings.network.dropout,
        )
        _begin(folder, settings)
        pack = pack_faces(
            parts.training,
            pack_folder or folder / PACK,
            find_face=find_face,
            bare_label=settings.augmentation.masks.bare_label,
            report=report,
        )
        _fit(network, pack, parts, settings, folder, report, verbose)
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
        parts=parts,
        commit=commit,
        trained_on=describe(parts.training),
        temperature=temperature,
        validation_loss=validation_loss,
        metrics=summarise(parts.test, _predict(network, parts.test, settings), settings.labels) if parts.test else {},
        versions=installed_versions("maskcheck", "keras", "tensorflow", "tensorflow-cpu", "torch", "jax", "numpy"),
    )
    run.save()
    return run


def _check_labels(samples: Sequence[Sample], settings: Settings) -> None:
    bare = [label for label in settings.labels if all(sample.label != label for sample in samples)]
    if bare:
        raise DataError(
            f"expected examples of each of the labels {', '.join(settings.labels)}, got none of {', '.join(bare)}"
        )


def _check_folder(folder: Path, settings: Settings, *, resume: bool) -> None:
    """A training may begin in an empty folder, or go on in that of the same training."""
    if (folder / RECORD).exists():
        raise DataError(f"{folder} already holds a finished training; choose another folder, or remove it")
    path = folder / RECIPE
    if not path.exists():
        return
    if not resume:
        raise DataError(f"{folder} already holds a training that has not finished; resume it, or remove the folder")
    recipe, begun = settings.model_dump(mode="json"), json.loads(path.read_text(encoding="utf-8"))
    changed = [name for name in recipe if recipe[name] != begun.get(name)]
    if changed:
        raise DataError(
            f"{folder} was begun with another recipe: {', '.join(changed)} differ; resume with that one,"
            f" which is in {path}, or choose another folder"
        )


def _begin(folder: Path, settings: Settings) -> None:
    """Take a folder for a training that can begin."""
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / RECIPE) as path:
        path.write_text(json.dumps(settings.model_dump(mode="json"), indent=1), encoding="utf-8")


def _fit(
    network: keras.Model,
    pack: Pack,
    parts: Parts,
    settings: Settings,
    folder: Path,
    report: Callable[[str], None],
    verbose: str | int,
) -> None:
    """Go through the stages, from where the checkpoint in the folder left."""
    progress = load_progress(folder)
    if progress.epoch:
        report(f"resuming after epoch {progress.epoch}")
    stages = {name: stage for name, stage in settings.stages if stage.epochs}
    names = list(stages)
    for name in names[names.index(progress.stage) if progress.stage else 0 :]:
        progress = _fit_stage(network, name, stages[name], progress, pack, parts, settings, folder, report, verbose)


def _fit_stage(
    network: keras.Model,
    name: str,
    stage: Stage,
    progress: Progress,
    pack: Pack,
    parts: Parts,
    settings: Settings,
    folder: Path,
    report: Callable[[str], None],
    verbose: str | int,
) -> Progress:
    resuming = progress.stage == name
    progress = progress.enter(name)
    end = progress.stage_start + stage.epochs
    network.get_layer(BODY).trainable = name == "all"
    batches = TrainingBatches(pack, parts.training, _repeats(parts.training, settings), settings, epoch=progress.epoch)
    network.compile(
        optimizer=build_optimizer(stage, steps_per_epoch=len(batches)),
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=settings.training.label_smoothing),
        metrics=["accuracy"],
        # On a CPU, XLA's convolutions take 1.4 times as long as oneDNN's.
        jit_compile=False if keras.backend.backend() == "tensorflow" else "auto",
    )
    if resuming:
        load_checkpoint(network, folder, progress)
    if progress.epoch < end and not progress.stopped:
        checkpoints = Checkpoints(
            folder,
            progress,
            patience=settings.training.early_stopping,
            keep_best=settings.training.keep == "best",
            report=report,
        )
        network.fit(
            batches,
            validation_data=ValidationBatches(parts.validation, settings) if parts.validation else None,
            initial_epoch=progress.epoch,
            epochs=end,
            shuffle=False,  # the batches are shuffled by the epoch's number; Keras would do so by what came before
            callbacks=[
                RepeatableEpochs(batches, settings.seed),
                checkpoints,
            ],
            verbose=verbose,
        )
        progress = checkpoints.progress
    if settings.training.keep == "best":
        load_weights(network, folder / BEST.format(stage=name))
        report(f"{name}: keeping the weights of epoch {progress.best_epoch}")
    return progress


def _repeats(samples: Sequence[Sample], settings: Settings) -> NDArray[np.float64]:
    """How many times an epoch each sample is drawn: the weight of its data set."""
    weights = {Path(source.path).name: source.weight for source in settings.data}
    return np.array([weights.get(sample.dataset, 1.0) for sample in samples])


def _predict(network: keras.Model, samples: Sequence[Sample], settings: Settings) -> NDArray[np.float32]:
    return predict(network.predict_on_batch, samples, size=settings.input.size, margin=settings.input.margin)
