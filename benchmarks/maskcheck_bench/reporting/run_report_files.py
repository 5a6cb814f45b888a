"""Writes the report of a run: for programs, as text, and as a page with charts."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path

from plotly.offline import get_plotlyjs

from maskcheck_bench.reporting.charts import draw_chart
from maskcheck_bench.reporting.rendering import render
from maskcheck_bench.reporting.run_report import Report
from maskcheck_bench.reporting.sections import Section, describe_sections, limits_of
from maskcheck_bench.scenarios.limits.roofline_plot import plot_roofline
from maskcheck_bench.scenarios.pipeline_times import CLASSIFIER

JSON, MARKDOWN, HTML, ROOFLINE = "report.json", "report.md", "report.html", "roofline.png"

_CHART = {"displayModeBar": False, "responsive": True}


def write_run_report(report: Report, folder: Path) -> None:
    """Write ``report.json``, ``report.md`` and ``report.html`` into a folder, made if missing.

    If the report has the machine's limits, the picture of the roofline is written, too, and shown in the page. The page
    needs no other files and no network.

    Raises:
        OSError: The folder cannot be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / JSON).write_text(json.dumps(report.to_dict(), indent=1) + "\n", encoding="utf-8")
    limits = limits_of(report)
    if limits is not None:
        plot_roofline(limits, report.group(CLASSIFIER), folder / ROOFLINE)
    sections = list(describe_sections(report))
    text = render("report.md.j2", report=report, sections=sections, roofline=ROOFLINE)
    (folder / MARKDOWN).write_text(text, encoding="utf-8")
    drawn = [(section, _draw(section, folder)) for section in sections]
    page = render("report.html.j2", report=report, sections=drawn, plotly=get_plotlyjs())
    (folder / HTML).write_text(page, encoding="utf-8")


def _draw(section: Section, folder: Path) -> str:
    """A section's chart or picture as HTML; empty without one."""
    if section.timings:
        return str(draw_chart(section.timings).to_html(full_html=False, include_plotlyjs=False, config=_CHART))
    if section.roofline:
        picture = b64encode((folder / ROOFLINE).read_bytes()).decode()
        alt = "Roofline: operations a second against operations per byte"
        return f'<img alt="{alt}" src="data:image/png;base64,{picture}">'
    return ""
