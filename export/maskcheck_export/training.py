"""Training: the new head first with the body frozen, then everything."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from maskcheck.distributions import installed_versions
from maskcheck_export.batches import TrainingBatches, one_hot, plain_crops
from maskcheck_export.data import DataError, Sample, describe, split
from maskcheck_export.metrics import evaluate
from maskcheck_export.network import BODY, build_network
from maskcheck_export.prediction import predict
from maskcheck_export.provenance import code_commit
from maskcheck_export.runs import HISTORY, MODEL, RECORD, Run, Settings


def train(samples: Sequence[Sample], settings: Settings, folder: Path, *, verbose: str | int = "auto") -> Run:
    """Train a classifier and leave everything about it in a folder.

    The model is written after each epoch of fine-tuning; ``run.json`` only at the end. No choice is made by the
    validation samples (no early stopping, no best epoch): what is measured on them is not flattered.

    Args:
        samples: All labelled faces; a share of them is kept out for validation.
        settings: What to do.
        folder: Where to write; made if missing.
        verbose: As in ``keras.Model.fit``.

    Raises:
        DataError: Too little data, a label without an example, weights that do not fit, or a folder that already
            holds a finished training.
    """
    if (folder / RECORD).exists():
        raise DataError(f"{folder} already holds a finished training; choose another folder, or remove it")
    bare = [label for label in settings.labels if all(sample.label != label for sample in samples)]
    if bare or len(settings.labels) < 2:
        raise DataError(
            f"expected two labels or more with examples of each, got {', '.join(settings.labels)}"
            + (f" with no example of {', '.join(bare)}" if bare else "")
        )
    keras.utils.set_random_seed(settings.seed)
    training, validation = split(samples, holdout=settings.holdout, seed=settings.seed)
    network = build_network(
        size=settings.size, classes=len(settings.labels), weights=settings.weights, dropout=settings.dropout
    )
    folder.mkdir(parents=True, exist_ok=True)
    commit = code_commit()  # now: the working tree may change while this runs
    batches = TrainingBatches(
        training,
        settings.labels,
        size=settings.size,
        margin=settings.margin,
        batch_size=settings.batch_size,
        seed=settings.seed,
    )
    log = keras.callbacks.CSVLogger(str(folder / HISTORY), append=True)
    (folder / HISTORY).unlink(missing_ok=True)

    if settings.head_epochs:
        network.get_layer(BODY).trainable = False
        _compile(network, keras.optimizers.Adam(settings.head_rate), settings)
        network.fit(batches, epochs=settings.head_epochs, callbacks=[log], verbose=verbose)
    network.get_layer(BODY).trainable = True
    if settings.epochs:
        schedule = keras.optimizers.schedules.CosineDecay(
            0.0,
            decay_steps=len(batches) * settings.epochs,
            warmup_target=settings.rate,
            warmup_steps=len(batches) // 2,
        )
        _compile(network, keras.optimizers.Adam(schedule), settings)
        crops = np.concatenate(list(plain_crops(validation, size=settings.size, margin=settings.margin)))
        network.fit(
            batches,
            validation_data=(crops, one_hot(validation, settings.labels)),
            epochs=settings.head_epochs + settings.epochs,
            initial_epoch=settings.head_epochs,
            callbacks=[log, keras.callbacks.ModelCheckpoint(str(folder / MODEL))],
            verbose=verbose,
        )
    network.save(folder / MODEL)
    probabilities = predict(network.predict_on_batch, validation, settings)
    run = Run(
        folder=folder,
        settings=settings,
        training=tuple(training),
        validation=tuple(validation),
        commit=commit,
        trained_on=describe(training),
        metrics=evaluate(validation, probabilities, settings.labels),
        versions=installed_versions("maskcheck", "keras", "tensorflow", "tensorflow-cpu", "numpy"),
    )
    run.save()
    return run


def _compile(network: keras.Model, optimizer: keras.optimizers.Optimizer, settings: Settings) -> None:
    network.compile(
        optimizer=optimizer,
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=settings.smoothing),
        metrics=["accuracy"],
        jit_compile=False,  # on a CPU, XLA's convolutions take 1.4 times as long as oneDNN's
    )
