"""Charts of a report, with Plotly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from maskcheck_bench.measuring.timing import Timing
from maskcheck_bench.scenarios.catalogue import STAGES

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
    """A chart of one group: a curve over what varies, or a bar for each timing."""
    if any(one.x is not None for one in timings):
        return _draw_curves(timings)
    if timings[0].group == STAGES:  # they add up to the time of the whole
        return _draw_bars(timings, [one.medians / one.items for one in timings], "milliseconds an item")
    return _draw_bars(timings, [_rates(one) for one in timings], "items a second")


def _draw_bars(timings: Sequence[Timing], values: Sequence[Any], unit: str) -> go.Figure:
    middles = np.array([float(np.median(one)) for one in values])
    bars = go.Bar(
        y=[f"{one.name} " for one in timings],
        x=middles,
        orientation="h",
        marker_color=_COLOUR,
        error_x={
            "type": "data",
            "array": [float(one.max()) for one in values] - middles,
            "arrayminus": middles - [float(one.min()) for one in values],
        },
    )
    figure = go.Figure(bars, _LAYOUT)
    figure.add_scatter(  # to the right of the error bar, which would cross a label of the bar itself
        y=bars.y,
        x=[float(one.max()) for one in values],
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
    names = list(dict.fromkeys(one.name for one in timings))
    for name in names:
        points = sorted((one for one in timings if one.name == name and one.x is not None), key=lambda one: one.x or 0)
        figure.add_scatter(
            x=[one.x for one in points],
            y=[float(np.median(_rates(one))) for one in points],
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
