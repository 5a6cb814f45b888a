"""Plots of an accuracy report."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

from maskcheck.evaluation.face_sizes import ALL
from maskcheck.evaluation.scoring import RECALLS

_SIZE = (8.0, 4.5)  # inches
_DOTS = 130  # an inch
_MARKERS = "osD^vPX*"  # of presets
_MARKER_WITHOUT_PRESET = "h"


def plot_detector_curves(report: dict[str, Any], path: Path) -> None:
    """Precision against recall of every detector, all faces."""
    figure = Figure(figsize=_SIZE, layout="constrained")
    axes = figure.subplots()
    for candidate in report["candidates"]:
        score = candidate["detector"][ALL]
        if score["ap50"] is not None:
            axes.plot(RECALLS, score["precision"], label=f"{candidate['name']}: AP50 {score['ap50']:.3f}")
    axes.set(xlabel="recall (share of all faces)", ylabel="precision (share of boxes)", xlim=(0, 1), ylim=(0, 1.02))
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small", loc="lower left")
    figure.savefig(path, dpi=_DOTS)


def plot_against_time(report: dict[str, Any], path: Path) -> None:
    """AP50 of every detector against its time; the classifier's precision does not matter here."""
    points = {
        candidate["name"]: (candidate["detect_ms"]["median"], candidate["detector"][ALL]["ap50"])
        for candidate in report["candidates"]
        if candidate["name"] == _family(candidate["name"])
    }
    _plot_trade_off(points, "median time of the detector (ms a picture)", "AP50 of the detector", path)


def plot_against_speed(report: dict[str, Any], path: Path) -> None:
    """mAP50 of every whole pipeline, over the labels that all of them know, against its speed."""
    points = {
        candidate["name"]: (
            candidate["total_ms"]["mean"] and 1000 / candidate["total_ms"]["mean"],
            candidate["pipeline"][-1]["map50"][ALL] if candidate["pipeline"] else None,
        )
        for candidate in report["candidates"]
    }
    _plot_trade_off(points, "pictures a second (whole pipeline, file to result)", "mAP50 of the whole pipeline", path)


def _plot_trade_off(
    points: Mapping[str, tuple[float | None, float | None]], xlabel: str, ylabel: str, path: Path
) -> None:
    """A colour for each detector, a shape for each preset, line and filling for the classifier's precision."""
    figure = Figure(figsize=_SIZE, layout="constrained")
    axes = figure.subplots()
    lines: dict[str, list[tuple[float, float, str]]] = {}
    for name, (x, y) in points.items():
        if x is not None and y is not None:
            match = re.search(r" preset=(\w+)", name)
            line, preset = (name.replace(match[0], ""), match[1]) if match else (name, "")
            lines.setdefault(line, []).append((x, y, preset))
    families = list(dict.fromkeys(_family(name) for name in lines))
    presets = list(dict.fromkeys(preset for members in lines.values() for _, _, preset in members if preset))
    markers = dict(zip(presets, itertools.cycle(_MARKERS), strict=False)) | {"": _MARKER_WITHOUT_PRESET}
    for name, members in lines.items():
        colour = f"C{families.index(_family(name))}"
        look: dict[str, Any] = {"color": colour, "linestyle": "-", "markerfacecolor": colour}
        if name != _family(name):
            look |= {"linestyle": "--", "markerfacecolor": "white"}
        members.sort()
        axes.plot([x for x, _, _ in members], [y for _, y, _ in members], **look, linewidth=1, label=name)
        for x, y, preset in members:
            axes.plot(x, y, marker=markers[preset], **look)
    for preset in presets:
        axes.plot([], [], markers[preset], color="grey", label=f"preset={preset}")
    axes.set(xlabel=xlabel, ylabel=ylabel, xscale="log", ylim=(0, 1))
    axes.margins(x=0.1)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.grid(alpha=0.3)
    if lines:
        figure.legend(fontsize="small", loc="outside right upper")
    figure.savefig(path, dpi=_DOTS)


def _family(name: str) -> str:
    return name.partition(" classifier.precision=")[0]
