"""Worker processes that may crash or hang. Each handles many inputs, and is replaced after a crash or a hang."""

from __future__ import annotations

import faulthandler
import multiprocessing
import os
import signal
import sys
import tempfile
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import TypeAlias

MAX_SECONDS = 5.0
"""Most seconds that the code under test may take for an input."""

MAX_MEMORY = 1_200_000_000
"""Most memory, in bytes, that a worker may hold at any moment, including the interpreter and its libraries."""

_ADDRESS_SPACE = 6_000_000_000  # far above MAX_MEMORY, which is measured; this protects the machine
_PREPARATION = 120.0  # seconds to start a worker or to make an input


@dataclass(frozen=True)
class Outcome:
    """The outcome of an input.

    Attributes:
        index: Number of the input.
        kind: What it was made from, or how.
        result: What the code under test did, in a few words; equal words are counted together.
        fault: What went wrong; None if nothing did.
        detail: A traceback, or the last lines on standard error.
        seconds: Time of the code under test.
        memory: Peak memory of the worker, in bytes.
    """

    index: int
    kind: str
    result: str
    fault: str | None = None
    detail: str = ""
    seconds: float = 0.0
    memory: int = 0


@dataclass(frozen=True)
class Prepared:
    """An input that is ready to run.

    Attributes:
        kind: What it was made from, or how.
        run: Passes it to the code under test and returns what happened, in a few words. An exception is a fault.
    """

    kind: str
    run: Callable[[], str]


Prepare: TypeAlias = Callable[[int], Prepared]
"""Makes the input of a given number, in the worker."""


class Workers:
    """Runs inputs in `count` processes.

    Args:
        prepare: A picklable function that makes an input.
        count: How many processes.
    """

    def __init__(self, prepare: Prepare, count: int) -> None:
        self._prepare = prepare
        self._count = count

    def run(self, indices: Iterator[int]) -> Iterator[Outcome]:
        """The outcomes, in the order in which the inputs end.

        An input over the time or memory limit runs once more, alone in a new worker.
        """
        workers: list[_Worker] = []
        to_repeat: deque[Outcome] = deque()
        try:
            for _ in range(self._count):
                worker = _Worker(self._prepare)
                workers.append(worker)
                worker.give(next(indices, None))
            while busy := [worker for worker in workers if worker.index is not None]:
                deadline = min(worker.deadline for worker in busy)
                wait([worker.connection for worker in busy], timeout=max(0.0, deadline - time.monotonic()))
                for position, worker in enumerate(workers):
                    outcome = worker.poll()
                    if outcome is None:
                        continue
                    if outcome.fault in (TOO_SLOW, TOO_LARGE):
                        to_repeat.append(outcome)
                    else:
                        yield outcome
                    if worker.dead or outcome.fault == TOO_LARGE:  # its memory would count for the next input
                        worker.end()
                        workers[position] = _Worker(self._prepare)
                    workers[position].give(next(indices, None))
        finally:
            for worker in workers:
                worker.end()
        while to_repeat:  # nothing else runs now, so that a busy machine does not make an input slow
            yield self._confirmed(to_repeat.popleft())

    def _confirmed(self, first: Outcome) -> Outcome:
        worker = _Worker(self._prepare)
        try:
            worker.give(first.index)
            while (outcome := worker.poll()) is None:
                wait([worker.connection], timeout=max(0.0, worker.deadline - time.monotonic()))
        finally:
            worker.end()
        return outcome if outcome.fault else replace(outcome, result=f"{outcome.result} ({first.fault} once)")


TOO_SLOW = f"over {MAX_SECONDS:g} s"
TOO_LARGE = f"over {MAX_MEMORY / 1e9:g} GB"


class _Worker:
    def __init__(self, prepare: Prepare) -> None:
        # Spawned, not forked: the same on every system, and without the parent's threads.
        context = multiprocessing.get_context("spawn")
        self.connection, workers_end = context.Pipe()
        self._errors = tempfile.NamedTemporaryFile(prefix="maskcheck-fuzz-", delete=False)  # noqa: SIM115
        self._process = context.Process(target=_work, args=(prepare, workers_end, self._errors.name), daemon=True)
        self._process.start()
        workers_end.close()
        self.index: int | None = None
        self.deadline = 0.0
        self.dead = False
        self._kind = "?"
        self._started: float | None = None

    def give(self, index: int | None) -> None:
        self.index, self._kind, self._started = index, "?", None
        self.deadline = time.monotonic() + _PREPARATION
        if index is not None:
            with suppress(OSError):  # it is dead, which `poll` reports
                self.connection.send(index)

    def poll(self) -> Outcome | None:
        """The outcome of the input, or None while it runs; a worker over its time is killed."""
        if self.index is None:
            return None
        try:
            while self.connection.poll():
                message = self.connection.recv()
                if isinstance(message, Outcome):
                    return message
                self._kind, self._started = message, time.monotonic()
                self.deadline = self._started + MAX_SECONDS
        except (EOFError, OSError):
            return self._lost()
        if time.monotonic() < self.deadline:
            return None
        self._process.kill()
        if self._started is None:
            raise RuntimeError(f"input {self.index} cannot be made in {_PREPARATION:g} s: fix the fuzzer")
        self.dead = True
        return Outcome(
            self.index, self._kind, "killed", TOO_SLOW, self._stderr_tail(), time.monotonic() - self._started
        )

    def _lost(self) -> Outcome:
        assert self.index is not None
        self._process.join(10)
        self.dead = True
        code = self._process.exitcode or 0
        name = signal.Signals(-code).name if code < 0 else f"exit status {code}"
        if self._started is None:
            raise RuntimeError(f"worker ended before input {self.index} was made ({name}):\n{self._stderr_tail()}")
        return Outcome(self.index, self._kind, "crash", f"crash: {name}", self._stderr_tail())

    def _stderr_tail(self) -> str:
        text = Path(self._errors.name).read_text("utf-8", "replace")
        return text[-4000:]

    def end(self) -> None:
        self._process.kill()
        self._process.join()
        self.connection.close()
        self._errors.close()
        Path(self._errors.name).unlink(missing_ok=True)


def _work(prepare: Prepare, connection: Connection, errors: str) -> None:
    """The loop of a worker: receive a number, make that input, run it, send its outcome."""
    stream = Path(errors).open("w", encoding="utf-8")  # noqa: SIM115 (open for as long as the process lives)
    os.dup2(stream.fileno(), 2)  # native libraries write much to standard error
    faulthandler.enable(stream)
    warnings.simplefilter("ignore")
    _bound_memory()
    with suppress(EOFError, KeyboardInterrupt):
        while True:
            index: int = connection.recv()
            stream.truncate(0)
            prepared = prepare(index)
            connection.send(prepared.kind)
            connection.send(_examine(index, prepared))


def _examine(index: int, prepared: Prepared) -> Outcome:
    import traceback

    _reset_peak()
    started = time.perf_counter()
    fault, detail = None, ""
    try:
        result = prepared.run()
    except BaseException as error:  # SystemExit and KeyboardInterrupt too
        result = fault = f"{type(error).__name__} outside MaskCheckError"
        detail = traceback.format_exc()
    seconds, memory = time.perf_counter() - started, _peak()
    if fault is None and seconds > MAX_SECONDS:
        fault = TOO_SLOW
    if fault is None and memory > MAX_MEMORY:
        fault = TOO_LARGE
    return Outcome(index, prepared.kind, result, fault, detail, seconds, memory)


def _bound_memory() -> None:
    if sys.platform == "win32":
        return
    import resource

    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE, _ADDRESS_SPACE))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _reset_peak() -> None:
    with suppress(OSError):  # only Linux can reset it: elsewhere it is the peak of all inputs so far
        Path("/proc/self/clear_refs").write_text("5")


def _peak() -> int:
    """Peak memory of this process, in bytes: since the last reset on Linux, elsewhere since its start."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    if sys.platform == "win32":
        return 0
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
