"""The run of ``maskcheck detect`` over its pictures: each result is written, drawn and printed, and not kept."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import click

from maskcheck.commands.console import is_terminal, printable
from maskcheck.commands.detect.annotator import Annotator
from maskcheck.commands.detect.output_folder import RECEIPT, RESULTS, OutputFolder
from maskcheck.commands.detect.progress import Progress
from maskcheck.commands.detect.result_writers import Form, ResultWriter, open_results
from maskcheck.commands.detect.results_file import ResultsFile, receipt_path
from maskcheck.commands.detect.stopping import Stoppable
from maskcheck.commands.detect.table import RunningTable
from maskcheck.commands.detect.tally import Tally
from maskcheck.commands.exits import SOMETHING_FAILED, SUCCESS
from maskcheck.errors import SourceError
from maskcheck.frames import Frame
from maskcheck.log import LOGGER
from maskcheck.pipeline import MaskPipeline
from maskcheck.results import FrameResult
from maskcheck.sources import LeftOut, Source, read_piped


@dataclass(frozen=True)
class Targets:
    """Where results go.

    Attributes:
        folder: The folder for annotated pictures and results; None for none.
        form: The form of the results in it.
        json_file: The file for lines of JSON; None for none.
        standard_form: The form of the results on standard output; None if the table goes there.
        standard_output: The stream for these results.
    """

    folder: Path | None
    form: Form
    json_file: str | None
    standard_form: Form | None
    standard_output: IO[str] | None

    def table_stream(self) -> IO[str] | None:
        """Where the table goes; None for nowhere."""
        if self.standard_form is None:
            return sys.stdout
        return sys.stderr if is_terminal(sys.stderr) else None


class PictureRun:
    """Works on all pictures once, when called.

    Args:
        pipeline: It is warmed up.
        sources: The pictures.
        targets: Where results go.
        left_out: What the search for pictures passed over.
        min_confidence: Faces with less confidence are unsure.
        fail_on: Labels that make the run fail.

    Attributes:
        hangs: Whether a thread was still at work when the run ended.
    """

    def __init__(
        self,
        pipeline: MaskPipeline,
        sources: Sequence[Source],
        targets: Targets,
        *,
        left_out: LeftOut,
        min_confidence: float,
        fail_on: Sequence[str],
    ) -> None:
        self._pipeline = pipeline
        self._sources = sources
        self._targets = targets
        self._left_out = left_out
        self._min_confidence = min_confidence
        self._tally = Tally(min_confidence, fail_on)
        # Lines of the log would be mixed with the line that says how far the run is.
        self._progress = Progress(0 if LOGGER.isEnabledFor(logging.INFO) else len(sources))
        self._piped: dict[Path, bytes] = {}  # content of pipes, which cannot be read again, until it is annotated
        self.hangs = False

    def __call__(self) -> int:
        """Work on the pictures.

        Returns:
            The exit status.

        Raises:
            click.UsageError: Something would be overwritten.
            OSError: Results cannot be written; those before are kept and summed up.
            MaskCheckError: The classifier failed, or another run writes to the same place.
        """
        with ExitStack() as stack:
            annotator = self._open_folder(stack)
            files = self._open_files(stack)
            writers = self._writers(files)
            table = RunningTable(
                self._targets.table_stream(),
                (source.display_name for source in self._sources),
                keep_working=bool(files),
            )
            run = stack.enter_context(
                Stoppable(
                    lambda frames, stop: self._pipeline.stream(frames, stop=stop, keep_images=annotator is not None),
                    map(self._frame, self._sources),
                    on_stop=_say_stopping,
                )
            )
            failure: Exception | None = None
            try:
                for result, source in zip(run, self._sources, strict=False):  # a signal ends the results earlier
                    self._use(source, result, annotator, writers, table)
            except Exception as error:  # raised below, after the results before it are written and summed up
                failure = error
            for writer in writers:
                try:
                    writer.close()
                except OSError as error:
                    failure = failure or error
            self._progress.clear()
            if not isinstance(failure, BrokenPipeError):
                table.close(*self._summary(stopped=run.status is not None or failure is not None))
        self.hangs = run.hangs
        if failure is not None:
            raise failure
        if run.status is not None:
            return run.status
        return SOMETHING_FAILED if self._tally.something_failed else SUCCESS

    def _frame(self, source: Source) -> Frame:
        """The frame of a source; a pipe is read."""
        image: Path | bytes = source.path
        error = source.error
        if source.piped:
            try:
                image = self._piped[source.path] = read_piped(source, self._pipeline.limits)
            except SourceError as failure:
                error = failure
        return Frame(image, source=source.display_name, error=error)

    def _open_folder(self, stack: ExitStack) -> Annotator | None:
        if self._targets.folder is None:
            return None
        folder = stack.enter_context(OutputFolder(self._targets.folder))
        return Annotator(folder.path, self._sources, own_folder=folder.is_own(), min_confidence=self._min_confidence)

    def _open_files(self, stack: ExitStack) -> list[ResultsFile]:
        wanted: list[tuple[Path, Path, Form, str]] = []
        if self._targets.folder is not None:
            folder, form = self._targets.folder, self._targets.form
            wanted.append((folder / RESULTS[form], folder / RECEIPT, form, "--output"))
        if self._targets.json_file is not None:
            file = Path(self._targets.json_file)
            if wanted and os.path.realpath(file) == os.path.realpath(wanted[0][1]):
                raise click.UsageError(f"{file} is the receipt of --output; choose another file for --json")
            wanted.append((file, receipt_path(file), "jsonl", "--json"))
        return [
            stack.enter_context(
                ResultsFile(
                    path,
                    form,
                    receipt=self._pipeline.receipt,
                    receipt_path=receipt,
                    labels=self._pipeline.labels,
                    option=option,
                    sources=self._sources,
                )
            )
            for path, receipt, form, option in wanted
        ]

    def _writers(self, files: Sequence[ResultsFile]) -> list[ResultsFile | ResultWriter]:
        targets = self._targets
        if targets.standard_form is None or targets.standard_output is None:
            return list(files)
        return [*files, open_results(targets.standard_form, targets.standard_output, self._pipeline.labels)]

    def _use(
        self,
        source: Source,
        result: FrameResult,
        annotator: Annotator | None,
        writers: Sequence[ResultsFile | ResultWriter],
        table: RunningTable,
    ) -> None:
        for writer in writers:
            writer.write(result)
        problem = ""
        content = self._piped.pop(source.path, None)
        if annotator is not None and result.error is None:
            try:
                annotator.write(source, result, content)
            except OSError as error:
                problem = f"not annotated: {_described(error)}"
                self._tally.not_annotated += 1
        labels = self._tally.count(result)
        self._progress.clear()
        table.add(result, labels, problem)
        if problem and not is_terminal(sys.stderr):  # on a terminal, the table says so
            click.echo(printable(f"maskcheck: {source.display_name} was {problem}"), err=True)
        self._progress.show(self._tally.done)

    def _summary(self, *, stopped: bool) -> Iterator[str]:
        tally, targets = self._tally, self._targets
        if stopped:
            yield f"stopped after {tally.done} of {len(self._sources)}"
        kept = ""
        if targets.folder is not None:
            kept = f"; annotated pictures and {RESULTS[targets.form]} are in {targets.folder}"
        yield f"{tally}{kept}"
        if tally.labels.total() > 1:
            yield "faces: " + ", ".join(f"{count} {label}" for label, count in sorted(tally.labels.items()))
        if self._left_out:
            yield f"left out: {self._left_out}"


def _say_stopping() -> None:
    if is_terminal(sys.stderr):
        with suppress(OSError, ValueError):
            os.write(sys.stderr.fileno(), b"\nmaskcheck: stopping; what is nearly finished is kept\n")


def _described(error: OSError) -> str:
    return f"cannot write {error.filename}: {error.strerror}" if error.filename else str(error)
