"""A file of results, and its receipt. It takes its place when the run ends, and replaces only earlier results."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import click

from maskcheck.commands.detect.result_files.conversion import check_form, convert
from maskcheck.commands.detect.result_files.journal import EarlierRun, examine_journal, journal_line, read_journal
from maskcheck.commands.detect.result_files.part_file import PartFile
from maskcheck.commands.detect.result_files.receipt_file import ReceiptFile, killed_name
from maskcheck.commands.detect.result_files.replaceable import RECEIPTS, RESULTS_BEGIN, check_replaceable, holds_results
from maskcheck.commands.detect.result_files.result_writers import Form
from maskcheck.commands.detect.result_files.safe_files import InUse, is_regular, write_all
from maskcheck.commands.detect.result_files.settings_check import check_same_settings
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
        self._receipt = ReceiptFile(receipt_path, receipt, settings or {})
        if not self._in_place:
            advice = (
                f"{option} writes the receipt of the results there; move it, or choose another name for the results"
            )
            check_replaceable(receipt_path, RECEIPTS, "receipt", advice, sources, refuse_link=True)
        elif resume and copy_of is None:
            raise click.UsageError(f"--resume needs a file of results, not {path}; give --output or --json FILE")
        try:
            self._part: PartFile | int = os.open(path, os.O_WRONLY) if self._in_place else PartFile(self._target)
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
        if resume and copy_of is None and isinstance(self._part, PartFile):
            try:
                self._examine(self._part, retry_failed)
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
        message = ""
        if not self._begun and isinstance(self._part, PartFile):
            message = self._begin(self._part)
        self._begun = True
        return message

    def _begin(self, part: PartFile) -> str:
        message = ""
        first = self._copy_of
        if self._resumed is not None:
            self._receipt.begin()  # first: what is in NAME.part was made with it
            self._take_over(part, self._resumed)
            if self._lines:
                message = f"continues {self._lines} results in {self.path}"
        else:
            if part.size:
                message = self._keep_killed(part)
            self._receipt.begin()
        if first is not None and first._copied and isinstance(first._part, PartFile):
            self._whole = part.copy(first._part, first._copied)
            self._lines = first.earlier.lines
        return message

    def earlier_results(self) -> Iterator[FrameResult]:
        """The results that are continued, without their receipt; once it has begun."""
        if self._copied and isinstance(self._part, PartFile):
            yield from map(FrameResult.from_dict, read_journal(self._part.path, self._copied))

    def write(self, result: FrameResult) -> None:
        """Add a result.

        Raises:
            OSError: It cannot be written; its ``filename`` is the file.
        """
        self.begin()
        line = journal_line(result)
        try:
            if isinstance(self._part, PartFile):
                self._part.append(line)
            else:
                write_all(self._part, line)
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
        part = self._part
        if not isinstance(part, PartFile):
            os.close(part)
        elif self._begun and self._lines:
            self._put_in_place(part)
        else:
            part.close(remove=self._begun or not part.size)
            if self._begun:
                self._receipt.drop()
            if self._set_aside:
                with suppress(OSError):
                    killed_name(self._target).replace(part.path)
                self._receipt.restore()

    def _put_in_place(self, part: PartFile) -> None:
        failure: OSError | None = None
        if self._cut:
            with suppress(OSError):
                part.cut(self._whole)
        try:
            self._receipt.finish(self._video)  # while the file is locked
        except OSError as error:
            failure = error
        part.put_in_place()
        if self._converted is not None:
            path, form = self._converted
            try:
                convert(self._target, form, path, self._labels)
            except OSError as error:
                failure = failure or error
        if failure is not None:
            raise failure

    def _examine(self, part: PartFile, retry_failed: bool) -> None:
        """Find the results that are continued, and check how they were made."""
        was_killed = part.size > 0
        results = part.path if was_killed else self._target
        if not holds_results(results):
            if part.first_line().endswith(b"\n"):
                raise MaskCheckError(f"--resume cannot continue {results}: it holds no results of maskcheck; move it")
            return
        receipt = self._receipt.part if was_killed and self._receipt.part.exists() else self._receipt.path
        then = check_same_settings(results, receipt, self._receipt.content)
        all_finished = not was_killed and "unfinished" in then and then["unfinished"] is None
        self.earlier = examine_journal(results, live=self._live, all_finished=all_finished, retry_failed=retry_failed)
        self._resumed = results

    def _take_over(self, part: PartFile, results: Path) -> None:
        """Make NAME.part of what counts of the results that are continued."""
        if results == self._target:
            part.take_back()
        whole = self.earlier.whole
        part.cut(whole)
        if self.earlier.failed:
            whole = part.leave_out(self.earlier.failed, whole)
        self._lines = self.earlier.lines
        self._whole = self._copied = whole

    def _keep_killed(self, part: PartFile) -> str:
        """Set the results of a run that was killed aside, unless this file gets a copy of them anyway."""
        first, begin = self._copy_of, part.first_line()
        is_copied = first is not None and isinstance(first._part, PartFile) and begin == first._part.first_line()
        if is_copied or not begin.endswith(b"\n"):
            part.cut(0)
            return ""
        self._set_aside = True
        kept = killed_name(self._target)
        part.set_aside(kept)
        self._receipt.set_aside()
        return f"results of a run that was killed are kept as {kept}; to continue such a run, give --resume"

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
