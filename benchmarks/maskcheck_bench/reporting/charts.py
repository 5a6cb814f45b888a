"""Charts of a report, with Plotly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from maskcheck_bench.measuring.timing import Timing
from maskcheck_bench.scenarios.pipeline_times import STAGES

_HEIGHT_OF_BAR, _HEIGHT_OF_FRAME, _HEIGHT_OF_CURVE = 34, 110, 380  # pixels
_COLOUR = "#2a6f97"
_LAYOUT = {
    "template": "plotly_white",
    "paper_bgcolor": "rgba(0,0,0,0)",
    "plot_bgcolor": "rgba(0,0,0,0)",
    "margin": {"l": 10, "r": 60, "t": 20, "b": 10},
    "font": {"family": "system-ui, sans-serif", "size": 13, "color": "#888"},
    "showlegend": False,
}


def draw_chart(timings: Sequence[Timing]) -> go.Figure:
    """The chart of a group: curves if its timings have an `x`, or a bar for each timing."""
    if any(timing.x is not None for timing in timings):
        return _draw_curves(timings)
    if timings[0].group == STAGES:  # they add up to the time of the whole
        return _draw_bars(timings, [timing.medians / timing.items for timing in timings], "milliseconds an item")
    return _draw_bars(timings, [_rates(timing) for timing in timings], "items a second")


def _draw_bars(timings: Sequence[Timing], values: Sequence[Any], unit: str) -> go.Figure:
    middles = np.array([float(np.median(processes)) for processes in values])
    highest = np.array([float(processes.max()) for processes in values])
    bars = go.Bar(
        y=[f"{timing.name} " for timing in timings],
        x=middles,
        orientation="h",
        marker_color=_COLOUR,
        error_x={
            "type": "data",
            "array": highest - middles,
            "arrayminus": middles - [float(processes.min()) for processes in values],
        },
    )
    figure = go.Figure(bars, _LAYOUT)
    figure.add_scatter(  # to the right of the error bar, which would cross a label of the bar itself
        y=bars.y,
        x=highest,
        mode="text",
        text=[f" {middle:.4g}" for middle in middles],
        textposition="middle right",
        cliponaxis=False,
    )
    figure.update_layout(height=_HEIGHT_OF_FRAME + _HEIGHT_OF_BAR * len(timings))
    figure.update_xaxes(title=f"{unit} (bar: median process; line: all processes)", rangemode="tozero")
    figure.update_yaxes(autorange="reversed", automargin=True)
    return figure


def _draw_curves(timings: Sequence[Timing]) -> go.Figure:
    figure = go.Figure(layout=_LAYOUT)
    names = list(dict.fromkeys(timing.name for timing in timings))
    for name in names:
        points = [timing for timing in timings if timing.name == name and timing.x is not None]
        points.sort(key=lambda point: point.x or 0)
        figure.add_scatter(
            x=[point.x for point in points],
            y=[float(np.median(_rates(point))) for point in points],
            name=name,
            mode="lines+markers",
            **({"line_color": _COLOUR} if len(names) == 1 else {}),
        )
    figure.update_layout(height=_HEIGHT_OF_CURVE, showlegend=len(names) > 1)
    figure.update_xaxes(title=timings[0].group)
    figure.update_yaxes(title="items a second", rangemode="tozero")
    return figure


def _rates(timing: Timing) -> Any:
    return timing.items / timing.medians * 1000
