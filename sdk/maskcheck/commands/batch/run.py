"""A run of ``maskcheck batch``: it makes or continues the plan, lets an engine work on what is missing, and reports."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from time import monotonic

import click

from maskcheck.commands.batch.engines import Engine
from maskcheck.commands.batch.items import Item, expand_lists, find_items, in_share
from maskcheck.commands.batch.job_report import JobReport
from maskcheck.commands.batch.part_report import Counts
from maskcheck.commands.batch.part_worker import Job, read_counts
from maskcheck.commands.batch.places import Folder, Places
from maskcheck.commands.batch.plan import Plan, part_name, part_size
from maskcheck.commands.console import is_terminal, printable
from maskcheck.commands.detect.result_files.safe_files import InUse, locked
from maskcheck.commands.detect.result_files.settings_check import settings_differences
from maskcheck.commands.detect.terminal.progress import Progress
from maskcheck.commands.exits import SOMETHING_FAILED, SUCCESS
from maskcheck.errors import MaskCheckError
from maskcheck.log import LOGGER
from maskcheck.pipeline import MaskPipeline
from maskcheck.sources import LeftOut

_RECEIPT = "_job/receipt.json"
_REPORT = "_job/report.json"
_TEXT = "_job/report.txt"
_EVERY = 60.0  # seconds between lines of progress where there is no terminal
_SHOWN = 5  # sources that cannot be read which are named at once
_AT_ONCE = 16  # files whose ends are read at the same time


@dataclass(frozen=True)
class BatchSettings:
    """What a run is asked to do.

    Attributes:
        sources: Files, folders, patterns and lists, here or at an address.
        output: Address of the output folder.
        column: Column of Parquet files with pictures; None if the sources are picture files.
        resume: Whether a job that is there is continued.
        retry_failed: Whether parts with failed pictures are then made anew.
        share: ``(i, n)``: only the i-th of n shares of the pictures, from 1; None for all.
        part_size: Pictures of a part; None for a number that suits the job.
        timeout: Seconds that a picture may take.
    """

    sources: tuple[str, ...]
    output: str
    column: str | None = None
    resume: bool = False
    retry_failed: bool = False
    share: tuple[int, int] | None = None
    part_size: int | None = None
    timeout: float = 60.0


def run_batch(settings: BatchSettings, pipeline: MaskPipeline, engine: Engine) -> int:
    """Do a job, or what is missing of it.

    Returns:
        The exit status.

    Raises:
        click.UsageError: There is a job in the output folder already, or SOURCES cannot be used.
        MaskCheckError: The job there has other settings, the models cannot be loaded, or the engine failed.
        OSError: The output cannot be written.
    """
    sources = expand_lists(settings.sources)
    places = Places([*sources, settings.output])
    folder = places.folder(settings.output)
    with ExitStack() as stack:
        if folder.local is not None:
            (folder.local / "_job").mkdir(exist_ok=True)
            try:
                stack.enter_context(locked(folder.local / "_job" / "lock"))
            except InUse:
                raise MaskCheckError(f"another run is writing {folder.address}; wait until it ends") from None
            folder.remove_temporary()
        plan = Plan(folder)
        if len(plan) and not settings.resume:
            raise click.UsageError(
                f"--output: {folder.address} holds a job of {plan.pictures:,} pictures already; go on with it by"
                " --resume, or choose another folder"
            )
        stack.enter_context(engine)
        about = engine.describe(pipeline)
        _check_settings(folder, settings, pipeline, about.receipt)
        left_out = LeftOut()
        found = find_items(sources, settings.column, places, settings.output, left_out)
        _extend(plan, found, settings)
        finished = _finished(folder, plan)
        if settings.retry_failed:
            finished = {part: counts for part, counts in finished.items() if not counts.failed}
        resumed = Counts()
        for counts in finished.values():
            resumed.add(counts)
        missing = [part for part in range(len(plan)) if part not in finished]
        job = Job(pipeline, places, folder.address, settings.column, about.labels, settings.timeout)
        report = JobReport(folder.address, engine.name, resumed, str(left_out))
        progress = _Progress(plan.pictures, resumed.pictures)
        try:
            for part in engine.run(job, missing, progress.add):
                report.add(part)
        finally:
            progress.clear()
            if report.done < plan.pictures:
                note = f"stopped after {report.done:,} of {plan.pictures:,} pictures; --resume goes on with the others"
                click.echo(note, err=True)
        folder.write(_REPORT, report.to_json())
        text = "\n".join(report.lines())
        folder.write(_TEXT, text.encode("utf-8", "backslashreplace") + b"\n")
    click.echo(printable(text, keep="\n"))
    return SOMETHING_FAILED if report.total.failed else SUCCESS


def _check_settings(
    folder: Folder, settings: BatchSettings, pipeline: MaskPipeline, receipt: dict[str, object]
) -> None:
    now = {
        **receipt,
        "settings": {
            "column": settings.column,
            "share": None if settings.share is None else "/".join(map(str, settings.share)),
            "max_faces": pipeline.max_faces,
            **asdict(pipeline.limits),
        },
    }
    now = json.loads(json.dumps(now))
    content = folder.read(_RECEIPT) if settings.resume else None
    if content is None:
        folder.write(_RECEIPT, json.dumps(now, indent=2).encode("ascii") + b"\n")
        return
    try:
        then = json.loads(content)
        differences = settings_differences(then, now)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise MaskCheckError(
            f"--resume: {folder.address}/{_RECEIPT} cannot be used ({error}); choose another folder"
        ) from error
    if differences:
        raise MaskCheckError(
            f"--resume cannot continue {folder.address}: it was made with other settings: {'; '.join(differences)}."
            " Give the same options, or choose another folder"
        )


def _extend(plan: Plan, found: Iterator[Item], settings: BatchSettings) -> None:
    """Put pictures into the plan that are not there."""
    known = {(item.source, item.row) for item in plan.all_items()}
    new = [item for item in found if (item.source, item.row) not in known]
    if settings.share is not None:
        new = [item for item in new if in_share(item, settings.share)]
    _say_failed([item for item in new if item.error is not None])
    plan.add(new, settings.part_size or part_size(len(new)))


def _say_failed(items: Sequence[Item]) -> None:
    for item in items[:_SHOWN]:
        click.echo(printable(f"failed: {item.error}"), err=True)
    if len(items) > _SHOWN:
        click.echo(f"failed: {len(items) - _SHOWN:,} more", err=True)


def _finished(folder: Folder, plan: Plan) -> dict[int, Counts]:
    """What is in the parts that have a file; a file that is damaged does not count."""
    names = set(folder.names())
    there = [part for part in range(len(plan)) if part_name(part) in names]
    finished = {}
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        for part, counts in zip(there, threads.map(lambda part: read_counts(folder, part), there), strict=True):
            if counts is not None and counts.pictures == plan.size(part):
                finished[part] = counts
            else:
                LOGGER.warning("%s/%s is damaged, and is made anew", folder.address, part_name(part))
    return finished


class _Progress:
    """How far a job is: a line that changes on a terminal, else a line a minute.

    Args:
        total: Pictures in all.
        done: Those that earlier runs have done.
        now: Gives the time, in seconds.
    """

    def __init__(self, total: int, done: int, *, now: Callable[[], float] = monotonic) -> None:
        self._line = Progress(0 if LOGGER.isEnabledFor(logging.INFO) else total)
        self._line.start_from(done)
        self._total, self._done, self._before = total, done, done
        self._now = now
        self._started = self._shown = now()

    def add(self, pictures: int) -> None:
        """Say that more pictures are done."""
        self._done += pictures
        if is_terminal(sys.stderr):
            self._line.show(self._done)
        elif self._now() - self._shown >= _EVERY:
            self._shown = self._now()
            rate = (self._done - self._before) / (self._shown - self._started)
            click.echo(f"{self._done:,} of {self._total:,} pictures, {rate:.1f} a second", err=True)

    def clear(self) -> None:
        """Remove the line."""
        self._line.clear()
