"""What is done with each result of a run: it is written, counted and shown, and not kept."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import click

from maskcheck.commands.console import is_terminal, printable
from maskcheck.commands.detect.output_folder import RECEIPT, RESULTS
from maskcheck.commands.detect.progress import Progress
from maskcheck.commands.detect.receipt_file import receipt_path
from maskcheck.commands.detect.result_writers import Form, ResultWriter, open_results
from maskcheck.commands.detect.results_file import ResultsFile
from maskcheck.commands.detect.table import RunningTable
from maskcheck.commands.detect.tally import Tally
from maskcheck.commands.detect.targets import Targets
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
    ) -> None:
        self.tally = tally
        self.progress = progress
        files = _open_files(stack, pipeline, sources, targets)
        self._writers: list[ResultsFile | ResultWriter] = [*files]
        if targets.standard_form is not None and targets.standard_output is not None:
            self._writers.append(open_results(targets.standard_form, targets.standard_output, pipeline.labels))
        self._table = RunningTable(
            targets.table_stream(), (source.display_name for source in sources), keep_working=bool(files)
        )

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

    def write_failure(self, result: FrameResult) -> None:
        """Write what ended a video early; its row follows.

        Raises:
            OSError: It cannot be written.
        """
        self._write(result)
        self.tally.failed += 1

    def fail(self, result: FrameResult) -> None:
        """Write, count and show a source that could not be opened.

        Raises:
            OSError: It cannot be written.
        """
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
        self, name: str, people: Counter[str], frames: int, seconds: float, *, problem: str = "", error: str = ""
    ) -> None:
        """Print the row of a video.

        Args:
            name: The video, as it is shown.
            people: How many people have each label.
            frames: Frames that were worked on.
            seconds: Time that this took.
            problem: What was not written, and why.
            error: Why it ended early; empty if it did not.
        """
        self.tally.count_video(people, failed=bool(error))
        self.progress.clear()
        self._table.add_video(name, people, frames, seconds, problem=problem, error=error)
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


def _open_files(
    stack: ExitStack, pipeline: MaskPipeline, sources: Sequence[Source], targets: Targets
) -> list[ResultsFile]:
    wanted: list[tuple[Path, Path, Form, str]] = []
    if targets.folder is not None:
        wanted.append((targets.folder / RESULTS[targets.form], targets.folder / RECEIPT, targets.form, "--output"))
    if targets.json_file is not None:
        file = Path(targets.json_file)
        if wanted and os.path.realpath(file) == os.path.realpath(wanted[0][1]):
            raise click.UsageError(f"{file} is the receipt of --output; choose another file for --json")
        wanted.append((file, receipt_path(file), "jsonl", "--json"))
    return [
        stack.enter_context(
            ResultsFile(
                path,
                form,
                receipt=pipeline.receipt,
                receipt_path=receipt,
                labels=pipeline.labels,
                option=option,
                sources=sources,
            )
        )
        for path, receipt, form, option in wanted
    ]
