"""Saves the state of a training after each epoch, so that a killed training goes on with the same result.

Keras's own callbacks do not suffice: ``BackupAndRestore`` writes weights and state in place, so that a kill between the
two mixes epochs, and ``EarlyStopping`` and ``ModelCheckpoint`` forget the best epoch when a training goes on.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import keras

from maskcheck_export.errors import DataError
from maskcheck_export.runs import HISTORY
from maskcheck_export.writing.whole_files import replacing

STATE = "checkpoint.json"
WEIGHTS = "checkpoint-{epoch}.weights.h5"
BEST = "best-{stage}.weights.h5"


@dataclass(frozen=True)
class Progress:
    """How far a training is.

    Attributes:
        epoch: Number of finished epochs, of all stages together.
        stage: Name of the current stage.
        stage_start: Number of finished epochs at the start of the stage.
        stopped: The stage was stopped early.
        best_loss: Lowest validation loss of the stage.
        best_epoch: Number of finished epochs at the lowest validation loss.
        history: Figures of each finished epoch.
    """

    epoch: int = 0
    stage: str = ""
    stage_start: int = 0
    stopped: bool = False
    best_loss: float = float("inf")
    best_epoch: int = 0
    history: tuple[Mapping[str, Any], ...] = ()

    def enter(self, stage: str) -> Progress:
        """The progress at the start of a stage; unchanged, if it is the current stage."""
        if self.stage == stage:
            return self
        return Progress(
            epoch=self.epoch, stage=stage, stage_start=self.epoch, best_epoch=self.epoch, history=self.history
        )


def load_progress(folder: Path) -> Progress:
    """Read how far the training in a folder is; without a checkpoint, it is at its start.

    Raises:
        DataError: The file is damaged.
    """
    path = folder / STATE
    if not path.is_file():
        return Progress()
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return Progress(**content | {"history": tuple(content["history"])})
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} is not the state of a training: {error}; train into another folder") from error


def load_checkpoint(network: keras.Model, folder: Path, progress: Progress) -> None:
    """Load weights and optimizer state of a checkpoint into a compiled network.

    Raises:
        DataError: The checkpoint is missing, damaged, or of another architecture.
    """
    network.optimizer.build(network.trainable_variables)  # or its state is not loaded
    load_weights(network, folder / WEIGHTS.format(epoch=progress.epoch))


def load_weights(network: keras.Model, path: Path) -> None:
    """Load a weights file into a network.

    Raises:
        DataError: The file is missing, damaged, or of another architecture.
    """
    if not path.is_file():
        raise DataError(f"no weights file {path}")
    try:
        network.load_weights(path)
    except (ValueError, OSError, KeyError) as error:
        reason = str(error).strip().splitlines()[0]
        raise DataError(
            f"{path} does not fit the network {network.name}: it is damaged, or of another architecture: {reason}"
        ) from error


class Checkpoints(keras.callbacks.Callback):  # type: ignore[misc]
    """Writes checkpoint and history after each epoch, keeps the best weights, and stops a stage early.

    Args:
        folder: Folder of the run.
        progress: The progress at the start.
        patience: Stop after this many epochs without a lower validation loss; 0 never stops.
        keep_best: Write the weights of the lowest validation loss.
        report: Called with a line for each epoch.
    """

    def __init__(
        self,
        folder: Path,
        progress: Progress,
        *,
        patience: int,
        keep_best: bool,
        report: Callable[[str], None],
    ) -> None:
        super().__init__()
        self.progress = progress
        self._folder, self._patience, self._keep_best, self._report = folder, patience, keep_best, report

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Write the checkpoint; it is valid as soon as its state is written, which comes last."""
        logs = logs or {}
        figures = {name: float(value) for name, value in logs.items()}
        if not all(map(math.isfinite, figures.values())):
            values = ", ".join(f"{name} {value}" for name, value in figures.items())
            raise DataError(
                f"the training diverged in epoch {epoch + 1} ({values});"
                f" lower stages.{self.progress.stage}.learning_rate"
            )
        rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        row = {"epoch": epoch + 1, "stage": self.progress.stage, "learning_rate": rate, **figures}
        progress = replace(self.progress, epoch=epoch + 1, history=(*self.progress.history, row))
        if "val_loss" in logs and logs["val_loss"] < progress.best_loss:
            progress = replace(progress, best_loss=float(logs["val_loss"]), best_epoch=progress.epoch)
            if self._keep_best:
                with replacing(self._folder / BEST.format(stage=progress.stage)) as path:
                    self.model.save_weights(path)
        if self._patience and "val_loss" in logs and progress.epoch - progress.best_epoch >= self._patience:
            progress = replace(progress, stopped=True)
            self.model.stop_training = True
        with replacing(self._folder / WEIGHTS.format(epoch=progress.epoch)) as path:
            self.model.save_weights(path)
        with replacing(self._folder / STATE) as path:
            path.write_text(json.dumps(asdict(progress)), encoding="utf-8")
        _write_table(progress.history, self._folder / HISTORY)
        for old in self._folder.glob(WEIGHTS.format(epoch="*")):
            if old.name != WEIGHTS.format(epoch=progress.epoch):
                old.unlink()
        self.progress = progress
        values = ", ".join(f"{name} {value:.4g}" for name, value in figures.items())
        self._report(f"epoch {progress.epoch} ({progress.stage}): {values}")


def _write_table(rows: tuple[Mapping[str, Any], ...], path: Path) -> None:
    names = list(dict.fromkeys(name for row in rows for name in row))
    with replacing(path) as unfinished, unfinished.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, names)
        table.writeheader()
        table.writerows(rows)
