"""The picture of the roofline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from maskcheck_bench.measuring.timing import Timing
from maskcheck_bench.scenarios.limits.roofline import MachineLimits

_SIZE = (7.0, 4.5)  # inches
_DOTS = 130  # an inch
_BEYOND = 3  # factor by which the axes go beyond the points


def plot_roofline(limits: MachineLimits, timings: Sequence[Timing], path: Path) -> None:
    """Draw the machine's roof for each arithmetic, and the classifier's points below it.

    Args:
        limits: Limits of the machine with the model.
        timings: Timings of the classifier; an item is a face, and a round is one run.
        path: The picture to write.
    """
    figure = Figure(figsize=_SIZE, layout="constrained")
    axes = figure.subplots()
    places = [(limits.intensity(timing.items), limits.attained(timing)) for timing in timings]
    peaks = {"float32": limits.peak_float32_gflops, "int8": limits.peak_int8_gops}
    ridges = [peak / limits.bandwidth_gb_s for peak in peaks.values()]
    span = [*ridges, *(intensity for intensity, _ in places)]
    intensities = np.geomspace(min(span) / _BEYOND, max(span) * _BEYOND, 200)
    for precision, peak in peaks.items():
        roof = [replace(limits, precision=precision).roof(intensity) for intensity in intensities]
        label = f"{precision}: {peak:,.0f} at most, memory {limits.bandwidth_gb_s:.0f} GB/s"
        axes.plot(intensities, roof, label=label, zorder=1)
    for number, (timing, (intensity, attained)) in enumerate(zip(timings, places, strict=True)):
        above = number % 2 == 1  # alternate, so that the texts of neighbours do not overlap
        axes.plot(intensity, attained, "ko", markersize=4)
        axes.annotate(
            f"{timing.name}: {limits.share(timing):.0%}",
            (intensity, attained),
            xytext=(0, 7 if above else -7),
            textcoords="offset points",
            fontsize="x-small",
            ha="right" if above else "left",
            va="bottom" if above else "top",
            bbox={"boxstyle": "round,pad=0.1", "facecolor": "white", "edgecolor": "none", "alpha": 0.8},
        )
    lowest = min(attained for _, attained in places) if places else min(peaks.values())
    axes.set(
        xlabel="operations per byte of weights and activations",
        ylabel="10$^9$ operations a second",
        xscale="log",
        yscale="log",
        xlim=(intensities[0], intensities[-1]),
        ylim=(min(lowest, *peaks.values()) / _BEYOND, max(peaks.values()) * _BEYOND / 2),
        title=f"{limits.precision} classifier, {limits.threads} threads: share of what the machine allows",
    )
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axis.set_minor_formatter(NullFormatter())
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small", loc="lower right")
    figure.savefig(path, dpi=_DOTS)
