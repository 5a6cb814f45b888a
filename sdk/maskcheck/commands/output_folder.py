"""Where a run writes: a folder for one run at a time, and results that are replaced only by results."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import click

from maskcheck.commands.result_files import Form, ResultWriter, open_results
from maskcheck.commands.safe_files import InUse, is_link, is_regular, lock, locked, put_in_place
from maskcheck.errors import MaskCheckError
from maskcheck.pictures.formats import SUFFIXES
from maskcheck.pictures.sources import Source
from maskcheck.results import FrameResult

RESULTS: dict[Form, str] = {"jsonl": "results.jsonl", "csv": "results.csv", "coco": "annotations.json"}
"""Names of the results in an output folder."""

_LOCK = ".maskcheck.lock"
_PART = ".part"
# How a file of results begins; no other file is replaced by one.
_BEGINNINGS = (
    b'{"schema": "maskcheck/',
    b"source,frame,width,height,x1,",
    b'{"info": {"description": "Faces and their mask labels, found by maskcheck"',
)


class OutputFolder:
    """A folder that one run at a time writes to; a context manager that holds its lock.

    Args:
        path: The folder; made if missing.

    Raises:
        MaskCheckError: Another run is writing to it.
        OSError: It cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._held = ExitStack()

    def __enter__(self) -> Self:
        self.path.mkdir(parents=True, exist_ok=True)
        try:
            self._held.enter_context(locked(self.path / _LOCK))
        except InUse:
            raise MaskCheckError(
                f"another run is writing to {self.path}; wait until it ends, or choose another folder"
            ) from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held.close()

    def is_own(self) -> bool:
        """Whether an earlier run wrote here, so that its pictures may be replaced."""
        names = [*RESULTS.values(), *(name + _PART for name in RESULTS.values())]
        return any(_is_results(self.path / name) for name in names)


class ResultsFile:
    """Results of a run in a file: written beside it as NAME.part, line by line, and put in its place at the end.

    So a run never empties the results of an earlier one before it has its own; a killed run leaves its lines in
    NAME.part. As a context manager it is closed at the end, also after an error: what is done is kept.

    Args:
        path: The file.
        form: What is written.
        labels: The model's labels.
        option: The option of the command that the file is for, for messages.
        sources: The pictures that are read; none of them is overwritten.

    Raises:
        click.UsageError: The file exists and holds no results.
        MaskCheckError: Another run is writing it.
        OSError: It cannot be written.
    """

    def __init__(
        self,
        path: Path,
        form: Form,
        *,
        labels: Sequence[str],
        option: str,
        sources: Iterable[Source] = (),
    ) -> None:
        self.path = path
        _check_replaceable(path, option, sources)
        self._target = Path(os.path.realpath(path))
        self._whole = 0  # bytes of it that are whole lines
        self._written = 0  # results in these
        self._cut = False  # whether more was written than whole lines
        self._closed = False
        # Not a pipe, or the null device: there is nothing to replace.
        self._in_place = self._target.exists() and not is_regular(self._target)
        self._part = self._target if self._in_place else self._target.with_name(self._target.name + _PART)
        try:
            self._descriptor = os.open(path, os.O_WRONLY) if self._in_place else self._open_part()
        except InUse:
            raise MaskCheckError(f"another run is writing {path}; wait until it ends, or choose another file") from None
        # Opened by its descriptor, as the lock lives as long as that.
        self._stream = open(  # noqa: SIM115
            self._descriptor, "w", encoding="utf-8", errors="backslashreplace", newline="", closefd=False
        )
        self._writer: ResultWriter = open_results(form, self._stream, labels=labels)

    def _open_part(self) -> int:
        if is_link(self._part):
            raise OSError(f"{self._part} is a link, and links are not followed; remove it")
        descriptor = lock(self._part)
        if os.fstat(descriptor).st_size and not self._target.exists():
            # The lines of a run that was killed are the only results there are.
            put_in_place(self._part, self._target, descriptor)
            descriptor = lock(self._part)
        os.ftruncate(descriptor, 0)
        return descriptor

    def write(self, result: FrameResult) -> None:
        """Add a result; its line is in the file when this returns.

        Raises:
            OSError: It cannot be written; the file names itself.
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
        """Put what was written in its place; if nothing was, leave the earlier results as they are.

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
            failure = error
        with suppress(OSError):
            self._stream.close()  # tries again to write what failed
        if self._in_place:
            os.close(self._descriptor)
        else:
            if self._cut:
                os.ftruncate(self._descriptor, self._whole)
            if self._whole and self._written:
                put_in_place(self._part, self._target, self._descriptor)
            else:
                os.close(self._descriptor)
                with suppress(OSError):
                    self._part.unlink()
        if failure is not None:
            raise self._named(failure) from failure

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
            if kind is None:  # else the first error says it all
                raise


def _check_replaceable(path: Path, option: str, sources: Iterable[Source]) -> None:
    advice = f"{option} takes the file to write results to"
    if option == "--json":
        advice += "; for JSON on standard output, give --json -"
    if option == "--output" and is_link(path):
        raise click.UsageError(f"{path} is a link, and links in the output folder are not followed; remove it")
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
    if path.stat().st_size and not _is_results(path):
        raise click.UsageError(f"{path} exists and holds no results of maskcheck, so it is kept; {advice}")


def _is_results(path: Path) -> bool:
    if not is_regular(path):
        return False
    try:
        with path.open("rb") as file:
            return file.read(100).startswith(_BEGINNINGS)
    except OSError:
        return False
