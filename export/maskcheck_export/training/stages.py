"""The stages of a training: the new head with the body frozen, then everything."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from maskcheck_export.data.pack import Pack
from maskcheck_export.data.samples import Sample
from maskcheck_export.data.split import Parts
from maskcheck_export.errors import DataError
from maskcheck_export.recipes.settings import Settings, Stage
from maskcheck_export.training.batches import TrainingBatches
from maskcheck_export.training.checkpoints import (
    BEST,
    Checkpoints,
    Progress,
    load_checkpoint,
    load_progress,
    load_weights,
)
from maskcheck_export.training.network import BODY
from maskcheck_export.training.optimizers import build_optimizer
from maskcheck_export.training.repeatability import RepeatableEpochs
from maskcheck_export.training.validation import ValidationBatches


@dataclass(frozen=True)
class Stages:
    """What the stages of one training share.

    Attributes:
        network: What is trained, in place.
        pack: The faces of ``parts.training``, in their order.
        parts: The split; its test part is never read.
        settings: The recipe.
        folder: Where the checkpoints lie.
        report: Called with a line of progress.
        verbose: As in ``keras.Model.fit``.
    """

    network: keras.Model
    pack: Pack
    parts: Parts
    settings: Settings
    folder: Path
    report: Callable[[str], None]
    verbose: str | int

    def fit(self) -> None:
        """Go through the stages, from where the checkpoint in the folder left.

        Raises:
            DataError: The memory does not hold a batch.
        """
        progress = load_progress(self.folder)
        if progress.epoch:
            self.report(f"resuming after epoch {progress.epoch}")
        stages = {name: stage for name, stage in self.settings.stages if stage.epochs}
        names = list(stages)
        for name in names[names.index(progress.stage) if progress.stage else 0 :]:
            progress = self._fit_stage(name, stages[name], progress)

    def _fit_stage(self, name: str, stage: Stage, progress: Progress) -> Progress:
        training, network = self.settings.training, self.network
        resuming = progress.stage == name
        progress = progress.enter(name)
        end = progress.stage_start + stage.epochs
        network.get_layer(BODY).trainable = name == "all"
        batches = TrainingBatches(
            self.pack,
            self.parts.training,
            _repeats(self.parts.training, self.settings),
            self.settings,
            epoch=progress.epoch,
        )
        network.compile(
            optimizer=build_optimizer(stage, steps_per_epoch=len(batches)),
            loss=keras.losses.CategoricalCrossentropy(label_smoothing=training.label_smoothing),
            metrics=["accuracy"],
            # On a CPU, XLA's convolutions take 1.4 times as long as oneDNN's.
            jit_compile=False if keras.backend.backend() == "tensorflow" else "auto",
        )
        if resuming:
            load_checkpoint(network, self.folder, progress)
        if progress.epoch < end and not progress.stopped:
            checkpoints = Checkpoints(
                self.folder,
                progress,
                patience=training.early_stopping,
                keep_best=training.keep == "best",
                report=self.report,
            )
            validation = ValidationBatches(self.parts.validation, self.settings) if self.parts.validation else None
            with memory_to_spare(self.settings):
                network.fit(
                    batches,
                    validation_data=validation,
                    initial_epoch=progress.epoch,
                    epochs=end,
                    # The batches are shuffled by the epoch's number; Keras would do so by what came before.
                    shuffle=False,
                    callbacks=[RepeatableEpochs(batches, self.settings.seed), checkpoints],
                    verbose=self.verbose,
                )
            progress = checkpoints.progress
        if training.keep == "best":
            load_weights(network, self.folder / BEST.format(stage=name))
            self.report(f"{name}: keeping the weights of epoch {progress.best_epoch}")
        return progress


@contextmanager
def memory_to_spare(settings: Settings) -> Iterator[None]:
    """Where a batch does not fit into memory, say what to make smaller.

    Raises:
        DataError: The backend, of a class of its own, says that memory ran out.
    """
    try:
        yield
    except Exception as error:
        # TensorFlow's class, torch's, and JAX's text: each without importing the other two.
        names = {kind.__name__ for kind in type(error).__mro__}
        if not names & {"ResourceExhaustedError", "OutOfMemoryError"} and "RESOURCE_EXHAUSTED" not in str(error):
            raise
        raise DataError(
            f"memory ran out with batches of {settings.training.batch_size} faces of {settings.input.size} pixels;"
            " lower training.batch_size or input.size and begin anew"
        ) from error


def _repeats(samples: Sequence[Sample], settings: Settings) -> NDArray[np.float64]:
    """How many times an epoch each sample is drawn: the weight of its data set."""
    weights = {Path(source.path).name: source.weight for source in settings.data}
    return np.array([weights.get(sample.dataset, 1.0) for sample in samples])
