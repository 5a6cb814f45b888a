"""The search: trials, one after the other, in a study that survives a kill."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from maskcheck.errors import MaskCheckError
from maskcheck_export.data.samples import Sample
from maskcheck_export.errors import DataError, RecipeError
from maskcheck_export.runs import RECORD, Run
from maskcheck_export.settings import Settings
from maskcheck_export.tuning.space import Space, change, describe

JOURNAL = "study.log"
_NAME = "maskcheck"


class Train(Protocol):
    """A trainer, as :func:`maskcheck_export.training.training.train`."""

    def __call__(
        self,
        samples: Sequence[Sample],
        settings: Settings,
        folder: Path,
        *,
        pack_folder: Path | None,
        report: Callable[[str], None],
        verbose: str | int,
    ) -> Run:
        """Train."""


def search(
    samples: Sequence[Sample],
    settings: Settings,
    space: Space,
    folder: Path,
    *,
    train: Train,
    trials: int | None = None,
    minutes: float | None = None,
    pack_folder: Path | None = None,
    report: Callable[[str], None] = print,
    verbose: str | int = 0,
    clock: Callable[[], float] = time.monotonic,
) -> optuna.Study:
    """Search the settings that make the validation faces likeliest, with Optuna's tree of Parzen estimators.

    What is minimised is the trained model's mean log loss on the validation faces, after its temperature: it does
    not change its meaning with label smoothing or weights, which may be searched. Test faces have no part in it.

    Trials go on until one of the budgets is spent. A study in the folder is gone on with: its finished trials count,
    and one that was killed is tried again.

    Args:
        samples: All labelled faces; every trial splits them alike.
        settings: The recipe that is varied.
        space: What may vary.
        folder: Of the study; gets a folder for each trial. Only the best trial's keeps its model.
        train: The trainer.
        trials: Most finished trials in all.
        minutes: Start no trial after so many minutes of this call.
        pack_folder: Packed faces that the trials share; by default, in `folder`.
        report: Called with a line of progress.
        verbose: As in ``keras.Model.fit``.
        clock: Seconds that pass.

    Raises:
        RecipeError: The folder holds a study of another recipe or space, or the recipe keeps no validation faces.
        DataError: Every trial failed.
    """
    if not settings.split.validation:
        raise RecipeError("a search needs validation faces: split.validation is 0")
    folder.mkdir(parents=True, exist_ok=True)
    study = _open(settings, space, folder)
    end = None if minutes is None else clock() + 60 * minutes
    while (trials is None or _finished(study) < trials) and (end is None or clock() < end):
        trial = study.ask()
        values = {key: one.suggest(trial, key) for key, one in space.items()}
        said = ", ".join(f"{key} {describe(value)}" for key, value in values.items())
        report(f"trial {trial.number}: {said}")
        place = folder / "trials" / f"{trial.number:04}"
        try:
            run = train(
                samples,
                change(settings, values, name=f"trial {trial.number}"),
                place,
                pack_folder=pack_folder or folder / "pack",
                report=report,
                verbose=verbose,
            )
        except (MaskCheckError, MemoryError) as error:
            trial.set_user_attr("reason", str(error) or "no memory left")
            study.tell(trial, state=TrialState.FAIL)
            report(f"trial {trial.number} failed: {error}")
            continue
        loss = run.validation_loss
        study.tell(trial, loss)
        report(f"trial {trial.number}: validation loss {loss:.4f}; best {study.best_value:.4f}")
        _keep_best(study, folder)
    if not any(trial.state == TrialState.COMPLETE for trial in study.trials):
        reasons = {trial.user_attrs.get("reason", "stopped") for trial in study.trials}
        raise DataError(f"no trial has finished: {'; '.join(sorted(reasons)) or 'the budget allowed none'}")
    return study


def _open(settings: Settings, space: Space, folder: Path) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    asked = {"recipe": settings.model_dump_json(), "space": json.dumps({k: v.model_dump() for k, v in space.items()})}
    storage = JournalStorage(JournalFileBackend(str(folder / JOURNAL)))
    study = optuna.create_study(storage=storage, study_name=_NAME, direction="minimize", load_if_exists=True)
    for name, text in asked.items():
        if study.user_attrs.setdefault(name, text) != text:
            raise RecipeError(
                f"{folder} holds a study of another {name}; go on with that one, or choose another folder"
            )
        study.set_user_attr(name, text)
    # Not the same beginnings again after a stop.
    study.sampler = optuna.samplers.TPESampler(seed=settings.seed + len(study.trials))
    for trial in study.trials:
        if trial.state == TrialState.RUNNING:
            study.tell(trial.number, state=TrialState.FAIL)
            study.enqueue_trial(trial.params)
            shutil.rmtree(folder / "trials" / f"{trial.number:04}", ignore_errors=True)
    return study


def _finished(study: optuna.Study) -> int:
    """Trials with a result, or a reason why not; one that was killed has neither."""
    return sum(trial.state == TrialState.COMPLETE or "reason" in trial.user_attrs for trial in study.trials)


def _keep_best(study: optuna.Study, folder: Path) -> None:
    """Models and checkpoints are large: of the others, only the records stay."""
    for place in (folder / "trials").iterdir():
        if int(place.name) != study.best_trial.number:
            for file in place.iterdir():
                if file.is_file() and file.suffix in (".keras", ".h5") and (place / RECORD).exists():
                    file.unlink()
