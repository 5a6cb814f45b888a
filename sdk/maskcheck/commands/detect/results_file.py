"""A file of results, and its receipt. It takes its place when the run ends, and replaces only earlier results."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import click

from maskcheck.commands.detect.result_writers import Form, ResultWriter, open_results
from maskcheck.commands.detect.safe_files import InUse, is_link, is_regular, lock, put_in_place, write_whole
from maskcheck.errors import MaskCheckError
from maskcheck.pictures.formats import SUFFIXES
from maskcheck.results import FrameResult, Receipt
from maskcheck.sources import Source

PART = ".part"
"""Ending of a file that is being written."""

# How files of results and receipts begin; no other file is replaced.
_RESULTS = (
    b'{"schema": "maskcheck/',
    b"source,frame,width,height,x1,",
    b'{"info": {"description": "Faces and their mask labels, found by maskcheck"',
)
_RECEIPTS = (b'{\n  "schema": "maskcheck-receipt/',)


def receipt_path(results: Path) -> Path:
    """Where the receipt of a file of ``--json`` is: beside ``NAME.jsonl``, it is ``NAME.receipt.json``."""
    return results.with_name(results.name.removesuffix(".jsonl") + ".receipt.json")


class ResultsFile:
    """A file for the results of a run. They are written to NAME.part, which takes the place of NAME at the end.

    So the results of an earlier run stay until there are new ones, and a run that is killed leaves its results in
    NAME.part. As a context manager, it is closed at the end, also after an error: the results before it are kept.

    The receipt, which says what the results were made with, is written beside them at the end. A pipe or a device, such
    as the null device, has none.

    Args:
        path: The file.
        form: The form of the results.
        receipt: What the results are made with.
        receipt_path: The file for the receipt.
        labels: The model's labels.
        option: The option of the command that names the file or its folder, for messages.
        sources: The pictures that are read; none of them is overwritten.

    Raises:
        click.UsageError: One of the files exists and holds something else.
        MaskCheckError: Another run is writing it.
        OSError: It cannot be written.
    """

    def __init__(
        self,
        path: Path,
        form: Form,
        *,
        receipt: Receipt,
        receipt_path: Path,
        labels: Sequence[str],
        option: str,
        sources: Sequence[Source] = (),
    ) -> None:
        self.path = path
        advice = f"{option} takes the file to write results to"
        if option == "--json":
            advice += "; for JSON on standard output, give --json -"
        _check_replaceable(path, _RESULTS, "results", advice, sources, refuse_link=option == "--output")
        self._target = Path(os.path.realpath(path))
        self._whole = 0  # bytes of it that are whole results
        self._written = 0  # results in these
        self._cut = False  # whether more was written than whole results
        self._closed = False
        # Of a pipe or a device there is nothing to replace.
        self._in_place = self._target.exists() and not is_regular(self._target)
        self._part = self._target if self._in_place else self._target.with_name(self._target.name + PART)
        self._receipt, self._receipt_path = receipt, receipt_path
        if not self._in_place:
            advice = (
                f"{option} writes the receipt of the results there; move it, or choose another name for the results"
            )
            _check_replaceable(receipt_path, _RECEIPTS, "receipt", advice, sources, refuse_link=True)
        try:
            self._descriptor = os.open(path, os.O_WRONLY) if self._in_place else self._open_part()
        except InUse:
            raise MaskCheckError(f"another run is writing {path}; wait until it ends, or choose another file") from None
        # Opened by its descriptor, as the lock lives as long as that.
        self._stream = open(  # noqa: SIM115
            self._descriptor, "w", encoding="utf-8", errors="backslashreplace", newline="", closefd=False
        )
        self._writer: ResultWriter = open_results(form, self._stream, labels)

    def _open_part(self) -> int:
        if is_link(self._part):
            raise OSError(f"{self._part} is a link, and links are not followed; remove it")
        descriptor = lock(self._part)
        if os.fstat(descriptor).st_size and not self._target.exists():
            # A run that was killed left the only results there are.
            put_in_place(self._part, self._target, descriptor)
            descriptor = lock(self._part)
        os.ftruncate(descriptor, 0)
        return descriptor

    def write(self, result: FrameResult) -> None:
        """Add a result.

        Raises:
            OSError: It cannot be written; its ``filename`` is the file.
        """
        try:
            self._writer.write(result)
            self._stream.flush()
        except OSError as error:
            self._cut = True
            raise self._named(error) from error
        self._written += 1
        self._whole = 0 if self._in_place else os.fstat(self._descriptor).st_size

    def close(self) -> None:
        """Write the end, and put results and receipt in place; if there is no result, those of an earlier run stay.

        Raises:
            OSError: The end cannot be written.
        """
        if self._closed:
            return
        self._closed = True
        failure: OSError | None = None
        try:
            if not self._cut:
                self._writer.close()
                self._stream.flush()
                self._whole = 0 if self._in_place else os.fstat(self._descriptor).st_size
        except OSError as error:
            self._cut = True
            failure = self._named(error)
        with suppress(OSError):
            self._stream.close()  # tries again to write what failed
        if self._in_place:
            os.close(self._descriptor)
        else:
            if self._cut:
                os.ftruncate(self._descriptor, self._whole)
            if self._whole and self._written:
                try:
                    self._write_receipt()  # while the file is locked
                except OSError as error:
                    failure = failure or error
                put_in_place(self._part, self._target, self._descriptor)
            else:
                os.close(self._descriptor)
                with suppress(OSError):
                    self._part.unlink()
        if failure is not None:
            raise failure

    def _write_receipt(self) -> None:
        content = json.dumps(self._receipt.to_dict(), indent=2, allow_nan=False) + "\n"
        temporary = self._receipt_path.with_name(self._receipt_path.name + PART)
        write_whole(self._receipt_path, content.encode("ascii"), temporary=temporary)

    def _named(self, error: OSError) -> OSError:
        return OSError(error.errno, error.strerror or str(error), str(self.path))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.close()
        except OSError:
            if kind is None:  # otherwise the first error is raised
                raise


def holds_results(path: Path) -> bool:
    """Whether a file was written as results by this command."""
    return _begins(path, _RESULTS)


def _check_replaceable(
    path: Path,
    beginnings: tuple[bytes, ...],
    content: str,
    advice: str,
    sources: Iterable[Source],
    *,
    refuse_link: bool,
) -> None:
    """Check that a file may be written: it does not exist, is empty, or was written by an earlier run."""
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
                raise click.UsageError(f"{path} is a picture to be read, but {advice}")
    if path.stat().st_size and not _begins(path, beginnings):
        raise click.UsageError(f"{path} exists and holds no {content} of maskcheck, so it is kept; {advice}")


def _begins(path: Path, beginnings: tuple[bytes, ...]) -> bool:
    if not is_regular(path):
        return False
    try:
        with path.open("rb") as file:
            return file.read(100).startswith(beginnings)
    except OSError:
        return False
