"""A report as Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from maskcheck_bench.reporting.markdown import table
from maskcheck_bench.reporting.run_report import Report
from maskcheck_bench.reporting.sections import describe_sections

ROOFLINE = "roofline.png"
"""File name of the picture of the roofline."""


def render_text(report: Report) -> str:
    """The report as Markdown."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    yield "# Benchmark"
    yield ""
    machine = report.machine
    yield f"{machine['cpu']}, {machine['usable_cpus']} CPUs, started {report.made}. Compare figures within one report."
    for section in describe_sections(report):
        yield ""
        yield f"## {section.title}"
        yield ""
        yield from table(section.head, section.rows)
        if section.roofline:
            yield ""
            yield f"![Operations a second of the classifier, and what the machine allows]({ROOFLINE})"
        if section.notes:
            yield ""
            yield from (f"- {line}" for line in section.notes)
