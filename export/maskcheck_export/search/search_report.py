"""The report of a search: a page, plots, figures as JSON, and the best recipe."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import tomli_w
from matplotlib.colors import to_rgba
from matplotlib.ticker import MaxNLocator, NullLocator
from numpy.typing import NDArray
from optuna.trial import FrozenTrial

from maskcheck_export.evaluation.plots import BLUE, GREY, RED, figure_of, tidy
from maskcheck_export.recipes.reading import change_settings, value_of
from maskcheck_export.recipes.settings import Settings
from maskcheck_export.search.space import Choices, Space, show
from maskcheck_export.search.study import VALIDATION, finished, folder_of, settled
from maskcheck_export.writing.markdown import table
from maskcheck_export.writing.whole_files import replacing

BEST = "best.toml"
_TRIALS_PER_KEY = 4
"""Importances of fewer finished trials say little."""
_REACH = 5
"""Top of a plot, above the lowest loss: a multiple of the distance from there to the median loss."""


def write_report(study: optuna.Study, settings: Settings, space: Space, folder: Path) -> Path:
    """Write ``report.md``, ``report.json``, plots and ``best.toml`` of a study that has a finished trial.

    Returns:
        The page.
    """
    done = finished(study)
    best = change_settings(settings, study.best_params, name="the best trial")
    with replacing(folder / BEST) as path:
        content = best.model_dump(mode="json", exclude_none=True)  # TOML has no null
        path.write_text(tomli_w.dumps(content), encoding="utf-8")
    importances = _importances(study)
    plots = folder / "plots"
    plots.mkdir(exist_ok=True)
    _plot_history(study, plots / "history.png")
    _plot_values(study, space, plots / "values.png")
    figures = {
        "schema": "maskcheck-tuning/1",
        "objective": "mean log loss of the validation faces, after temperature (nats)",
        "validation": study.user_attrs[VALIDATION],
        "finished": len(done),
        "failed": len(settled(study)) - len(done),
        "best": {"trial": study.best_trial.number, "validation_loss": study.best_value, "values": study.best_params},
        "importances": importances,
        "trials": [_trial(trial, folder) for trial in settled(study)],
    }
    with replacing(folder / "report.json") as path:
        path.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    page = folder / "report.md"
    with replacing(page) as path:
        path.write_text("\n\n".join(_page(study, settings, importances, space)) + "\n", encoding="utf-8")
    return page


def _importances(study: optuna.Study) -> dict[str, float]:
    """Share of the variance of the loss that each key explains (fANOVA, Hutter et al. 2014); none if all are equal."""
    if len({trial.value for trial in finished(study)}) < 2:
        return {}
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    return dict(optuna.importance.get_param_importances(study, evaluator=evaluator))


def _trial(trial: FrozenTrial, folder: Path) -> dict[str, Any]:
    return {
        "trial": trial.number,
        "folder": folder_of(trial, folder).relative_to(folder).as_posix(),
        "state": trial.state.name.lower(),
        "validation_loss": trial.value,
        "values": trial.params,
        "reason": trial.user_attrs.get("reason"),
    }


def _page(study: optuna.Study, settings: Settings, importances: Mapping[str, float], space: Space) -> list[str]:
    done = finished(study)
    enough = _TRIALS_PER_KEY * len(space)
    parts = [
        "# Search",
        f"Trials finished: {len(done)}; failed: {len(settled(study)) - len(done)}. The loss is the mean log loss of the"
        " validation faces (nats), after temperature; test faces are not used.",
        f"Validation faces: {study.user_attrs[VALIDATION]}.",
        f"The best is trial {study.best_trial.number}, with a loss of {study.best_value:.4f}. Its recipe is"
        f" [{BEST}]({BEST}); train with it by `maskcheck-export train`. The lowest loss of many trials is partly luck:"
        " measure the trained model on the test faces, once.",
        "## What mattered",
        table(
            ("key", "in the recipe", "in the best trial", "share"),
            [
                (
                    f"`{key}`",
                    show(value_of(settings, key)),
                    show(study.best_params[key]),
                    f"{importances[key]:.0%}" if key in importances else "unknown",
                )
                for key in sorted(space, key=lambda key: -importances.get(key, 0))
            ],
        ),
        "Share: how much of the variation of the loss between trials the key explains (fANOVA).",
    ]
    if len(done) < enough:
        parts.append(
            f"Read the shares with care: {len(space)} keys need {enough} finished trials or more; with fewer, the"
            " shares still change."
        )
    parts += [
        "![loss of each trial](plots/history.png)",
        "Loss of each trial, and the lowest loss so far. Losses far above the others are not shown.",
        "![loss against each value](plots/values.png)",
        "Loss against the value of each key; darker dots are later trials, the star is the best trial. A key that"
        " matters shows a slope or a valley.",
        "## Trials",
        table(
            ("trial", "loss", *(f"`{key}`" for key in space)),
            [
                (
                    str(trial.number),
                    trial.user_attrs["reason"] if trial.value is None else f"{trial.value:.4f}",
                    *(show(trial.params[key]) for key in space),
                )
                for trial in sorted(settled(study), key=lambda trial: np.inf if trial.value is None else trial.value)
            ],
        ),
    ]
    return parts


def _plot_history(study: optuna.Study, path: Path) -> None:
    figure = figure_of(7.5, 4)
    axes = figure.subplots()
    numbers, losses = [trial.number for trial in finished(study)], _losses(study)
    axes.scatter(numbers, losses, color=BLUE, s=22)
    axes.step(numbers, np.minimum.accumulate(losses), where="post", color=RED, label="lowest so far")
    axes.set_ylim(_limits(losses))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("trial (number)")
    axes.set_ylabel("validation loss (nats)")
    tidy(axes)
    axes.legend(frameon=False)
    figure.savefig(path)


def _plot_values(study: optuna.Study, space: Space, path: Path) -> None:
    trials, losses = finished(study), _losses(study)
    columns = min(3, len(space))
    rows = -(-len(space) // columns)
    figure = figure_of(max(3.2 * columns, 5), 2.6 * rows)
    panels = figure.subplots(rows, columns, sharey=True, squeeze=False)
    colours = [to_rgba(BLUE, shade) for shade in np.linspace(0.35, 1, len(trials))]
    for axes, (key, values) in zip(panels.flat, space.items(), strict=False):
        place = values.choices.index if isinstance(values, Choices) else float
        axes.scatter([place(trial.params[key]) for trial in trials], losses, color=colours, s=22)
        best = place(study.best_params[key])
        axes.plot(best, study.best_value, "*", color=RED, markersize=13, markeredgecolor="white")
        if isinstance(values, Choices):
            axes.set_xticks(range(len(values.choices)), [str(value) for value in values.choices])
            axes.set_xlim(-0.5, len(values.choices) - 0.5)
        else:
            ticks = (np.geomspace if values.log else np.linspace)(values.low, values.high, 3)
            axes.set_xscale("log" if values.log else "linear")
            axes.set_xticks(ticks, [show(float(tick)) for tick in ticks])
            axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xlabel(key, fontsize=8)
        tidy(axes)
    panels[0, 0].set_ylim(_limits(losses))
    for axes in panels.flat[len(space) :]:
        axes.set_visible(False)
    figure.supylabel("validation loss (nats)", fontsize=9, color=GREY)
    figure.savefig(path)


def _losses(study: optuna.Study) -> NDArray[np.float64]:
    return np.array([trial.value for trial in finished(study)], float)


def _limits(losses: NDArray[np.float64]) -> tuple[float, float] | None:
    """Limits of a plot that leave out a loss far above the others: of a training that nearly diverged."""
    lowest, median = losses.min(), np.median(losses)
    reach = _REACH * (median - lowest)
    return (lowest - 0.05 * reach, lowest + reach) if 0 < reach < losses.max() - lowest else None
