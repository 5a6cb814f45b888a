"""Which files a run may replace: those that an earlier run wrote."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import click

from maskcheck.commands.detect.result_files.parquet_writer import PARQUET_MAGIC, is_own_parquet
from maskcheck.commands.detect.result_files.safe_files import is_link, is_regular
from maskcheck.pictures.formats import SUFFIXES
from maskcheck.sources import Source

# How files of results and receipts begin; no other file is replaced.
RESULTS_BEGIN = (
    b'{"schema": "maskcheck/',
    b"source,frame,width,height,x1,",
    b'{"info": {"description": "Faces and their mask labels, found by maskcheck"',
)
RECEIPTS = (b'{\n  "schema": "maskcheck-receipt/',)
EVENTS_BEGIN = (b'{"schema": "maskcheck-event/',)


def holds_results(path: Path) -> bool:
    """Whether a file was written as results by this command."""
    return _begins(path, RESULTS_BEGIN)


def holds_receipt(path: Path) -> bool:
    """Whether a file was written as a receipt by this command."""
    return _begins(path, RECEIPTS)


def check_replaceable(
    path: Path,
    beginnings: tuple[bytes, ...],
    content: str,
    advice: str,
    sources: Iterable[Source],
    *,
    refuse_link: bool,
) -> None:
    """Check that a file may be written: it does not exist, is empty, or was written by an earlier run.

    Args:
        path: The file.
        beginnings: How such a file begins.
        content: What it holds then, for messages.
        advice: What the option that names it is for.
        sources: All that is read; none of them is overwritten.
        refuse_link: Whether it must not be a link.

    Raises:
        click.UsageError: It may not be written.
    """
    if refuse_link and is_link(path):
        raise click.UsageError(f"{path} is a link, and links are not followed here; remove it")
    if path.is_dir():
        raise click.UsageError(f"{path} is a folder, but {advice}")
    if not path.exists():
        if path.suffix.lower() in SUFFIXES:
            raise click.UsageError(f"{path} has the name of a picture, but {advice}")
        return
    if not is_regular(path):
        return
    for source in sources:
        with suppress(OSError):
            if source.error is None and not source.piped and source.path.samefile(path):
                raise click.UsageError(f"{path} is one of the sources to be read, but {advice}")
    if path.stat().st_size and not (_begins(path, beginnings) or _is_own_parquet(path)):
        raise click.UsageError(f"{path} exists and holds no {content} of maskcheck, so it is kept; {advice}")


def _is_own_parquet(path: Path) -> bool:
    return path.suffix == ".parquet" and _begins(path, (PARQUET_MAGIC,)) and is_own_parquet(path)


def _begins(path: Path, beginnings: tuple[bytes, ...]) -> bool:
    if not is_regular(path):
        return False
    try:
        with path.open("rb") as file:
            return file.read(100).startswith(beginnings)
    except OSError:
        return False
