"""The search: trials, one after the other, in a study that survives a kill."""

from __future__ import annotations

import math
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Protocol

import optuna
from optuna.storages import InMemoryStorage, RDBStorage
from optuna.trial import FrozenTrial, TrialState

from maskcheck.errors import MaskCheckError
from maskcheck_export.data.samples import Sample, describe
from maskcheck_export.data.split import split_by_recipe
from maskcheck_export.errors import DataError, RecipeError
from maskcheck_export.runs import RECORD, Run, load_run
from maskcheck_export.settings import Settings
from maskcheck_export.tuning.space import Space, change, show

STUDY = "study.db"
VALIDATION = "set of validation faces"
"""Attribute of a study: the faces that its losses are of, in words."""

_NAME = "maskcheck"
_ATTEMPTS = 3
"""Times that a trial is begun; without a bound, one that gets the process killed would be tried for ever."""


class Train(Protocol):
    """A trainer, as :func:`maskcheck_export.training.training.train`."""

    def __call__(
        self,
        samples: Sequence[Sample],
        settings: Settings,
        folder: Path,
        *,
        resume: bool,
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
    not change its meaning with label smoothing or weights, which may be searched. The trainer is not given the test
    faces, so that nothing is measured on them.

    Trials go on until one of the budgets is spent. A study in the folder is gone on with: its finished trials count,
    and one that was killed goes on after its last finished epoch.

    Args:
        samples: All labelled faces; every trial splits them alike.
        settings: The recipe that is varied.
        space: What may vary.
        folder: Of the study; gets a folder for each trial. Only the best trial's keeps its model. No other search
            may use it at the same time.
        train: The trainer.
        trials: Most finished trials in all.
        minutes: Start no trial after so many minutes of this call.
        pack_folder: Packed faces that the trials share; by default, in `folder`.
        report: Called with a line of progress.
        verbose: As in ``keras.Model.fit``.
        clock: Seconds that pass.

    Returns:
        The study, in memory.

    Raises:
        RecipeError: The folder holds a study of another recipe, space or faces, or the recipe keeps no validation
            faces.
        DataError: Every trial failed, there are too few faces to split, or the study's file is damaged.
    """
    if not settings.split.validation:
        raise RecipeError("a search needs validation faces: split.validation is 0")
    parts = split_by_recipe(samples, settings)
    untested = change(settings, {"split.test": 0.0}, name="the recipe without test faces")
    folder.mkdir(parents=True, exist_ok=True)
    with _storage(folder / STUDY) as storage:
        study = _open(storage, settings, space, describe(parts.validation), folder)
        end = None if minutes is None else clock() + 60 * minutes
        while (trials is None or len(settled(study)) < trials) and (end is None or clock() < end):
            trial = study.ask()
            values = {key: one.suggest(trial, key) for key, one in space.items()}
            report(f"trial {trial.number}: " + ", ".join(f"{key} {show(value)}" for key, value in values.items()))
            attempt, place = _attempt(trial), place_of(folder, trial)
            try:
                if attempt > _ATTEMPTS:
                    raise DataError(f"stopped {_ATTEMPTS} times before it finished, perhaps for want of memory")
                if attempt > 1 and (place / RECORD).exists():
                    run = load_run(place)
                else:
                    run = train(
                        (*parts.training, *parts.validation),
                        change(untested, values, name=f"trial {trial.number}"),
                        place,
                        resume=attempt > 1,
                        pack_folder=pack_folder or folder / "pack",
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
        found = _in_memory(storage)
    if not finished(found):
        reasons = sorted({trial.user_attrs["reason"] for trial in settled(found)})
        raise DataError(f"no trial has finished: {'; '.join(reasons) or 'the budget allowed none'}")
    return found


def settled(study: optuna.Study) -> list[FrozenTrial]:
    """Trials with a loss, or a reason why not; one that was killed has neither."""
    return [trial for trial in study.trials if trial.state == TrialState.COMPLETE or "reason" in trial.user_attrs]


def finished(study: optuna.Study) -> list[FrozenTrial]:
    """Trials with a loss."""
    return [trial for trial in study.trials if trial.state == TrialState.COMPLETE]


@contextmanager
def _storage(path: Path) -> Iterator[RDBStorage]:
    """SQLite: what a kill leaves half written is undone when it is opened again."""
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
    asked = {
        "recipe": settings.model_dump(mode="json"),
        "space": {key: values.model_dump(mode="json") for key, values in space.items()},
        VALIDATION: validation,
    }
    for name, now in asked.items():
        begun = study.user_attrs.get(name, now)
        if begun != now:
            raise RecipeError(
                f"{folder} holds a study of another {name}: {_differences(begun, now)}; go on with that one, or choose"
                " another folder"
            )
        study.set_user_attr(name, now)
    # Not the same beginnings again after a stop.
    study.sampler = optuna.samplers.TPESampler(seed=settings.seed + len(study.trials))
    for trial in study.trials:
        if trial.state == TrialState.RUNNING:
            study.tell(trial.number, state=TrialState.FAIL)
            if "reason" not in trial.user_attrs:
                again = {"folder": place_of(folder, trial).name, "attempt": _attempt(trial) + 1}
                study.enqueue_trial(trial.params, user_attrs=again)
    return study


def _differences(begun: Any, now: Any) -> str:
    before, after = dict(_leaves(begun)), dict(_leaves(now))
    return "; ".join(
        f"{key} was {before.get(key, 'absent')} and is {after.get(key, 'absent')}"
        for key in before | after
        if before.get(key) != after.get(key)
    )


def _leaves(value: Any, key: str = "it") -> Iterator[tuple[str, Any]]:
    """Values in nested tables, with dotted keys."""
    if not isinstance(value, Mapping):
        yield key, value
        return
    for name, inner in value.items():
        yield from _leaves(inner, name if key == "it" else f"{key}.{name}")


def _attempt(trial: optuna.Trial | FrozenTrial) -> int:
    return int(trial.user_attrs.get("attempt", 1))


def place_of(folder: Path, trial: optuna.Trial | FrozenTrial) -> Path:
    """The folder of a trial in that of the study; one that goes on after a kill has the old one's."""
    name: str = trial.user_attrs.get("folder", f"{trial.number:04}")
    return folder / "trials" / name


def _keep_best(study: optuna.Study, folder: Path) -> None:
    """Models and checkpoints are large: of the others, only the records stay."""
    kept = {place_of(folder, trial) for trial in study.trials if trial.state == TrialState.WAITING}
    if finished(study):
        kept.add(place_of(folder, study.best_trial))
    for place in {place_of(folder, trial) for trial in study.trials} - kept:
        for pattern in ("*.keras", "*.h5"):
            for file in place.glob(pattern):
                file.unlink()


def _in_memory(storage: RDBStorage) -> optuna.Study:
    memory = InMemoryStorage()
    optuna.copy_study(from_study_name=_NAME, from_storage=storage, to_storage=memory)
    return optuna.load_study(study_name=_NAME, storage=memory)
