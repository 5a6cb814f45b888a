"""What is done with each result of a run: it is written, counted and shown, and not kept."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from maskcheck.commands.console import is_terminal, printable
from maskcheck.commands.detect.result_files.output_folder import RECEIPT, RESULTS
from maskcheck.commands.detect.result_files.receipt_file import receipt_path
from maskcheck.commands.detect.result_files.result_writers import Form, ResultWriter, open_results
from maskcheck.commands.detect.result_files.results_file import ResultsFile
from maskcheck.commands.detect.settings import RunSettings
from maskcheck.commands.detect.targets import Targets
from maskcheck.commands.detect.terminal.progress import Progress
from maskcheck.commands.detect.terminal.table import RunningTable
from maskcheck.commands.detect.terminal.tally import Tally
from maskcheck.errors import MaskCheckError
from maskcheck.pipeline import MaskPipeline
from maskcheck.results import FrameResult
from maskcheck.sources import Source


class Outputs:
    """Results files, the table, the counts, and the line that says how far the run is.

    Args:
        stack: Closes the files.
        pipeline: It is warmed up.
        sources: All that is read.
        targets: Where results go.
        tally: The counts.
        progress: How far the run is.
        settings: What the run is asked to do.

    Attributes:
        tally: The counts.
        progress: How far the run is.

    Raises:
        click.UsageError: Something would be overwritten.
        MaskCheckError: Another run writes to the same place.
        OSError: A file cannot be made.
    """

    def __init__(
        self,
        stack: ExitStack,
        pipeline: MaskPipeline,
        sources: Sequence[Source],
        targets: Targets,
        tally: Tally,
        progress: Progress,
        settings: RunSettings,
    ) -> None:
        self.tally = tally
        self.progress = progress
        files = _open_files(stack, pipeline, sources, targets, settings)
        if settings.resume and not files:
            raise click.UsageError("--resume needs results to go on with: give --output FOLDER or --json FILE")
        self._files = files
        self._writers: list[ResultsFile | ResultWriter] = [*files]
        if targets.standard_form is not None and targets.standard_output is not None:
            self._writers.append(open_results(targets.standard_form, targets.standard_output, pipeline.labels))
        self._table = RunningTable(
            targets.table_stream(), (source.display_name for source in sources), keep_working=bool(files)
        )

    def remaining(self, sources: Sequence[Source]) -> Sequence[Source]:
        """The sources that an earlier run, which is continued, has not done.

        Raises:
            MaskCheckError: It was a run over other sources.
        """
        return self._files[0].remaining(sources) if self._files else sources

    def begin(self) -> None:
        """Begin to write files, after all has been checked; what an earlier run has done is counted.

        Raises:
            OSError: A file cannot be written.
        """
        for file in self._files:
            message = file.begin()
            if message:
                self.tell(message)
        if self._files:
            for result in self._files[0].earlier_results():
                if result.time is None:
                    self.tally.count(result)
                else:
                    self.tally.count_frame(result)
            self.progress.start_from(self.tally.done)

    def finish_video(self) -> None:
        """A video was read to its end; its results are whole."""
        for file in self._files:
            file.finish_source()

    def write(self, result: FrameResult) -> Counter[str]:
        """Write the result of a picture to the files, and count it.

        Returns:
            How many of its faces have each label, or are unsure.

        Raises:
            OSError: It cannot be written.
        """
        self._write(result)
        return self.tally.count(result)

    def write_frame(self, result: FrameResult) -> None:
        """Write the result of a frame of a video to the files, and count it.

        Raises:
            OSError: It cannot be written.
        """
        self._write(result)
        self.tally.count_frame(result)

    def write_failure(self, name: str, error: MaskCheckError) -> None:
        """Write what ended a video early; its row follows.

        Args:
            name: The video, as it is shown.
            error: Why it ended.

        Raises:
            OSError: It cannot be written.
        """
        self._write(_failed(name, error))
        self.tally.failed += 1

    def fail(self, name: str, error: MaskCheckError) -> None:
        """Write, count and show a source that could not be opened.

        Args:
            name: The source, as it is shown.
            error: Why it could not.

        Raises:
            OSError: It cannot be written.
        """
        result = _failed(name, error)
        self.show(result, self.write(result))

    def show(self, result: FrameResult, labels: Counter[str], problem: str = "") -> None:
        """Print the row of a picture.

        Args:
            result: Its result.
            labels: How many of its faces have each label.
            problem: Why its annotated copy was not written.
        """
        self.progress.clear()
        self._table.add(result, labels, problem)
        if problem:
            self.complain(result.source or "", problem)
        self.progress.show(self.tally.done)

    def show_video(
        self,
        name: str,
        people: Counter[str],
        frames: int,
        seconds: float,
        *,
        notes: Sequence[str] = (),
        problem: str = "",
        error: str = "",
    ) -> None:
        """Print the row of a video.

        Args:
            name: The video, as it is shown.
            people: How many people have each label.
            frames: Frames that were worked on.
            seconds: Time that this took.
            notes: What is not as one may expect.
            problem: What was not written, and why.
            error: Why it ended early; empty if it did not.
        """
        self.tally.count_video(people, failed=bool(error))
        self.progress.clear()
        self._table.add_video(name, people, frames, seconds, notes=notes, problem=problem, error=error)
        if problem:
            self.complain(name, problem)
        self.progress.show(self.tally.done)

    def tell(self, text: str) -> None:
        """Say on standard error what goes on, as with a camera that is lost; from any thread."""
        self.progress.clear()
        click.echo(printable(f"maskcheck: {text}"), err=True)

    def complain(self, name: str, problem: str) -> None:
        """Say on standard error what was not done; on a terminal, the table says so."""
        if not is_terminal(sys.stderr):
            click.echo(printable(f"maskcheck: {name} was {problem}"), err=True)

    def _write(self, result: FrameResult) -> None:
        for writer in self._writers:
            writer.write(result)

    def close(self) -> OSError | None:
        """Write the ends of the files; what fails first is returned, as the others are closed, too."""
        failure: OSError | None = None
        for writer in self._writers:
            try:
                writer.close()
            except OSError as error:
                failure = failure or error
        self.progress.clear()
        return failure

    def sum_up(self, *lines: str) -> None:
        """Print the lines below the table."""
        self._table.close(*lines)


def _failed(name: str, error: MaskCheckError) -> FrameResult:
    return FrameResult((), (0, 0), source=name, error=error)


def _open_files(
    stack: ExitStack,
    pipeline: MaskPipeline,
    sources: Sequence[Source],
    targets: Targets,
    settings: RunSettings,
) -> list[ResultsFile]:
    wanted: list[tuple[Path, Path, Form, str]] = []
    if targets.folder is not None:
        wanted.append((targets.folder / RESULTS[targets.form], targets.folder / RECEIPT, targets.form, "--output"))
    if targets.json_file is not None:
        file = Path(targets.json_file)
        if wanted and os.path.realpath(file) == os.path.realpath(wanted[0][1]):
            raise click.UsageError(f"{file} is the receipt of --output; choose another file for --json")
        wanted.append((file, receipt_path(file), "jsonl", "--json"))
    shaping = {**settings.shaping_results(), **_shaping_results(pipeline)}
    if any(not source.path.is_absolute() for source in sources):
        shaping["folder"] = str(Path.cwd())  # elsewhere, the same names are other files
    files: list[ResultsFile] = []
    for path, receipt, form, option in wanted:
        results = ResultsFile(
            path,
            form,
            receipt=pipeline.receipt,
            receipt_path=receipt,
            labels=pipeline.labels,
            option=option,
            sources=sources,
            settings=shaping,
            resume=settings.resume,
            retry_failed=settings.retry_failed,
            copy_of=files[0] if files else None,
        )
        files.append(stack.enter_context(results))
    return files


def _shaping_results(pipeline: MaskPipeline) -> dict[str, Any]:
    """Settings of the pipeline that change results and are not in its receipt, JSON-ready."""
    limits = {f"limits.{name}": value for name, value in asdict(pipeline.limits).items()}
    return {"max_faces": pipeline.max_faces, "timeout": pipeline.timeout, **limits}
