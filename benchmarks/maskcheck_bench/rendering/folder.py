"""A report in its three forms."""

from __future__ import annotations

import json
from pathlib import Path

from maskcheck_bench.rendering.page import render_page
from maskcheck_bench.rendering.text import render_text
from maskcheck_bench.report import Report

JSON, MARKDOWN, HTML = "report.json", "report.md", "report.html"


def write_report(report: Report, folder: Path) -> None:
    """Write ``report.json``, ``report.md`` and ``report.html`` into a folder, made if missing.

    Raises:
        OSError: It cannot be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / JSON).write_text(json.dumps(report.to_dict(), indent=1) + "\n", encoding="utf-8")
    (folder / MARKDOWN).write_text(render_text(report), encoding="utf-8")
    (folder / HTML).write_text(render_page(report), encoding="utf-8")
