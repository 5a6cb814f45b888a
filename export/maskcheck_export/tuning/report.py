"""What a search found, and what mattered: a page, plots, figures, and the best recipe."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import tomli_w
from matplotlib.ticker import MaxNLocator
from optuna.trial import FrozenTrial, TrialState

from maskcheck_export.evaluation.plots import BLUE, GREY, RED, figure_of, tidy
from maskcheck_export.settings import Settings
from maskcheck_export.tuning.space import Range, Space, change, describe

BEST = "best.toml"
_FEW = 4
"""Trials a searched key below which importances say little."""


def write_report(study: optuna.Study, settings: Settings, space: Space, folder: Path) -> Path:
    """Write ``report.md``, ``report.json``, plots and ``best.toml`` of a study with a finished trial.

    Returns:
        The page.
    """
    done = [trial for trial in study.trials if trial.state == TrialState.COMPLETE]
    failed = [trial for trial in study.trials if trial.state == TrialState.FAIL]
    best = change(settings, study.best_params, name="the best trial")
    (folder / BEST).write_text(tomli_w.dumps(best.model_dump(mode="json")), encoding="utf-8")
    importances = _importances(study, done)
    plots = folder / "plots"
    plots.mkdir(exist_ok=True)
    _plot_history(done, plots / "history.png")
    _plot_values(done, space, plots / "values.png")
    figures = {
        "schema": "maskcheck-tuning/1",
        "objective": "mean log loss of the validation faces, after temperature (nats)",
        "best": {"trial": study.best_trial.number, "validation_loss": study.best_value, "values": study.best_params},
        "importances": importances,
        "trials": [_trial(trial) for trial in study.trials],
    }
    (folder / "report.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    page = folder / "report.md"
    page.write_text("\n\n".join(_page(study, done, failed, importances, space)) + "\n", encoding="utf-8")
    return page


def _importances(study: optuna.Study, done: Sequence[FrozenTrial]) -> dict[str, float]:
    """Share of the loss's variance that each key explains (fANOVA, Hutter et al. 2014); empty if all are alike."""
    if len(done) < 2 or len({trial.value for trial in done}) < 2:
        return {}
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    return dict(optuna.importance.get_param_importances(study, evaluator=evaluator))


def _trial(trial: FrozenTrial) -> dict[str, Any]:
    return {
        "trial": trial.number,
        "state": trial.state.name.lower(),
        "validation_loss": trial.value,
        "values": trial.params,
        "reason": trial.user_attrs.get("reason"),
    }


def _page(
    study: optuna.Study,
    done: Sequence[FrozenTrial],
    failed: Sequence[FrozenTrial],
    importances: Mapping[str, float],
    space: Space,
) -> list[str]:
    keys = list(space)
    parts = [
        "# Search",
        f"{len(done)} trials finished, {len(failed)} failed or were stopped. What was minimised is the mean log loss of"
        " the validation faces (nats), after temperature; test faces had no part in it.",
        f"The best is trial {study.best_trial.number}, with {study.best_value:.4f}. Its recipe is [{BEST}]({BEST});"
        " train with it by `maskcheck-export train`. The lowest of many trials is a little lucky: measure it on the"
        " test faces, once.",
        "## What mattered",
    ]
    if importances:
        parts.append("Share of the variation of the loss among the trials that each key explains (fANOVA).")
        parts.append(_table(("key", "share"), [(f"`{key}`", f"{share:.0%}") for key, share in importances.items()]))
    if len(done) < _FEW * len(keys):
        parts.append(
            f"Read this with care: {len(done)} trials for {len(keys)} keys are few; expect these shares to change"
            f" until there are {_FEW * len(keys)} or more."
        )
    parts += [
        "![loss of each trial](plots/history.png)",
        "Loss of each trial, and the lowest so far.",
        "![loss against each value](plots/values.png)",
        "Loss against the value of each key; darker dots are later trials. A key that matters shows a slope or valley.",
        "## Trials",
        _table(
            ("trial", "loss", *(f"`{key}`" for key in keys)),
            [
                (
                    str(trial.number),
                    f"{trial.value:.4f}" if trial.value is not None else trial.user_attrs.get("reason", "stopped"),
                    *(describe(trial.params[key]) if key in trial.params else "" for key in keys),
                )
                for trial in sorted(study.trials, key=lambda one: np.inf if one.value is None else one.value)
            ],
        ),
    ]
    return parts


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join("| " + " | ".join(line) + " |" for line in (head, ["---"] * len(head), *rows))


def _plot_history(done: Sequence[FrozenTrial], path: Path) -> None:
    figure = figure_of(7.5, 4)
    axes = figure.subplots()
    numbers, losses = [trial.number for trial in done], np.array([trial.value for trial in done], float)
    axes.plot(numbers, losses, "o", color=BLUE, label="trial")
    axes.step(numbers, np.minimum.accumulate(losses), where="post", color=RED, label="lowest so far")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("trial (number)")
    axes.set_ylabel("validation loss (nats)")
    tidy(axes)
    axes.legend(frameon=False)
    figure.savefig(path)


def _plot_values(done: Sequence[FrozenTrial], space: Space, path: Path) -> None:
    columns = min(3, len(space))
    rows = -(-len(space) // columns)
    figure = figure_of(3.2 * columns, 2.6 * rows)
    panels = figure.subplots(rows, columns, sharey=True, squeeze=False)
    shades = np.linspace(0.35, 1, len(done))
    for axes, (key, values) in zip(panels.flat, space.items(), strict=False):
        known = [(trial.params[key], trial.value, shade) for trial, shade in zip(done, shades, strict=True)]
        x = [str(value) if not isinstance(values, Range) else value for value, _, _ in known]
        axes.scatter(x, [loss for _, loss, _ in known], color=BLUE, alpha=[shade for *_, shade in known], s=22)
        if isinstance(values, Range) and values.log:
            axes.set_xscale("log")
        axes.set_xlabel(key, fontsize=8)
        tidy(axes)
    for axes in panels.flat[len(space) :]:
        axes.set_visible(False)
    figure.supylabel("validation loss (nats)", fontsize=9, color=GREY)
    figure.savefig(path)
