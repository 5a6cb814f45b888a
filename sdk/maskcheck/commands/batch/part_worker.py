"""Works on parts: the bytes of its pictures go to a process that decodes and detects, and its rows into a file."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter
from types import TracebackType
from typing import Any, Self

from maskcheck.commands.batch.items import Item
from maskcheck.commands.batch.part_report import Counts, PartReport
from maskcheck.commands.batch.places import Folder, Places
from maskcheck.commands.batch.plan import Plan, part_name
from maskcheck.commands.batch.reading import Content, read_items
from maskcheck.commands.detect.result_files.parquet_writer import import_pyarrow, write_parquet
from maskcheck.engine.processes import WorkerProcesses
from maskcheck.errors import PictureTimeout, WorkerDied
from maskcheck.frames import Frame
from maskcheck.pipeline import MaskPipeline
from maskcheck.results import FrameResult

COUNTS = b"maskcheck.counts"
"""Key of a part's metadata: what is in it, as JSON."""


@dataclass(frozen=True)
class Job:
    """All that a worker is told. It can be pickled.

    Attributes:
        pipeline: As configured; each process loads its models.
        places: Opens sources and output.
        output: Address of the output folder.
        column: Column of Parquet files with the pictures.
        labels: The model's labels in order.
        timeout: Seconds that a picture may take.
    """

    pipeline: MaskPipeline
    places: Places
    output: str
    column: str | None
    labels: tuple[str, ...]
    timeout: float


class PartWorker:
    """Processes that stay, for one part after the other; a context manager that ends them.

    What reads and writes is this process; what decodes pictures are others, with a deadline for each picture. So a
    picture that ends its process or hangs costs that process alone, twice, and then has a row with the error.

    Args:
        job: What is to be done.
        workers: Processes, 1 or more.
        sharing: Processes that share the CPUs of this machine.
        name: Of this machine or node, for reports.
    """

    def __init__(self, job: Job, *, workers: int, sharing: int, name: str) -> None:
        self._job = job
        self._workers = workers
        self._name = name
        self._folder = Folder(job.places, job.output)
        self._plan: Plan | None = None
        self._processes = WorkerProcesses(job.pipeline, workers=workers, timeout=job.timeout, sharing=sharing)

    def work(
        self,
        part: int,
        on_picture: Callable[[], object] = lambda: None,
        *,
        before: Callable[[int], object] | None = None,
        refused: Collection[int] = (),
    ) -> PartReport:
        """Work on a part, and write its file.

        Args:
            part: Its number.
            on_picture: Called when a picture is done.
            before: Called with the position of each picture before the work on it; pictures are then worked on one
                after the other.
            refused: Positions of pictures that are not worked on, as they have ended processes like this one.

        Raises:
            OSError: The file cannot be written.
            MaskCheckError: The models cannot be loaded.
        """
        started, replaced = perf_counter(), self._processes.replaced
        if self._plan is None:
            self._plan = Plan(self._folder)
        items = self._plan.items(part)
        contents = _Contents(refused)
        results = []
        for result in self._label(enumerate(contents.frames(self._read(items))), before):
            results.append(result)
            on_picture()
        late = [index for index, result in enumerate(results) if isinstance(result.error, PictureTimeout)]
        frames = _Contents().frames(self._read([items[index] for index in late]))
        for index, result in zip(late, self._label(zip(late, frames, strict=True), before), strict=True):
            results[index] = result
        lines = [{**result.to_dict(), "id": key} for result, key in zip(results, contents.ids, strict=True)]
        counts = Counts.of_lines(lines).to_dict()
        stream = io.BytesIO()
        metadata = {COUNTS: json.dumps({"part": part, **counts}).encode("ascii")}
        write_parquet(stream, lines, self._job.labels, first_columns=("id",), metadata=metadata)
        self._folder.write(part_name(part), stream.getvalue())
        return PartReport(
            part=part,
            counts=counts,
            bytes_read=contents.bytes_read,
            retries=self._processes.replaced - replaced,
            seconds=perf_counter() - started,
            worker=self._name,
            receipt=_receipt(results),
        )

    def close(self) -> None:
        """End the processes."""
        self._processes.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _label(
        self, frames: Iterable[tuple[int, Frame]], before: Callable[[int], object] | None
    ) -> Iterator[FrameResult]:
        if before is None:
            yield from self._processes.stream(frame for _, frame in frames)
            return
        for index, frame in frames:
            before(index)
            yield from self._processes.stream([frame])

    def _read(self, items: Sequence[Item]) -> Iterator[Content]:
        job = self._job
        return read_items(items, job.column, job.places, job.pipeline.limits, ahead=2 * self._workers + 2)


def read_counts(folder: Folder, part: int) -> Counts | None:
    """What is in the file of a part; None if it is no such file.

    Raises:
        OSError: It cannot be read.
    """
    pyarrow = import_pyarrow()
    try:
        with folder.open(part_name(part)) as file:
            metadata = pyarrow.parquet.read_schema(file).metadata or {}
        content = json.loads(metadata[COUNTS])
        return Counts.from_dict(content) if content["part"] == part else None
    except (pyarrow.ArrowInvalid, KeyError, ValueError):
        return None


class _Contents:
    """Frames of what was read, and what is noted of it."""

    def __init__(self, refused: Collection[int] = ()) -> None:
        self._refused = frozenset(refused)
        self.ids: list[str | None] = []
        self.bytes_read = 0

    def frames(self, contents: Iterator[Content]) -> Iterator[Frame]:
        for position, content in enumerate(contents):
            self.ids.append(content.digest())
            self.bytes_read += len(content.data or b"")
            item, error = content.item, content.error
            if position in self._refused:
                error = WorkerDied(
                    f"{item.source}: a worker ended while it worked on it, and so did another one; the picture is left"
                    " out",
                    source=item.source,
                    exit_code=None,
                )
            yield Frame(content.data, source=item.source, index=item.row or 0, error=error)


def _receipt(results: Sequence[FrameResult]) -> dict[str, Any] | None:
    for result in results:
        if result.receipt is not None:
            return result.receipt.to_dict()
    return None
