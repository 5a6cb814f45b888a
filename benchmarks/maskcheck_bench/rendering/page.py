"""A report as one page of HTML that needs nothing beside it, no network either."""

from __future__ import annotations

from importlib.resources import files

from jinja2 import Environment, StrictUndefined
from plotly.offline import get_plotlyjs

from maskcheck_bench.rendering.charts import draw_chart
from maskcheck_bench.rendering.sections import describe_sections
from maskcheck_bench.report import Report

_CONFIGURATION = {"displayModeBar": False, "responsive": True}


def render_page(report: Report) -> str:
    """The report as HTML, charts and their library in it."""
    sections = [
        (
            section,
            draw_chart(section.timings).to_html(full_html=False, include_plotlyjs=False, config=_CONFIGURATION)
            if section.timings
            else "",
        )
        for section in describe_sections(report)
    ]
    source = files("maskcheck_bench.rendering").joinpath("page.html.j2").read_text(encoding="utf-8")
    template = Environment(autoescape=True, undefined=StrictUndefined).from_string(source)
    return str(template.render(report=report, sections=sections, plotly=get_plotlyjs()))
