"""The templates of reports."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape


def render(name: str, **values: Any) -> str:
    """Fill in a template of the folder ``templates``; in HTML, values are escaped."""
    environment = Environment(
        loader=PackageLoader("maskcheck_bench.reporting"),
        autoescape=select_autoescape(("html.j2",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"cell": cell, "figure": figure, "interval": interval}
    return str(environment.get_template(name).render(**values))


def cell(text: str) -> str:
    """A text from outside as a cell of a Markdown table: bars, line breaks and tags in it stay text."""
    return " ".join(text.split()).replace("|", r"\|").replace("<", "&lt;")


def figure(value: float | None, digits: int = 3) -> str:
    """A figure with that many digits after the point; a dash for None."""
    return "-" if value is None else f"{value:.{digits}f}"


def interval(bounds: Sequence[float] | None) -> str:
    """The bounds of an interval in brackets, after a space; nothing for None."""
    return "" if bounds is None else f" ({bounds[0]:.3f} to {bounds[1]:.3f})"
