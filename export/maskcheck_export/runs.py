"""The folder of one training run: what was asked, what was learned from, what came out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from maskcheck_export.data.samples import Sample
from maskcheck_export.data.split import Parts
from maskcheck_export.errors import DataError
from maskcheck_export.files import replacing
from maskcheck_export.settings import Settings, settings_from

MODEL = "model.keras"
RECORD = "run.json"
RECIPE = "recipe.json"
HISTORY = "history.csv"
PACK = "pack"

PRECISIONS = ("float32", "float16", "int8")
"""What a finished training is converted to."""


@dataclass(frozen=True)
class Run:
    """A finished training.

    Attributes:
        folder: Where it lies.
        settings: What it was asked.
        parts: The faces that it learned from, was stopped by, and is measured on.
        commit: Commit of the code that trained it.
        trained_on: The training samples in words.
        temperature: Of the softmax; it is in the model already. 1 if none was fitted.
        validation_loss: Mean negative log-likelihood of the validation samples, in nats; None without any.
        metrics: Of the Keras model on the test samples.
        versions: Of the packages that made it.
    """

    folder: Path
    settings: Settings
    parts: Parts
    commit: str
    trained_on: str
    temperature: float
    validation_loss: float | None
    metrics: Mapping[str, Any]
    versions: Mapping[str, str]

    def save(self) -> None:
        """Write ``run.json``."""
        record = {
            "settings": self.settings.model_dump(mode="json"),
            "commit": self.commit,
            "trained_on": self.trained_on,
            "versions": self.versions,
            "temperature": self.temperature,
            "validation_loss": self.validation_loss,
            "metrics": self.metrics,
            "training": _to_json(self.parts.training),
            "validation": _to_json(self.parts.validation),
            "test": _to_json(self.parts.test),
        }
        with replacing(self.folder / RECORD) as path:
            path.write_text(json.dumps(record, indent=1), encoding="utf-8")


def load_run(folder: Path) -> Run:
    """Read the folder of a finished training.

    Raises:
        DataError: It is not one, or the training has not finished.
    """
    for name in (RECORD, MODEL):
        if not (folder / name).is_file():
            raise DataError(f"{folder} holds no finished training: {name} is missing")
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        return Run(
            folder=folder,
            settings=settings_from(record["settings"], str(folder / RECORD)),
            parts=Parts(*(_from_json(record[part]) for part in ("training", "validation", "test"))),
            commit=record["commit"],
            trained_on=record["trained_on"],
            temperature=record["temperature"],
            validation_loss=record.get("validation_loss"),
            metrics=record["metrics"],
            versions=record["versions"],
        )
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{folder / RECORD} is not the record of a training: {error!r}") from error


def _to_json(samples: Sequence[Sample]) -> list[dict[str, Any]]:
    return [asdict(sample) | {"path": str(sample.path)} for sample in samples]


def _from_json(records: Sequence[dict[str, Any]]) -> tuple[Sample, ...]:
    return tuple(Sample(**(record | {"path": Path(record["path"]), "box": tuple(record["box"])})) for record in records)
