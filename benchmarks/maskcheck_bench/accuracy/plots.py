"""Plots of an accuracy report."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

from maskcheck.scoring import RECALLS

_SIZE = (7.0, 4.5)  # inches
_DOTS = 130  # an inch
_MARKERS = "osD^vPX*"


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
    """AP50 of every detector against its time; the classifier's precision makes no difference there."""
    points = {
        one["name"]: (one["detect_ms"]["median"], one["detector"]["all"]["ap50"])
        for one in report["candidates"]
        if " precision=" not in one["name"]
    }
    _plot_trade_off(points, "median time of the detector (ms a picture)", "AP50 of the detector", path)


def plot_against_speed(report: dict[str, Any], path: Path) -> None:
    """mAP50 of every whole pipeline, over the labels that all have, against its speed."""
    points = {
        one["name"]: (
            one["total_ms"]["mean"] and 1000 / one["total_ms"]["mean"],
            one["pipeline"][-1]["map50"]["all"] if one["pipeline"] else None,
        )
        for one in report["candidates"]
    }
    _plot_trade_off(points, "pictures a second (whole pipeline, file to result)", "mAP50 of the whole pipeline", path)


def _plot_trade_off(
    points: Mapping[str, tuple[float | None, float | None]], xlabel: str, ylabel: str, path: Path
) -> None:
    """Points that differ in their preset alone are joined by a line."""
    figure = Figure(figsize=_SIZE, layout="constrained")
    axes = figure.subplots()
    families: dict[str, list[tuple[float, float, str]]] = {}
    for name, (x, y) in points.items():
        if x is not None and y is not None:
            preset = re.search(r" preset=(\w+)", name)
            family = name.replace(preset[0], "") if preset else name
            families.setdefault(family, []).append((x, y, preset[1] if preset else ""))
    for number, (family, members) in enumerate(families.items()):
        members.sort()
        marker = _MARKERS[number % len(_MARKERS)]
        (line,) = axes.plot([x for x, _, _ in members], [y for _, y, _ in members], f"{marker}-", label=family)
        place = (0, 6) if number % 2 else (0, -12)  # in turns, so that neighbours do not cover each other's words
        for x, y, label in members:
            axes.annotate(
                label,
                (x, y),
                xytext=place,
                textcoords="offset points",
                fontsize="x-small",
                ha="center",
                color=line.get_color(),
            )
    axes.set(xlabel=xlabel, ylabel=ylabel, xscale="log", ylim=(0, 1))
    axes.margins(x=0.1)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.grid(alpha=0.3)
    if families:
        axes.legend(fontsize="small")
    figure.savefig(path, dpi=_DOTS)
