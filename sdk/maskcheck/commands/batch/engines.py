"""What runs the parts of a job: this machine, or a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self

from maskcheck.commands.batch.part_report import PartReport
from maskcheck.commands.batch.part_worker import Job, PartWorker
from maskcheck.pipeline import MaskPipeline
from maskcheck.runtime.cpu import default_thread_count


@dataclass(frozen=True)
class Description:
    """What a pipeline turns out to be where it runs.

    Attributes:
        labels: Of its model, in order.
        receipt: What its results are made with, JSON-ready.
    """

    labels: tuple[str, ...]
    receipt: dict[str, Any]


def describe(pipeline: MaskPipeline) -> Description:
    """Load the models, and say what they are.

    Raises:
        MaskCheckError: They cannot be loaded.
    """
    pipeline.warm_up()
    return Description(pipeline.labels, pipeline.receipt.to_dict())


class Engine(Protocol):
    """Runs parts; a context manager.

    Attributes:
        name: As on the command line.
    """

    name: str

    def __enter__(self) -> Self:
        """Start it."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it."""

    def describe(self, pipeline: MaskPipeline) -> Description:
        """:func:`describe`, where the work will be done."""

    def run(self, job: Job, parts: Sequence[int], on_pictures: Callable[[int], object]) -> Iterator[PartReport]:
        """Work on parts, in any order.

        Args:
            job: What is to be done.
            parts: Numbers of parts that have no file.
            on_pictures: Called with a number of pictures that were done.

        Yields:
            A report for each part whose file is written.

        Raises:
            OSError: A file cannot be written.
            MaskCheckError: The models cannot be loaded, or the engine failed.
        """


class LocalEngine:
    """Worker processes of this machine, which work on one part after the other.

    Args:
        workers: How many; by default, one for each CPU that this process may use.
    """

    name = "local"

    def __init__(self, workers: int | None = None) -> None:
        self._workers = default_thread_count() if workers is None else workers

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def describe(self, pipeline: MaskPipeline) -> Description:
        """:func:`describe`, in this process."""
        return describe(pipeline)

    def run(self, job: Job, parts: Sequence[int], on_pictures: Callable[[int], object]) -> Iterator[PartReport]:
        """Work on parts, in order."""
        with PartWorker(job, workers=self._workers, sharing=self._workers, name="local") as worker:
            for part in parts:
                yield worker.work(part, lambda: on_pictures(1))
