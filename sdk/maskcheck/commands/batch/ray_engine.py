"""A cluster of Ray: actors that work on parts, as a map of Ray Data over the numbers of the parts.

What goes through Ray is small: numbers of parts in, reports out. Actors read pictures and write files themselves, so
the object store holds no pictures, there is one operator, and no read task waits for a CPU that the actors have: what
makes Ray Data hang on small clusters. An actor or a node that dies takes the parts with it that it was working on; Ray
gives these to another actor, which writes the same files. It works on their pictures one after the other, and a picture
at which two actors die is left out, with an error in its row.

Why not the checkpoints of Ray Data itself (``CheckpointConfig``): they know a picture by a column of rows that were
written, so a block whose process dies is lost whole and its pictures are not named, its filter needs a CPU of its own,
and the local engine would need another way to go on. Part files that appear whole, and a plan that says what is in
each, do it for both.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import Any, Self

from maskcheck._version import __version__
from maskcheck.commands.batch.engines import Description, describe
from maskcheck.commands.batch.part_report import PartReport
from maskcheck.commands.batch.part_worker import Job, PartWorker
from maskcheck.commands.batch.plan import MOST
from maskcheck.errors import MaskCheckError, PackageNotInstalled
from maskcheck.log import LOGGER
from maskcheck.pipeline import MaskPipeline
from maskcheck.runtime.cpu import affinity

_MOST_BLOCKS = 10_000  # of parts that Ray Data keeps account of
_MOST_TRIES = 20  # of a part whose actor dies each time
_MOST_DEATHS = 2  # of actors at work on a picture, before it is left out
_PATIENCE = 600.0  # seconds for a process to start and a part to be read and written


def import_ray() -> Any:
    """The package ray, with its module ``data``.

    Raises:
        PackageNotInstalled: It is not installed, or cannot be imported.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # a tool for pictures of faces reports to nobody
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise PackageNotInstalled(
            f'--engine ray needs the package ray ({error}); install it: pip install "maskcheck[cpu,ray]"', package="ray"
        ) from error
    return ray


class RayEngine:
    """Actors of a Ray cluster, each with a process that decodes and detects.

    Every node needs the same version of this package, with the same plugins, and must reach sources and output by
    their addresses.

    Args:
        address: Of a cluster: ``auto`` for the one of this machine, ``ray://...``; ``local`` starts one here, on this
            machine alone. By default, what RAY_ADDRESS says, else ``local``. A connection that is there is used.
        workers: Actors; by default, as many as the cluster has room for now.
        cpus: CPUs of an actor, which its threads share.
        gpus: GPUs of an actor; a share, such as 0.25, lets several actors use one.
    """

    name = "ray"

    def __init__(
        self, address: str | None = None, *, workers: int | None = None, cpus: float = 1.0, gpus: float = 0.0
    ) -> None:
        self._ray = import_ray()
        self._address = address or os.environ.get("RAY_ADDRESS") or "local"
        self._workers = workers
        self._cpus, self._gpus = cpus, gpus
        self._connected = False

    def __enter__(self) -> Self:
        """Connect.

        Raises:
            MaskCheckError: There is no such cluster.
        """
        ray = self._ray
        if not ray.is_initialized():
            local = {"include_dashboard": False} if self._address == "local" else {}
            try:
                ray.init(
                    address=self._address,
                    log_to_driver=LOGGER.isEnabledFor(logging.INFO),
                    logging_level=logging.ERROR,
                    **local,
                )
            except (ConnectionError, RuntimeError, ValueError) as error:
                raise MaskCheckError(f"cannot connect to the Ray cluster at {self._address}: {error}") from error
            self._connected = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connected:
            self._ray.shutdown()

    def describe(self, pipeline: MaskPipeline) -> Description:
        """:func:`describe`, in a task with the resources of an actor.

        Raises:
            MaskCheckError: No node has room for an actor, or the models cannot be loaded there.
        """
        ray = self._ray
        room = self._room()
        if not room and self._workers is None:
            raise MaskCheckError(
                f"no node of the cluster has room for a worker with {self._cpus:g} CPUs and {self._gpus:g} GPUs; ask"
                " for less with --cpus and --gpus, or give --workers to wait for nodes"
            )
        task = ray.remote(num_cpus=self._cpus, num_gpus=self._gpus)(_describe_remotely)
        try:
            found: Description = ray.get(task.remote(__version__, pipeline))
        except ray.exceptions.RayError as error:
            raise _own_error(error) from error
        return found

    def run(self, job: Job, parts: Sequence[int], on_pictures: Callable[[int], object]) -> Iterator[PartReport]:
        """Work on parts, in any order; see :meth:`Engine.run`."""
        ray = self._ray
        if not parts:
            return
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.print_on_execution_start = False
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
            ray.get_runtime_context().get_node_id(), soft=False
        )
        tries = ray.remote(num_cpus=0, scheduling_strategy=here)(_Tries).remote()
        size = min(len(parts), self._workers or self._room())
        reports = ray.data.from_items(
            [{"part": part} for part in parts], override_num_blocks=min(len(parts), _MOST_BLOCKS)
        ).map_batches(
            _PartActor,
            fn_constructor_args=(__version__, job, tries, self._cpus),
            batch_size=1,
            compute=ray.data.ActorPoolStrategy(size=size, max_tasks_in_flight_per_actor=1),
            num_cpus=self._cpus,
            num_gpus=self._gpus,
        )
        for text in _rows(reports, _PATIENCE + 2 * MOST * job.timeout):
            content = json.loads(text)
            if "failure" in content:
                raise MaskCheckError(content["failure"])
            report = PartReport.from_dict(content)
            on_pictures(report.counts["pictures"])
            yield report

    def _room(self) -> int:
        """How many actors fit on the nodes that there are."""
        room = 0
        for node in self._ray.nodes():
            if node["Alive"]:
                wanted = {"CPU": self._cpus, "GPU": self._gpus}
                fits = [int(node["Resources"].get(name, 0) / share) for name, share in wanted.items() if share > 0]
                room += min(fits, default=1)
        return room


def _rows(reports: Any, patience: float) -> Iterator[str]:
    """The reports as they come; a wait for one can be interrupted, and ends."""
    found: queue.SimpleQueue[str | BaseException | None] = queue.SimpleQueue()
    stopped = threading.Event()

    def consume() -> None:
        try:
            for batch in reports.iter_batches(batch_size=None, prefetch_batches=0, batch_format="numpy"):
                for text in batch["report"]:
                    found.put(str(text))
                if stopped.is_set():
                    return
        except BaseException as error:
            found.put(error)
        else:
            found.put(None)

    threading.Thread(target=consume, name="maskcheck batch reports", daemon=True).start()
    try:
        while True:
            try:
                got = found.get(timeout=patience)
            except queue.Empty:
                raise MaskCheckError(
                    f"no part was finished for {patience / 3600:.1f} hours, longer than one can take: the cluster has"
                    " no room for the workers, or hangs; --resume goes on with what is missing"
                ) from None
            if got is None:
                return
            if isinstance(got, BaseException):
                raise _own_error(got) from got
            yield got
    finally:
        stopped.set()


class _Tries:
    """Remembers how often parts were begun, and at which pictures actors have died.

    Ray gives a part whose actor died to another one without end. Most pictures that kill do so in the process that the
    actor has for them; but where memory runs out, Ray ends the actor itself.
    """

    def __init__(self) -> None:
        self._tries: Counter[int] = Counter()
        self._looking: dict[int, int] = {}
        self._deaths: dict[int, Counter[int]] = {}

    def begin(self, part: int) -> tuple[int, list[int]]:
        """Begin a part: how often it was, and positions of the pictures in it that are to be left out."""
        self._tries[part] += 1
        deaths = self._deaths.setdefault(part, Counter())
        if part in self._looking:
            deaths[self._looking.pop(part)] += 1
        return self._tries[part], [position for position, number in deaths.items() if number >= _MOST_DEATHS]

    def look(self, part: int, position: int) -> None:
        """Say which picture comes now."""
        self._looking[part] = position


class _PartActor:
    """What Ray Data calls on a node: it has a :class:`PartWorker`, and works on a part at a time."""

    def __init__(self, version: str, job: Job, tries: Any, cpus: float) -> None:
        _check_version(version)
        import ray

        self._ray, self._tries = ray, tries
        node = f"{os.uname().nodename if hasattr(os, 'uname') else 'node'}"
        node += f" {ray.get_runtime_context().get_node_id()[:8]}"
        self._worker = PartWorker(job, workers=1, sharing=max(1, round(affinity() / cpus)), name=node)

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, list[str]]:
        return {"report": [json.dumps(self._work(part)) for part in map(int, batch["part"])]}

    def _work(self, part: int) -> dict[str, Any]:
        """The report of a part; ``failure`` says what ends the job, which Ray Data would wrap in errors of its own."""
        tries, refused = self._ray.get(self._tries.begin.remote(part))
        if tries > _MOST_TRIES:
            return {
                "failure": f"part {part} was begun {_MOST_TRIES} times, and its actor ended each time, as it does when"
                " memory runs out or a node is taken away; give the actors more room (--cpus), or fewer of them a"
                " node; --resume goes on with what is missing"
            }
        try:
            report = self._worker.work(part, before=partial(self._look, part) if tries > 1 else None, refused=refused)
        except OSError as error:
            why = f"{error.filename}: {error.strerror}" if error.filename else str(error)
            return {"failure": f"cannot read or write {why}"}
        except MaskCheckError as error:
            return {"failure": str(error)}
        return {**report.to_dict(), "retries": report.retries + tries - 1}

    def _look(self, part: int, position: int) -> None:
        self._ray.get(self._tries.look.remote(part, position))


def _describe_remotely(version: str, pipeline: MaskPipeline) -> Description:
    _check_version(version)
    return describe(pipeline)


def _check_version(version: str) -> None:
    if version != __version__:
        raise MaskCheckError(
            f"a node of the cluster has maskcheck {__version__}, and the job comes from {version}; install the same"
            " version everywhere"
        )


def _own_error(error: BaseException) -> BaseException:
    """What the error of a task was, if it is one that a user can act on."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, (MaskCheckError, OSError, KeyboardInterrupt)):
            return cause
        cause = getattr(cause, "cause", None) or cause.__cause__
    lines = [line for line in str(error).splitlines() if line.strip()]
    return MaskCheckError(f"the job failed on the cluster: {lines[-1].strip() if lines else type(error).__name__}")
