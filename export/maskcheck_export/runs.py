"""The folder of a training: its recipe, the faces that it used, and the trained model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from maskcheck_export.data.split import Parts
from maskcheck_export.errors import DataError
from maskcheck_export.recipes.settings import Settings
from maskcheck_export.writing.whole_files import replacing

MODEL = "model.keras"
RECORD = "run.json"
RECIPE = "recipe.json"
HISTORY = "history.csv"
PACK = "pack"


@dataclass(frozen=True)
class Run:
    """A finished training.

    Attributes:
        folder: The folder.
        settings: The recipe.
        parts: The training, validation and test faces, and the proposals in the pictures of the last two; those of the
            training are too many to be recorded.
        commit: Commit of the code that trained the model.
        trained_on: Counts of the training faces, in words.
        temperature: Temperature of the softmax, which is already in the model; 1 if none was fitted.
        validation_loss: Mean log loss of the validation faces, in nats; None without validation faces.
        metrics: Of the Keras model on the test faces.
        versions: Of the packages that trained the model.
        with_landmarks: How many of the training faces and proposals have known eyes, nose and mouth, which painted
            masks and objects follow.
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
    with_landmarks: int = 0

    def save(self) -> None:
        """Write ``run.json``."""
        record = _RUN.dump_python(self, mode="json", exclude={"folder"})
        record |= record.pop("parts")
        with replacing(self.folder / RECORD) as path:
            path.write_text(json.dumps(record, indent=1), encoding="utf-8")


_RUN = TypeAdapter(Run)


def load_run(folder: Path) -> Run:
    """Read the folder of a finished training.

    Raises:
        DataError: The folder holds no training, or one that has not finished.
    """
    for name in (RECORD, MODEL):
        if not (folder / name).is_file():
            raise DataError(f"{folder} holds no finished training: {name} is missing")
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        parts = {part: record[part] for part in ("training", "validation", "test")}
        parts |= {part: record.get(part, ()) for part in ("validation_proposals", "test_proposals")}
        return _RUN.validate_python({"validation_loss": None} | record | {"folder": folder, "parts": parts})
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{folder / RECORD} is not the record of a training: {error!r}; train again") from error
