"""A report as a single page of HTML that needs no other files and no network."""

from __future__ import annotations

from base64 import b64encode
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, StrictUndefined
from plotly.offline import get_plotlyjs

from maskcheck_bench.reporting.charts import draw_chart
from maskcheck_bench.reporting.run_report import Report
from maskcheck_bench.reporting.sections import Section, describe_sections
from maskcheck_bench.reporting.text import ROOFLINE

_CONFIGURATION = {"displayModeBar": False, "responsive": True}


def render_page(report: Report, folder: Path) -> str:
    """The report as HTML, with its charts and their library.

    Args:
        report: The report.
        folder: The folder of the picture of the roofline, if the report has such a picture.
    """
    sections = [(section, _draw(section, folder)) for section in describe_sections(report)]
    source = files("maskcheck_bench.reporting").joinpath("page.html.j2").read_text(encoding="utf-8")
    template = Environment(autoescape=True, undefined=StrictUndefined).from_string(source)
    return str(template.render(report=report, sections=sections, plotly=get_plotlyjs()))


def _draw(section: Section, folder: Path) -> str:
    """A section's chart or picture as HTML; empty without one."""
    if section.timings:
        return str(draw_chart(section.timings).to_html(full_html=False, include_plotlyjs=False, config=_CONFIGURATION))
    if section.roofline:
        picture = b64encode((folder / ROOFLINE).read_bytes()).decode()
        return (
            f'<img alt="Roofline: operations a second against operations a byte" src="data:image/png;base64,{picture}">'
        )
    return ""
