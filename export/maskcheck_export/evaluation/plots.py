"""The plots of a report: matplotlib figures, made without pyplot and its global state.

The colours, of Okabe and Ito, can be distinguished by colour-blind people.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from itertools import cycle, groupby
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter, PercentFormatter, StrMethodFormatter
from numpy.typing import NDArray

from maskcheck.evaluation.shares import wilson_interval
from maskcheck_export.evaluation.calibration import BINS, Reliability

COLOURS = BLUE, ORANGE, _, RED, _ = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7")
GREY = "#666666"


def plot_training(history: Path) -> Figure:
    """Loss and accuracy of training and validation against epochs, from the ``history.csv`` of a training.

    Both are those of the labels, also where a second look was trained beside them. If there is a column ``stage``,
    dotted lines separate the stages, and their names are above.
    """
    with history.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    # Keras names the figures of an output after it where a network has several.
    of_labels = "probabilities_" if rows and "probabilities_loss" in rows[0] else ""
    epochs = np.arange(1, len(rows) + 1)
    figure = figure_of(7.5, 6.5)
    top, bottom = figure.subplots(2, 1, sharex=True)
    for axes, column, short, unit in (
        (top, "loss", "loss", "cross-entropy loss (nats)"),
        (bottom, "accuracy", "acc", "accuracy (share of faces)"),
    ):
        for name, key, colour, dashes in (
            (f"train_{short}", f"{of_labels}{column}", BLUE, "-"),
            (f"val_{short}", f"val_{of_labels}{column}", RED, "--"),
        ):
            values = np.array([float(row.get(key) or "nan") for row in rows])
            if np.isfinite(values).any():
                axes.plot(epochs, values, dashes, color=colour, marker="o", markersize=4, label=name)
        tidy(axes)
        axes.set_ylabel(unit)
        axes.legend(frameon=False)
    top.set_ylim(bottom=0)
    bottom.xaxis.set_major_locator(MaxNLocator(integer=True))
    bottom.set_xlabel("epoch (number)")
    begin = 0.5
    for stage, members in groupby(row.get("stage") or "" for row in rows):
        for axes in (top, bottom) if begin > 1 else ():
            axes.axvline(begin, color=GREY, linewidth=0.8, linestyle=":")
        top.text(begin + 0.1, 1.02, plain(stage), transform=top.get_xaxis_transform(), color=GREY)
        begin += len(list(members))
    figure.suptitle("Training loss and accuracy")
    return figure


def plot_confusion(confusion: NDArray[np.intp], labels: Sequence[str]) -> Figure:
    """The confusion matrix: number of faces, and share of the row.

    Args:
        confusion: (C, C), rows true, columns predicted.
        labels: C names.
    """
    from sklearn.metrics import ConfusionMatrixDisplay

    totals = confusion.sum(axis=1, keepdims=True)
    shares = np.divide(confusion, totals, out=np.zeros(confusion.shape), where=totals > 0)
    side = 2.6 + 1.5 * len(labels)
    figure = figure_of(side + 2, side)
    axes = figure.subplots()
    display = ConfusionMatrixDisplay(shares, display_labels=[plain(label) for label in labels])
    display.plot(ax=axes, cmap="Blues", im_kw={"vmin": 0, "vmax": 1}, values_format=".1%", colorbar=False)
    for text, count in zip(display.text_.flat, confusion.flat, strict=True):
        text.set_text(f"{count}\n{text.get_text()}")
    axes.set_xlabel("predicted label")
    axes.set_ylabel("true label")
    axes.set_title("Confusion matrix")
    return figure


def plot_precision_recall(true: NDArray[np.intp], probabilities: NDArray[np.float32], labels: Sequence[str]) -> Figure:
    """Precision against recall of each label that occurs, over all thresholds; a dot marks the predicted labels.

    If all dots are near the upper right corner, the plot shows this corner only.

    Args:
        true: (N,), column of the label of each face; two or more labels occur.
        probabilities: (N, C), columns in the order of `labels`.
        labels: C names.
    """
    from sklearn.metrics import average_precision_score, precision_recall_curve, precision_score, recall_score

    predicted = probabilities.argmax(axis=1)
    curves = []
    for i, label in enumerate(labels):
        if (true == i).any():
            precision, recall, _ = precision_recall_curve(true == i, probabilities[:, i])
            point = (
                recall_score(true == i, predicted == i),
                precision_score(true == i, predicted == i, zero_division=0),
            )
            name = f"{plain(label)}: AP {average_precision_score(true == i, probabilities[:, i]):.4f}"
            curves.append((recall, precision, point, name))
    lowest = min(min(point) for _, _, point, _ in curves)
    floor = max(0.0, math.floor(lowest * 20 - 1) / 20)
    start = floor if floor >= 0.5 else 0.0
    figure = figure_of(6, 5.4)
    axes = figure.subplots()
    for (recall, precision, point, name), colour in zip(curves, cycle(COLOURS), strict=False):
        axes.plot(recall, precision, color=colour, label=name, drawstyle="steps-post", clip_on=start > 0)
        axes.plot(*point, "o", color=colour, markeredgecolor="black", markersize=8, clip_on=False, zorder=3)
    axes.plot([], [], "o", color="white", markeredgecolor="black", markersize=8, label="predicted labels")
    end = 1 + 0.01 * (1 - start)
    axes.set(xlim=(start, end), ylim=(start, end), aspect="equal")
    axes.set_xlabel("recall (share of the faces that have the label)")
    axes.set_ylabel("precision (share of the faces that get the label)")
    _percent(axes, "xy")
    tidy(axes)
    axes.legend(loc="lower left", frameon=False)
    figure.suptitle("Precision and recall")
    return figure


def plot_reliability(reliability: Reliability, classes: int) -> Figure:
    """Accuracy against confidence, with 95% intervals, and below it the number of faces by confidence.

    Args:
        reliability: Faces by confidence.
        classes: Number of labels C; the confidence is never below 1 / C.
    """
    figure = figure_of(6.5, 7)
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1.3))
    edges = np.linspace(0, 1, BINS + 1)
    filled = np.flatnonzero(reliability.faces)
    accuracy = reliability.correct[filled] / reliability.faces[filled]
    bounds = [wilson_interval(int(reliability.correct[i]), int(reliability.faces[i])) or (0.0, 1.0) for i in filled]
    top.plot([0, 1], [0, 1], "--", color=GREY, linewidth=1, label="accuracy equals confidence")
    confidence = reliability.confidence[filled]
    top.errorbar(confidence, accuracy, yerr=_errors(accuracy, bounds), label="faces of a bin, 95% interval", **_POINTS)
    top.set_ylim(-0.02, 1.02)
    top.set_ylabel("accuracy (share of the faces of the bin)")
    top.set_title(f"Reliability: expected calibration error {reliability.error:.2%} in {BINS} bins")
    bottom.bar(edges[:-1], reliability.faces, width=1 / BINS, align="edge", color=BLUE, edgecolor="white")
    for i in filled:
        bottom.text((i + 0.5) / BINS, reliability.faces[i] * 1.15, reliability.faces[i], ha="center", fontsize=8)
    bottom.set_yscale("log")
    bottom.set_ylim(0.7, reliability.faces.max() * 10)
    bottom.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    bottom.yaxis.set_minor_formatter(NullFormatter())
    bottom.set_ylabel("faces (number,\nlog scale)")
    bottom.set_xlabel("confidence (probability of the predicted label)")
    bottom.set_xlim(edges[(BINS - 1) // classes], 1.005)
    for axes in (top, bottom):
        tidy(axes)
    _percent(top, "y")
    _percent(bottom, "x")
    figure.legend(loc="outside lower right", ncols=2, frameon=False)
    return figure


def plot_slices(slices: Sequence[Mapping[str, Any]], overall: Mapping[str, Any]) -> Figure:
    """Accuracy of each slice with its 95% interval and its number of faces.

    Args:
        slices: :func:`maskcheck_export.evaluation.metrics.score` of each slice, with ``kind`` and ``name``; slices of
            one kind follow each other.
        overall: The same of all faces.
    """
    places, headings = [], []
    row = 0.0
    for kind, members in groupby(slices, key=lambda part: part["kind"]):
        headings.append((row, kind))
        for _ in members:
            row += 1
            places.append(row)
        row += 1.6
    figure = figure_of(8.5, 1.4 + 0.27 * row)
    axes = figure.subplots()
    axes.axvline(overall["accuracy"], color=ORANGE, linewidth=1.5, label=f"all faces: {overall['accuracy']:.1%}")
    accuracies = np.array([part["accuracy"] for part in slices])
    bounds = [part["accuracy_interval"] for part in slices]
    axes.errorbar(accuracies, places, xerr=_errors(accuracies, bounds), label="slice, 95% interval", **_POINTS)
    lowest = min(low for low, _ in bounds)
    axes.set_xlim(max(0.0, math.floor(lowest * 20) / 20), 1.005)
    axes.set_ylim(row - 0.6, -0.7)
    axes.set_yticks(places, [plain(part["name"]) for part in slices])
    tidy(axes)
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)
    for place, heading in headings:
        axes.text(-0.01, place, heading, transform=axes.get_yaxis_transform(), ha="right", va="center", weight="bold")
    for place, text in ((-0.2, "faces"), *zip(places, (part["faces"] for part in slices), strict=True)):
        axes.text(1.09, place, text, transform=axes.get_yaxis_transform(), ha="right", va="center_baseline", color=GREY)
    axes.set_xlabel("accuracy (share of the faces of the slice)")
    _percent(axes, "x")
    axes.set_title("Accuracy by slice")
    figure.legend(loc="outside lower right", ncols=2, frameon=False)
    return figure


def figure_of(width: float, height: float) -> Figure:
    """An empty figure; width and height in inches."""
    return Figure(figsize=(width, height), dpi=120, layout="constrained")


def tidy(axes: Axes) -> None:
    """Set the style that all plots share."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#e5e5e5", linewidth=0.8)
    axes.set_axisbelow(True)


def _percent(axes: Axes, which: str) -> None:
    for name in which:
        getattr(axes, f"{name}axis").set_major_formatter(PercentFormatter(1))


_POINTS: Mapping[str, Any] = {
    "fmt": "o",
    "color": BLUE,
    "markersize": 6,
    "elinewidth": 1.5,
    "clip_on": False,
    "zorder": 3,
}


def _errors(centres: NDArray[np.float64], bounds: Sequence[tuple[float, float]]) -> NDArray[np.float64]:
    """Distances (2, N) from points to the lower and upper bounds of their intervals."""
    low, high = np.array(bounds).T
    return np.maximum([centres - low, high - centres], 0)


def plain(text: str) -> str:
    """Text without formulas: matplotlib would read text between two dollar signs as a formula."""
    return text.replace("$", r"\$")
