"""A file of results, and its receipt. It takes its place when the run ends, and replaces only earlier results."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import click

from maskcheck.commands.detect.conversion import check_form, convert
from maskcheck.commands.detect.journal import (
    EarlierRun,
    copy_without,
    examine_journal,
    journal_line,
    read_journal,
    truncate,
)
from maskcheck.commands.detect.receipt_file import ReceiptFile, killed_name
from maskcheck.commands.detect.replaceable import RECEIPTS, RESULTS_BEGIN, check_replaceable, holds_results
from maskcheck.commands.detect.result_writers import Form
from maskcheck.commands.detect.safe_files import PART, InUse, is_link, is_regular, lock, put_in_place, write_all
from maskcheck.commands.detect.settings_check import check_same_settings
from maskcheck.errors import MaskCheckError
from maskcheck.results import FrameResult, Receipt
from maskcheck.sources import Source

_JOURNAL = "results.jsonl"


class ResultsFile:
    """A file for the results of a run. They are written to NAME.part, which takes the place of NAME at the end.

    So the results of an earlier run stay until there are new ones, and a run that is killed leaves its results in
    NAME.part. Whatever the form, that file has lines of JSON (:mod:`.journal`): results in another form are made from
    it at the end, and results.jsonl stays beside them.

    The receipt says what the results were made with. It is written as NAME.part, too, when the run begins, so that a
    run that was killed can be continued with the same settings. A pipe or a device, such as the null device, has none,
    and cannot be continued.

    As a context manager, it is closed at the end, also after an error: the results before it are kept.

    Args:
        path: The file.
        form: The form of the results.
        receipt: What the results are made with.
        receipt_path: The file for the receipt.
        labels: The model's labels.
        option: The option of the command that names the file or its folder, for messages.
        sources: All that is read; none of them is overwritten.
        settings: Settings of the run that change results, JSON-ready; they become part of the receipt.
        resume: Whether results that are there are continued: those of a run that was killed, else those in place.
        retry_failed: Whether sources are worked on again of which something failed.
        copy_of: The file that decides what is continued: results that it continues are copied to this one.

    Attributes:
        earlier: What an earlier run has done; nothing if there is none to be continued.

    Raises:
        click.UsageError: One of the files exists and holds something else.
        MaskCheckError: Another run is writing it, or the results that are to be continued have other settings.
        PackageNotInstalled: The form needs a package that is missing.
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
        settings: Mapping[str, Any] | None = None,
        resume: bool = False,
        retry_failed: bool = False,
        copy_of: ResultsFile | None = None,
    ) -> None:
        self.path = path if form == "jsonl" else path.with_name(_JOURNAL)
        self.earlier = EarlierRun()
        self._converted: tuple[Path, Form] | None = None if form == "jsonl" else (path, form)
        self._labels = labels
        advice = f"{option} takes the file to write results to"
        if option == "--json":
            advice += "; for JSON on standard output, give --json -"
        check_replaceable(self.path, RESULTS_BEGIN, "results", advice, sources, refuse_link=option == "--output")
        if self._converted is not None:
            check_form(form)
            check_replaceable(path, RESULTS_BEGIN, "results", advice, sources, refuse_link=True)
        self._target = Path(os.path.realpath(self.path))
        # Of a pipe or a device there is nothing to replace.
        self._in_place = self._target.exists() and not is_regular(self._target)
        self._part = self._target if self._in_place else self._target.with_name(self._target.name + PART)
        self._fresh = self._part.with_name(self._part.name + ".new")
        self._receipt = ReceiptFile(receipt_path, receipt, settings or {})
        if not self._in_place:
            advice = (
                f"{option} writes the receipt of the results there; move it, or choose another name for the results"
            )
            check_replaceable(receipt_path, RECEIPTS, "receipt", advice, sources, refuse_link=True)
        elif resume and copy_of is None:
            raise click.UsageError(f"--resume needs a file of results, not {path}; give --output or --json FILE")
        try:
            self._descriptor = os.open(path, os.O_WRONLY) if self._in_place else self._open_part()
        except InUse:
            raise MaskCheckError(f"another run is writing {path}; wait until it ends, or choose another file") from None
        self._copy_of = copy_of
        self._resumed: Path | None = None  # the file that is continued
        self._set_aside = False  # whether results of a run that was killed were
        self._begun = self._closed = False
        self._whole = 0  # bytes of whole results
        self._lines = 0  # results in these
        self._copied = 0  # bytes of those that come from the earlier run
        self._cut = False  # whether more was written than whole results
        self._video: str | None = None  # of which the last line is, if it may be unfinished
        self._live = frozenset(source.display_name for source in sources if source.kind == "live")
        if resume and copy_of is None:
            try:
                self._examine(retry_failed)
            except BaseException:
                self.close()
                raise

    def remaining(self, sources: Sequence[Source]) -> list[Source]:
        """Those of all sources that an earlier run has not done.

        Raises:
            MaskCheckError: None of them is among those of the results that are continued, so it was another folder.
        """
        done = self.earlier.done
        left = [source for source in sources if source.kind == "live" or not done.take(source.display_name)]
        if len(done) and not done.taken:
            raise MaskCheckError(
                f"--resume cannot continue {self.path}: none of its {len(done)} sources is among those of this run;"
                " name them as before, in the same folder, or leave --resume out to begin a new run"
            )
        return left

    def begin(self) -> str:
        """Begin to write, after all has been checked; before that, no file has changed.

        Returns:
            What to tell the user of the results of an earlier run; empty for nothing.

        Raises:
            OSError: It cannot be written.
        """
        if self._begun:
            return ""
        self._begun = True
        if self._in_place:
            return ""
        told = ""
        if self._resumed is not None:
            with suppress(OSError):
                self._fresh.unlink()  # of a run that was killed as it made it
            self._receipt.begin()  # first: what is in NAME.part was made with it
            self._take_over(self._resumed)
            told = f"continues {self._lines} results in {self.path}" if self._lines else ""
        else:
            if os.fstat(self._descriptor).st_size:
                told = self._keep_killed()
            self._receipt.begin()
        if self._copy_of is not None and self._copy_of._copied:
            with os.fdopen(os.dup(self._descriptor), "wb") as file:
                self._whole = copy_without(self._copy_of._part, self._copy_of._copied, (), file)
            self._lines = self._copy_of.earlier.lines
        return told

    def earlier_results(self) -> Iterator[FrameResult]:
        """The results that are continued, without their receipt; once it has begun."""
        if self._copied:
            yield from map(FrameResult.from_dict, read_journal(self._part, self._copied))

    def write(self, result: FrameResult) -> None:
        """Add a result.

        Raises:
            OSError: It cannot be written; its ``filename`` is the file.
        """
        self.begin()
        line = journal_line(result)
        try:
            write_all(self._descriptor, line)
        except OSError as error:
            self._cut = True
            raise self._named(error) from error
        self._lines += 1
        self._whole += len(line)
        is_frame = result.time is not None and result.source not in self._live
        self._video = result.source if is_frame else None

    def finish_source(self) -> None:
        """The video of which the last result is has been read to its end."""
        self._video = None

    def close(self) -> None:
        """Put results and receipt in place; if there is no result, those of an earlier run stay.

        Raises:
            OSError: The end cannot be written.
        """
        if self._closed:
            return
        self._closed = True
        if self._in_place:
            os.close(self._descriptor)
        elif not self._begun:
            is_empty = not os.fstat(self._descriptor).st_size
            self._release(remove=is_empty)
        elif not self._lines:
            self._release(remove=True)
            self._receipt.drop()
            if self._set_aside:
                self._restore_killed()
        else:
            self._put_in_place()

    def _put_in_place(self) -> None:
        failure: OSError | None = None
        if self._cut:
            with suppress(OSError):
                truncate(self._descriptor, self._whole)
        try:
            self._receipt.finish(self._video)  # while the file is locked
        except OSError as error:
            failure = error
        put_in_place(self._part, self._target, self._descriptor)
        if self._converted is not None:
            path, form = self._converted
            try:
                convert(self._target, form, path, self._labels)
            except OSError as error:
                failure = failure or error
        if failure is not None:
            raise failure

    def _open_part(self) -> int:
        if is_link(self._part):
            raise OSError(f"{self._part} is a link, and links are not followed; remove it")
        return lock(self._part)

    def _examine(self, retry_failed: bool) -> None:
        """Find the results that are continued, and check how they were made."""
        if self._in_place:
            return
        was_killed = os.fstat(self._descriptor).st_size > 0
        results = self._part if was_killed else self._target
        if not holds_results(results):
            if was_killed and b"\n" in results.read_bytes()[:100_000]:
                raise MaskCheckError(f"--resume cannot continue {results}: it holds no results of maskcheck; move it")
            return
        receipt = self._receipt.part if was_killed and self._receipt.part.exists() else self._receipt.path
        then = check_same_settings(results, receipt, self._receipt.content)
        all_finished = not was_killed and "unfinished" in then and then["unfinished"] is None
        self.earlier = examine_journal(results, live=self._live, all_finished=all_finished, retry_failed=retry_failed)
        self._resumed = results

    def _take_over(self, results: Path) -> None:
        """Make NAME.part of what counts of the results that are continued."""
        if results == self._target:
            if os.name == "nt":  # which does not replace open files
                os.close(self._descriptor)
            else:
                previous = self._descriptor
            self._target.replace(self._part)
            self._descriptor = lock(self._part)
            if os.name != "nt":
                os.close(previous)
        self._whole, self._lines = self.earlier.whole, self.earlier.lines
        truncate(self._descriptor, self._whole)
        if self.earlier.failed:
            self._leave_out_failed()
        self._copied = self._whole

    def _leave_out_failed(self) -> None:
        """Replace NAME.part by a copy without the results of sources that are tried again."""
        fresh = self._fresh
        descriptor = lock(fresh)
        with os.fdopen(os.dup(descriptor), "wb") as file:
            size = copy_without(self._part, self._whole, self.earlier.failed, file)
        if os.name == "nt":
            os.close(self._descriptor)
            os.close(descriptor)
            fresh.replace(self._part)
            descriptor = lock(self._part)
        else:
            fresh.replace(self._part)
            os.close(self._descriptor)
        self._descriptor, self._whole = descriptor, size
        truncate(descriptor, size)

    def _keep_killed(self) -> str:
        """Set the results of a run that was killed aside, unless this file gets a copy of them anyway."""
        first, begin = self._copy_of, _first_line(self._part)
        if not begin.endswith(b"\n") or (first is not None and first._copied and begin == _first_line(first._part)):
            os.ftruncate(self._descriptor, 0)
            return ""
        self._set_aside = True
        kept = killed_name(self._target)
        put_in_place(self._part, kept, self._descriptor)
        self._receipt.set_aside()
        self._descriptor = lock(self._part)
        return f"results of a run that was killed are kept as {kept}; to continue such a run, give --resume"

    def _restore_killed(self) -> None:
        with suppress(OSError):
            killed_name(self._target).replace(self._part)
        self._receipt.restore()

    def _release(self, *, remove: bool) -> None:
        if remove and os.name != "nt":
            with suppress(OSError):
                self._part.unlink()
        os.close(self._descriptor)
        if remove and os.name == "nt":
            with suppress(OSError):
                self._part.unlink()

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


def _first_line(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.readline()
