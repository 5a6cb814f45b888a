"""Where a run left its results, and what it was asked to blur."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import click

from maskcheck.commands.detect.output_folder import RECEIPT, RESULTS
from maskcheck.commands.detect.results_file import PART, receipt_path
from maskcheck.privacy import Blur


@dataclass(frozen=True)
class RunFiles:
    """The files of a run.

    Attributes:
        results: Lines of the schema ``maskcheck/1``.
        receipt: What they were made with; it need not exist.
        page: Where the page goes unless the user says so.
        unfinished: Whether the run was killed, or still goes on.
    """

    results: Path
    receipt: Path
    page: Path
    unfinished: bool = False


def find_run(path: Path) -> RunFiles:
    """The files of a run.

    Args:
        path: The folder of ``--output``, or the file of ``--json``.

    Raises:
        click.UsageError: There are no results there.
    """
    if not path.is_dir():
        if not path.exists():
            raise click.UsageError(f"no such file or folder: {path}")
        name = path.name.removesuffix(PART)
        page = path.with_name(name.removesuffix(".jsonl") + ".report.html")
        return RunFiles(path, receipt_path(path.with_name(name)), page, path.name != name)
    results = path / RESULTS["jsonl"]
    part = results.with_name(results.name + PART)
    for file in (results, part):
        if file.is_file() and (file == part or file.stat().st_size):
            return RunFiles(file, path / RECEIPT, path / "report.html", file == part)
    others = [name for form, name in RESULTS.items() if form != "jsonl" and (path / name).is_file()]
    if others:
        raise click.UsageError(
            f"{path} has {others[0]}, but no {results.name}, which the report is made from; run detect without --format"
        )
    raise click.UsageError(f"{path} has no {results.name}; expected the folder of `maskcheck detect ... --output`")


@dataclass(frozen=True)
class RunPrivacy:
    """What a run was asked to write of people.

    Attributes:
        blur: Which faces are blurred; None for none.
        images: Whether pictures are written.
    """

    blur: Blur | None = None
    images: bool = True


def read_privacy(receipt: Path) -> RunPrivacy | None:
    """What the receipt of a run says; None if there is none, or it cannot be read."""
    try:
        content = json.loads(receipt.read_bytes())
        settings: Mapping[str, Any] = content.get("settings") or {}
        blur, images = settings.get("blur"), settings.get("images")
    except (OSError, ValueError, AttributeError, RecursionError):
        return None
    if blur is not None and blur not in get_args(Blur):
        return None  # of a later version
    return RunPrivacy(blur, images is not False)
