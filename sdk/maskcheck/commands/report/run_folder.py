"""Where a run left its results, and what it was asked to blur."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import click

from maskcheck.commands.detect.result_files.output_folder import RECEIPT, RESULTS
from maskcheck.commands.detect.result_files.receipt_file import receipt_path
from maskcheck.commands.detect.result_files.safe_files import PART
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
        return _run_files(path, receipt_path(path.with_name(name)), page)
    results = path / RESULTS["jsonl"]
    part = results.with_name(results.name + PART)
    for file in (results, part):
        if file.is_file() and (file == part or file.stat().st_size):
            return _run_files(file, path / RECEIPT, path / "report.html")
    others = [name for form, name in RESULTS.items() if form != "jsonl" and (path / name).is_file()]
    if others:
        raise click.UsageError(
            f"{path} has {others[0]}, but no {results.name}, which the report is made from; run detect without --format"
        )
    raise click.UsageError(f"{path} has no {results.name}; expected the folder of `maskcheck detect ... --output`")


def _run_files(results: Path, receipt: Path, page: Path) -> RunFiles:
    unfinished = results.name.endswith(PART)
    if unfinished:
        receipt = receipt.with_name(receipt.name + PART)
    return RunFiles(results, receipt, page, unfinished)


@dataclass(frozen=True)
class RunSettings:
    """What the page needs to know of the settings of a run.

    Attributes:
        blur: Which faces are blurred; None for none.
        images: Whether pictures are written.
        folder: The folder that relative paths start from; None for the present one.
    """

    blur: Blur | None = None
    images: bool = True
    folder: Path | None = None


def read_settings(receipt: Path) -> RunSettings | None:
    """What the receipt of a run says; None if there is none, or it cannot be read."""
    try:
        content = json.loads(receipt.read_bytes())
        settings: Mapping[str, Any] = content.get("settings") or {}
        blur, images, folder = settings.get("blur"), settings.get("images"), settings.get("folder")
    except (OSError, ValueError, AttributeError, RecursionError):
        return None
    if blur is not None and blur not in get_args(Blur):
        return None  # of a later version
    return RunSettings(blur, images is not False, Path(folder) if isinstance(folder, str) else None)
