"""``draw_chart``: people by label over time, as a picture."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from maskcheck.errors import PackageNotInstalled
from maskcheck.pictures.drawing.faces import caption_of, colour_of
from maskcheck.pictures.drawing.text_rendering import escape_unprintable, spell_in_ascii
from maskcheck.recording.clock import clock

_SIZE = (12.0, 4.5)  # inches
_DOTS = 100  # an inch
_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400)  # seconds
_MOST_TICKS = 13
_LONGEST_NAME = 70  # characters
_PILE = ("with_mask", "mask_worn_incorrectly", "without_mask")
_GREY, _DARK = "#767676", "#222222"


def draw_chart(summary: Mapping[str, Any], path: str | os.PathLike[str] | IO[bytes]) -> None:
    """Draw how many people of each label there are over time: a PNG of 1,200 x 450 pixels.

    Areas on top of each other are the means of each bucket of the timeline; the line above them is the most people in
    one frame. The ground is grey where nobody is there, and hatched where there are no frames, as of a camera that was
    cut.

    Args:
        summary: As ``VideoSummary.to_dict`` gives it.
        path: The file, which is replaced if it exists; or a binary file that is open for writing.

    Raises:
        PackageNotInstalled: matplotlib is missing.
        OSError: The file cannot be written.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise PackageNotInstalled(
            f"the chart needs the package matplotlib, which cannot be imported ({error}); install it:"
            ' pip install "maskcheck[video]"',
            package="matplotlib",
        ) from error
    # No pyplot: it has one state for the whole process, and would open windows.
    figure = Figure(figsize=_SIZE, dpi=_DOTS, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    buckets = summary["timeline"]["buckets"]
    if buckets:
        _draw_people(axes, buckets, summary["timeline"]["bucket_seconds"])
    else:
        axes.set(xticks=[], yticks=[])
        axes.text(0.5, 0.5, "no frames", transform=axes.transAxes, ha="center", va="center", color=_GREY, fontsize=14)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.set_title(_title(summary), loc="left", fontsize=13, parse_math=False)
    axes.set_title(_figures(summary), loc="right", fontsize=10, color=_GREY, parse_math=False)
    canvas.print_png(os.fspath(path) if isinstance(path, (str, os.PathLike)) else path)


def _draw_people(axes: Any, buckets: Sequence[Mapping[str, Any]], width: float) -> None:
    edges = np.array([bucket["time"] for bucket in buckets] + [buckets[-1]["time"] + width])
    known = np.array([bucket["seconds"] > 0 for bucket in buckets])
    most = np.array([bucket["max_people"] for bucket in buckets], float)
    bottom = np.zeros(len(buckets))
    for label in sorted({label for bucket in buckets for label in bucket["mean"]}, key=_place):
        top = bottom + np.array([bucket["mean"].get(label, 0.0) for bucket in buckets])
        name = _printable(caption_of(label))
        axes.fill_between(edges, _steps(bottom), _steps(top), step="post", color=_colour(label), lw=0, label=name)
        bottom = top
    if most.any():
        most[~known] = np.nan
        axes.step(edges, _steps(most), where="post", color=_DARK, linewidth=1, label="most in one frame")
    _shade(axes, edges, known & (most == 0), "nobody", facecolor="#efefef", linewidth=0)
    _shade(axes, edges, ~known, "no frames", facecolor="none", edgecolor="#c8c8c8", hatch="///", linewidth=0)
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(0, max(1.0, float(np.nanmax(most, initial=0.0))) * 1.08)
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.set_ylabel("people")
    axes.grid(axis="y", color="#dddddd", linewidth=0.8)
    axes.set_axisbelow(True)
    ticks = _ticks(edges[0], edges[-1])
    tenths = any(abs(tick - round(tick)) > 1e-6 for tick in ticks)
    axes.set_xticks(ticks, [clock(tick, tenths=tenths) for tick in ticks])
    axes.set_xlabel("time (hours:minutes:seconds)" if edges[-1] >= 3600 else "time (minutes:seconds)")
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)


def _place(label: str) -> tuple[int, str]:
    """Where a label is in the pile: bare faces on top of masked ones, others above them."""
    return (_PILE.index(label) if label in _PILE else len(_PILE)), label


def _steps(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """A value for each edge: the last bucket's also at its end."""
    return np.append(values, values[-1])


def _shade(axes: Any, edges: NDArray[np.float64], where: NDArray[np.bool_], label: str, **style: Any) -> None:
    """Mark the times of some buckets, those side by side at once."""
    changes = np.flatnonzero(np.diff(np.concatenate(([False], where, [False])).astype(np.int8)))
    for number, (first, last) in enumerate(zip(changes[::2], changes[1::2], strict=True)):
        axes.axvspan(edges[first], edges[last], zorder=0, label=None if number else label, **style)


def _ticks(first: float, last: float) -> list[float]:
    step = next((step for step in _STEPS if (last - first) / step < _MOST_TICKS), (last - first) / _MOST_TICKS)
    count = math.floor(last / step + 1e-6)
    return [step * index for index in range(math.ceil(first / step - 1e-6), count + 1)]


def _title(summary: Mapping[str, Any]) -> str:
    source = summary["source"] or "video"
    name = source if "://" in source else Path(source).name or source
    name = _printable(name)
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 3]}..."


def _figures(summary: Mapping[str, Any]) -> str:
    people, busiest = summary["people"], summary["busiest"]
    parts = []
    if people is not None:
        parts.append(f"{people['total']:,} {'person' if people['total'] == 1 else 'people'} in all")
    if busiest is not None:
        parts.append(f"{busiest['people']} at once at {clock(busiest['time'])}")
    return ", ".join(parts)


def _colour(label: str) -> str:
    blue, green, red = colour_of(label)
    return f"#{red:02x}{green:02x}{blue:02x}"


def _printable(text: str) -> str:
    """A text whose characters the chart's font has; others are spelled in ASCII."""
    from matplotlib.font_manager import findfont, get_font

    text = escape_unprintable(text)
    font = get_font(findfont("DejaVu Sans"))  # which comes with matplotlib
    return "".join(letter if font.get_char_index(ord(letter)) else spell_in_ascii(letter) for letter in text)
