"""The folder of one training run: what was asked, what was learned from, what came out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from maskcheck_export.data import DataError, Sample

MODEL = "model.keras"
RECORD = "run.json"
HISTORY = "history.csv"

MIN_INPUT_SIZE = 75  # InceptionV3's strides leave nothing of a smaller picture
PRECISIONS = ("float32", "int8")
"""What a finished training is converted to."""


@dataclass(frozen=True)
class Settings:
    """What a training was asked to do.

    Attributes:
        labels: Labels, in the order of the outputs.
        size: Side of the square input, in pixels.
        margin: Crop margin, as a share of the longer side of a face box.
        weights: ``imagenet``, ``none`` or a weights file for the body.
        holdout: Share of the data kept for validation.
        head_epochs: Epochs with the body frozen.
        epochs: Epochs of fine-tuning everything.
        batch_size: Faces a step.
        head_rate: Learning rate of Adam for the head.
        rate: Peak learning rate of Adam while fine-tuning; falls to 0 along a cosine.
        dropout: Share of the pooled features dropped.
        smoothing: Label smoothing.
        seed: Of split, order, augmentation and initial weights.
    """

    labels: tuple[str, ...] = ("with_mask", "without_mask")
    size: int = 128
    margin: float = 0.2
    weights: str = "imagenet"
    holdout: float = 0.2
    head_epochs: int = 1
    epochs: int = 6
    batch_size: int = 32
    head_rate: float = 1e-3
    rate: float = 2e-4
    dropout: float = 0.3
    smoothing: float = 0.05
    seed: int = 42


@dataclass(frozen=True)
class Run:
    """A finished training.

    Attributes:
        folder: Where it lies.
        settings: What it was asked.
        training: Samples that it learned from.
        validation: Samples kept out.
        commit: Commit of the code that trained it.
        trained_on: The training samples in words.
        metrics: Of the Keras model on the validation samples.
        versions: Of the packages that made it.
    """

    folder: Path
    settings: Settings
    training: tuple[Sample, ...]
    validation: tuple[Sample, ...]
    commit: str
    trained_on: str
    metrics: dict[str, Any]
    versions: dict[str, str]

    def save(self) -> None:
        """Write ``run.json``."""
        record = {
            "settings": asdict(self.settings),
            "commit": self.commit,
            "trained_on": self.trained_on,
            "versions": self.versions,
            "metrics": self.metrics,
            "training": _to_json(self.training),
            "validation": _to_json(self.validation),
        }
        (self.folder / RECORD).write_text(json.dumps(record, indent=1), encoding="utf-8")


def load_run(folder: Path) -> Run:
    """Read the folder of a finished training.

    Raises:
        DataError: It is not one, or the training has not finished.
    """
    for name in (RECORD, MODEL):
        if not (folder / name).is_file():
            raise DataError(f"{folder} holds no finished training: {name} is missing")
    record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    settings = dict(record["settings"], labels=tuple(record["settings"]["labels"]))
    return Run(
        folder=folder,
        settings=Settings(**settings),
        training=_from_json(record["training"]),
        validation=_from_json(record["validation"]),
        commit=record["commit"],
        trained_on=record["trained_on"],
        metrics=record["metrics"],
        versions=record["versions"],
    )


def _to_json(samples: Sequence[Sample]) -> list[dict[str, Any]]:
    return [asdict(sample) | {"path": str(sample.path)} for sample in samples]


def _from_json(records: Sequence[dict[str, Any]]) -> tuple[Sample, ...]:
    return tuple(Sample(**(record | {"path": Path(record["path"]), "box": tuple(record["box"])})) for record in records)
