"""The two stages of a training: first the new head, then everything."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from maskcheck.classifier.model import BOX_OUTPUT, FACE_OUTPUT
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
from maskcheck_export.training.distillation import SoftCrossentropy, Teacher
from maskcheck_export.training.network import HEAD
from maskcheck_export.training.optimizers import build_optimizer
from maskcheck_export.training.repeatability import RepeatableEpochs
from maskcheck_export.training.validation import ValidationBatches

_PRECISE = 0.1
"""Error of a place from which its loss grows linearly: a face of which half is hidden has no exact place."""


@dataclass(frozen=True)
class Stages:
    """The stages of a training.

    Attributes:
        network: The network; it is trained in place.
        pack: The faces of ``parts.training``, in the same order.
        parts: The split; its test faces are never read.
        settings: The recipe.
        folder: Folder of the checkpoints.
        report: Called with a line of progress.
        verbose: As in ``keras.Model.fit``.
        teacher: Answers for the training crops; None to train by their labels.
    """

    network: keras.Model
    pack: Pack
    parts: Parts
    settings: Settings
    folder: Path
    report: Callable[[str], None]
    verbose: str | int
    teacher: Teacher | None = None

    def fit(self) -> None:
        """Train the stages, from the last checkpoint in the folder on.

        Raises:
            DataError: A batch does not fit into memory, the training diverges, or a checkpoint is damaged.
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
        network.get_layer(self.settings.network.architecture).trainable = name == "all"
        batches = TrainingBatches(
            self.pack,
            self.parts.training,
            _repeats(self.parts.training, self.settings),
            self.settings,
            epoch=progress.epoch,
            teach=self.teacher.teach if self.teacher else None,
        )
        network.compile(
            optimizer=build_optimizer(stage, steps_per_epoch=len(batches)),
            **_losses(self.settings),
            # On a CPU, convolutions of XLA take 1.4 times as long as those of oneDNN.
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
            seen = self.parts.validation + self.parts.validation_proposals
            validation = ValidationBatches(seen, self.settings) if seen else None
            with memory_to_spare(self.settings):
                network.fit(
                    batches,
                    validation_data=validation,
                    initial_epoch=progress.epoch,
                    epochs=end,
                    # The batches are shuffled by the number of the epoch; Keras would shuffle by what came before.
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
    """Turn the error of a backend that runs out of memory into an error that names the settings to lower.

    Raises:
        DataError: Memory ran out.
    """
    try:
        yield
    except Exception as error:
        # The class of TensorFlow, the class of torch and the text of JAX, without an import of the three.
        names = {kind.__name__ for kind in type(error).__mro__}
        if not names & {"ResourceExhaustedError", "OutOfMemoryError"} and "RESOURCE_EXHAUSTED" not in str(error):
            raise
        raise DataError(
            f"memory ran out with batches of {settings.training.batch_size} faces of {settings.input.size} pixels;"
            " lower training.batch_size or input.size and train again"
        ) from error


def _losses(settings: Settings) -> dict[str, Any]:
    """Loss and weight of each output, and what is reported."""
    losses: dict[str, Any] = {
        HEAD: SoftCrossentropy(settings.distillation.temperature)
        if settings.distillation.teacher
        else keras.losses.CategoricalCrossentropy(label_smoothing=settings.training.label_smoothing)
    }
    weights = {HEAD: 1.0}
    look = settings.second_look
    if settings.has_second_look:
        losses |= {FACE_OUTPUT: keras.losses.BinaryCrossentropy(), BOX_OUTPUT: keras.losses.Huber(_PRECISE)}
        weights |= {FACE_OUTPUT: look.face_weight, BOX_OUTPUT: look.box_weight}
    return {"loss": losses, "loss_weights": weights, "weighted_metrics": {HEAD: ["accuracy"]}}


def _repeats(samples: Sequence[Sample], settings: Settings) -> NDArray[np.float64]:
    """How many times each sample is drawn in an epoch: the weight of its data set, for faces or for proposals."""
    faces = {Path(source.path).name: source.weight for source in settings.data}
    proposals = {Path(source.path).name: source.proposals for source in settings.data}
    return np.array([(faces if sample.proposal is None else proposals).get(sample.dataset, 1.0) for sample in samples])
