"""Writes a report in its three forms."""

from __future__ import annotations

import json
from pathlib import Path

from maskcheck_bench.reporting.page import render_page
from maskcheck_bench.reporting.run_report import Report
from maskcheck_bench.reporting.sections import limits_of
from maskcheck_bench.reporting.text import ROOFLINE, render_text
from maskcheck_bench.scenarios.limits.roofline_plot import plot_roofline
from maskcheck_bench.scenarios.pipeline_times import CLASSIFIER

JSON, MARKDOWN, HTML = "report.json", "report.md", "report.html"


def write_report(report: Report, folder: Path) -> None:
    """Write ``report.json``, ``report.md`` and ``report.html`` into a folder, made if missing.

    If the report has the machine's limits, the picture of the roofline is written, too, and shown in the page.

    Raises:
        OSError: The folder cannot be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / JSON).write_text(json.dumps(report.to_dict(), indent=1) + "\n", encoding="utf-8")
    limits = limits_of(report)
    if limits is not None:
        plot_roofline(limits, report.group(CLASSIFIER), folder / ROOFLINE)
    (folder / MARKDOWN).write_text(render_text(report), encoding="utf-8")
    (folder / HTML).write_text(render_page(report, folder), encoding="utf-8")
