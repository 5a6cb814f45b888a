"""``maskcheck info``: what the metadata of a model file says."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from maskcheck.commands.options import FilePath, json_flag
from maskcheck.texts import shortened

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

# A stranger's file may hold anything: the page that a person reads is limited, --json is not.
_LONGEST_TEXT = 2000  # characters
_MOST_ROWS = 30
_MOST_COLUMNS = 8


@click.command(short_help="Show what is known about a model file.")
@click.argument("model", required=False, type=FilePath())
@json_flag
def info(model: str | None, as_json: bool) -> None:
    """Show the metadata of the classifier MODEL: labels, input, licence, training data and results.

    MODEL is a file, or small, the small embedded classifier. Without MODEL, the default embedded classifier is shown.
    """
    from maskcheck.classifier.mask_classifier import MaskClassifier

    classifier = MaskClassifier(model, device="cpu", precision="stored")  # not as it was tuned
    content = {
        "file": Path(classifier.path).name,
        "megabytes": round(Path(classifier.path).stat().st_size / 1e6, 1),
        "sha256": classifier.sha256,
        **asdict(classifier.info),
    }
    if as_json:
        click.echo(json.dumps({"schema": "maskcheck-info/1", **content}, indent=2))
        return
    from maskcheck.commands.console import console

    out = console()
    for part in _page(content):
        out.print(part)


def _page(content: Mapping[str, Any]) -> Iterator[RenderableType]:
    """The facts, then the metrics: single values as further facts, groups of values as tables."""
    size = content["input_size"]
    yield _facts(
        [
            ("file", f"{content['file']}, {content['megabytes']} MB"),
            ("SHA-256", content["sha256"]),
            ("labels", ", ".join(content["labels"])),
            (
                "input",
                f"{size} x {size} pixels: a face and a margin of {content['crop_margin']:.4g} of its longer side",
            ),
            ("precision", content["precision"]),
            ("second look", _second_look(content["second_look"])),
            ("licence", content["license"]),
            ("trained on", content["trained_on"]),
            ("created by", content["created_by"]),
        ]
    )
    metrics = content["metrics"]
    tables = {key: records for key, value in metrics.items() if (records := _records(value))}
    facts = [(_words(key), _value(value)) for key, value in metrics.items() if key not in tables]
    if facts:
        yield ""
        yield _facts(facts)
    for key, records in list(tables.items())[:_MOST_ROWS]:
        yield ""
        yield from _metric_table(_words(key), records)
    if len(tables) > _MOST_ROWS:
        yield _more(len(tables) - _MOST_ROWS, "tables")


def _second_look(combinations: Mapping[str, Any] | None) -> str:
    if combinations is None:
        return "none: it labels every box"
    return f"at what these detectors propose: {', '.join(combinations) or 'none'}"


def _facts(facts: Sequence[tuple[str, str]]) -> Table:
    from rich.table import Table

    from maskcheck.commands.console import plain

    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", max_width=30, overflow="fold")
    table.add_column(overflow="fold")
    for key, value in facts[:_MOST_ROWS]:
        table.add_row(plain(_cut(key)), plain(_cut(value)))
    if len(facts) > _MOST_ROWS:
        table.add_row("...", _more(len(facts) - _MOST_ROWS, "values"))
    return table


def _metric_table(title: str, records: Mapping[str, Mapping[str, str]]) -> Iterator[RenderableType]:
    from rich.table import Table

    from maskcheck.commands.console import plain

    columns = list(dict.fromkeys(column for record in records.values() for column in record))
    if len(columns) > _MOST_COLUMNS:
        yield plain(_cut(f"{title}: {len(records)} entries of {len(columns)} values each; --json shows them"))
        return
    table = Table(box=None, pad_edge=False)
    table.add_column(plain(_cut(title)), overflow="fold")
    for column in columns:
        table.add_column(plain(_cut(column)), justify="right", overflow="fold")
    for name, record in list(records.items())[:_MOST_ROWS]:
        table.add_row(plain(_cut(name)), *(plain(_cut(record.get(column, ""))) for column in columns))
    yield table
    if len(records) > _MOST_ROWS:
        yield _more(len(records) - _MOST_ROWS, "rows")


def _records(value: Any) -> dict[str, dict[str, str]]:
    """Rows of a table, by the names that lead to them; empty if the value is no tree."""
    children = _children(value)
    if children is None or all(_children(child) is None for child in children.values()):
        return {}
    return dict(_rows(children, ()))


def _rows(node: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[tuple[str, dict[str, str]]]:
    if path and any(_children(child) is None for child in node.values()):
        yield ", ".join(path), dict(_cells(node, ()))
        return
    for name, child in node.items():
        below = _children(child)
        yield from _rows({"": child} if below is None else below, (*path, name))


def _cells(node: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for name, child in node.items():
        below = _children(child)
        if below is None:
            yield " ".join(map(_words, (*path, name))), _value(child)
        else:
            yield from _cells(below, (*path, name))


def _children(value: Any) -> dict[str, Any] | None:
    """The members of an object or of a list of objects; None for a single value or a list of single values."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, list) and any(isinstance(member, Mapping) for member in value):
        return {str(number): member for number, member in enumerate(value, 1)}
    return None


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{_words(key)} {_value(member)}" for key, member in value.items())
    if isinstance(value, list):
        return ", ".join(map(_value, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4f}" if value == 0 or 0.001 <= abs(value) < 1000 else f"{value:.4g}"
    return "" if value is None else str(value)


def _words(name: str) -> str:
    return name.replace("_", " ")


def _more(count: int, things: str) -> str:
    return f"{count:,} more {things}: --json shows all"


def _cut(text: str) -> str:
    return shortened(text, _LONGEST_TEXT)
