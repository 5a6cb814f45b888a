"""A study: trials, each a training with other settings, one after the other; a killed search can go on."""

from __future__ import annotations

import math
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import InMemoryStorage, RDBStorage
from optuna.trial import FrozenTrial, TrialState

from maskcheck.errors import MaskCheckError
from maskcheck_export.data.samples import Sample, describe
from maskcheck_export.data.split import split
from maskcheck_export.errors import DataError, RecipeError
from maskcheck_export.recipes.reading import change_settings
from maskcheck_export.recipes.settings import Settings
from maskcheck_export.runs import PACK, RECORD, Run, load_run
from maskcheck_export.search.space import Space, show

STUDY = "study.db"
VALIDATION = "set of validation faces"
"""Attribute of a study: counts of the faces that its losses are measured on, in words."""

_NAME = "maskcheck"
_ATTEMPTS = 3
"""Most times that a trial starts: a trial that always gets the process killed must not run for ever."""


def search(
    samples: Sequence[Sample],
    settings: Settings,
    space: Space,
    folder: Path,
    *,
    train: Callable[..., Run],
    trials: int | None = None,
    minutes: float | None = None,
    pack_folder: Path | None = None,
    report: Callable[[str], None] = print,
    verbose: str | int = 0,
    clock: Callable[[], float] = time.monotonic,
) -> optuna.Study:
    """Search the settings with the lowest loss, with Optuna's tree of Parzen estimators.

    The loss is the mean log loss of the trained model on the validation faces, after its temperature: label smoothing
    and label weights, which may be searched, do not change its meaning. The trainer does not get the test faces, so
    nothing is measured on them.

    Trials run until a budget is spent. If the folder holds a study, the search goes on with it: its finished trials
    count, and a killed trial goes on after its last finished epoch.

    Args:
        samples: All labelled faces; all trials split them alike.
        settings: The recipe whose values are changed.
        space: Which keys may change, and to which values.
        folder: Of the study; gets a folder for each trial. Only the best trial keeps its model. No other search may
            use the folder at the same time.
        train: :func:`maskcheck_export.training.training.train`, or a function that is called alike.
        trials: Most finished trials in all.
        minutes: Start no trial after this many minutes.
        pack_folder: Packed faces that the trials share; by default, in `folder`.
        report: Called with a line of progress.
        verbose: As in ``keras.Model.fit``.
        clock: Seconds, from any start.

    Returns:
        The study, in memory.

    Raises:
        RecipeError: The folder holds a study of another recipe, space or faces, or the recipe keeps no validation
            faces.
        DataError: Every trial failed, there are too few faces to split, or the file of the study is damaged.
    """
    if not settings.split.validation:
        raise RecipeError("a search needs validation faces: split.validation is 0")
    parts = split(samples, settings.split, settings.seed)
    untested = change_settings(settings, {"split.test": 0.0}, name="the recipe without test faces")
    folder.mkdir(parents=True, exist_ok=True)
    with _storage(folder / STUDY) as storage:
        study = _open(storage, settings, space, describe(parts.validation), folder)
        end = None if minutes is None else clock() + 60 * minutes
        while (trials is None or len(settled(study)) < trials) and (end is None or clock() < end):
            trial = study.ask()
            values = {key: allowed.suggest(trial, key) for key, allowed in space.items()}
            report(f"trial {trial.number}: " + ", ".join(f"{key} {show(value)}" for key, value in values.items()))
            attempt, trial_folder = _attempt(trial), folder_of(trial, folder)
            try:
                if attempt > _ATTEMPTS:
                    raise DataError(f"stopped {_ATTEMPTS} times before it finished, perhaps because memory ran out")
                if attempt > 1 and (trial_folder / RECORD).exists():
                    run = load_run(trial_folder)
                else:
                    run = train(
                        (*parts.training, *parts.validation),
                        change_settings(untested, values, name=f"trial {trial.number}"),
                        trial_folder,
                        resume=attempt > 1,
                        pack_folder=pack_folder or folder / PACK,
                        report=report,
                        verbose=verbose,
                    )
                loss = run.validation_loss
                if loss is None or not math.isfinite(loss):
                    raise DataError(f"the training diverged: validation loss {loss}")
            except (MaskCheckError, MemoryError) as error:
                reason = str(error) or "no memory left"
                trial.set_user_attr("reason", reason)
                study.tell(trial, state=TrialState.FAIL)
                report(f"trial {trial.number} failed: {reason}")
            else:
                study.tell(trial, loss)
                report(f"trial {trial.number}: validation loss {loss:.4f}; best {study.best_value:.4f}")
            _keep_best(study, folder)
        study = _in_memory(storage)
    if not finished(study):
        reasons = sorted({trial.user_attrs["reason"] for trial in settled(study)})
        raise DataError(f"no trial has finished: {'; '.join(reasons) or 'the budget allowed none'}")
    return study


def settled(study: optuna.Study) -> list[FrozenTrial]:
    """Trials that finished or failed, with a loss or a reason; a killed trial has neither."""
    return [trial for trial in study.trials if trial.state == TrialState.COMPLETE or "reason" in trial.user_attrs]


def finished(study: optuna.Study) -> list[FrozenTrial]:
    """Trials with a loss."""
    return [trial for trial in study.trials if trial.state == TrialState.COMPLETE]


@contextmanager
def _storage(path: Path) -> Iterator[RDBStorage]:
    """The SQLite file of a study; SQLite undoes what a kill left half written."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA schema_version")
    except sqlite3.DatabaseError as error:
        raise DataError(f"{path} cannot be read as a study: {error}; search in another folder") from error
    storage = RDBStorage(f"sqlite:///{path.resolve().as_posix()}")
    try:
        yield storage
    finally:
        storage.engine.dispose()


def _open(storage: RDBStorage, settings: Settings, space: Space, validation: str, folder: Path) -> optuna.Study:
    study = optuna.create_study(storage=storage, study_name=_NAME, direction="minimize", load_if_exists=True)
    request = {
        "recipe": settings.model_dump(mode="json"),
        "space": {key: values.model_dump(mode="json") for key, values in space.items()},
        VALIDATION: validation,
    }
    for name, now in request.items():
        before = study.user_attrs.get(name, now)
        if before != now:
            raise RecipeError(
                f"{folder} holds a study of another {name}: {_differences(before, now)}; go on with that {name}, or"
                " choose another folder"
            )
        study.set_user_attr(name, now)
    # After a stop, the sampler must not draw its first values again.
    study.sampler = optuna.samplers.TPESampler(seed=settings.seed + len(study.trials))
    for trial in study.trials:
        if trial.state == TrialState.RUNNING:
            study.tell(trial.number, state=TrialState.FAIL)
            if "reason" not in trial.user_attrs:
                again = {"folder": folder_of(trial, folder).name, "attempt": _attempt(trial) + 1}
                study.enqueue_trial(trial.params, user_attrs=again)
    return study


def _differences(old: Any, new: Any) -> str:
    before, after = dict(_flat(old)), dict(_flat(new))
    return "; ".join(
        f"{key} was {before.get(key, 'absent')} and is {after.get(key, 'absent')}"
        for key in before | after
        if before.get(key) != after.get(key)
    )


def _flat(value: Any, key: str = "it") -> Iterator[tuple[str, Any]]:
    """Values in nested tables, with dotted keys."""
    if not isinstance(value, Mapping):
        yield key, value
        return
    for name, inner in value.items():
        yield from _flat(inner, name if key == "it" else f"{key}.{name}")


def _attempt(trial: optuna.Trial | FrozenTrial) -> int:
    return int(trial.user_attrs.get("attempt", 1))


def folder_of(trial: optuna.Trial | FrozenTrial, study_folder: Path) -> Path:
    """The folder of a trial; a trial that goes on after a kill keeps its folder."""
    name: str = trial.user_attrs.get("folder", f"{trial.number:04}")
    return study_folder / "trials" / name


def _keep_best(study: optuna.Study, folder: Path) -> None:
    """Remove models and checkpoints, which are large, but for those of the best trial and of a trial to go on."""
    kept = {folder_of(trial, folder) for trial in study.trials if trial.state == TrialState.WAITING}
    if finished(study):
        kept.add(folder_of(study.best_trial, folder))
    for trial_folder in {folder_of(trial, folder) for trial in study.trials} - kept:
        for pattern in ("*.keras", "*.h5"):
            for file in trial_folder.glob(pattern):
                file.unlink()


def _in_memory(storage: RDBStorage) -> optuna.Study:
    memory = InMemoryStorage()
    optuna.copy_study(from_study_name=_NAME, from_storage=storage, to_storage=memory)
    return optuna.load_study(study_name=_NAME, storage=memory)
