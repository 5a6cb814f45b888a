"""Plots of an accuracy report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

from maskcheck.scoring import RECALLS

_SIZE = (7.0, 4.5)  # inches
_DOTS = 130  # an inch


def plot_precision_recall(report: dict[str, Any], path: Path) -> None:
    """Precision against recall of every detector, all faces."""
    figure = Figure(figsize=_SIZE, layout="constrained")
    axes = figure.subplots()
    for one in report["candidates"]:
        score = one["detector"]["all"]
        if score["ap50"] is not None:
            axes.plot(RECALLS, score["precision"], label=f"{one['name']}: AP50 {score['ap50']:.3f}")
    axes.set(xlabel="recall (share of all faces)", ylabel="precision (share of boxes)", xlim=(0, 1), ylim=(0, 1.02))
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small", loc="lower left")
    figure.savefig(path, dpi=_DOTS)


def plot_against_time(report: dict[str, Any], path: Path) -> None:
    """AP50 of every detector against its time."""
    figure = Figure(figsize=_SIZE, layout="constrained")
    axes = figure.subplots()
    families: dict[str, list[tuple[float, float, str]]] = {}
    for one in report["candidates"]:
        time, precision = one["detect_ms"]["median"], one["detector"]["all"]["ap50"]
        if time is not None and precision is not None:
            family, _, options = one["name"].partition(" ")
            families.setdefault(family, []).append((time, precision, options))
    for family, points in families.items():
        points.sort()
        axes.plot([time for time, _, _ in points], [ap for _, ap, _ in points], "o-", label=family)
        for time, precision, options in points:
            name = options.removeprefix("preset=")
            axes.annotate(
                name, (time, precision), xytext=(0, 6), textcoords="offset points", fontsize="x-small", ha="center"
            )
    axes.set(xlabel="median time of the detector (ms a picture)", ylabel="AP50", xscale="log", ylim=(0, 1))
    axes.margins(x=0.1)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.grid(alpha=0.3)
    if families:
        axes.legend(fontsize="small", loc="lower right")
    figure.savefig(path, dpi=_DOTS)
