"""Worker processes that may die or hang: each handles many inputs, and is replaced when an input was its end."""

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
"""Longest that the code under test may take for an input."""

MAX_MEMORY = 1_200_000_000
"""Most memory, in bytes, that a worker may hold at any moment: the interpreter and its libraries included."""

_ADDRESS_SPACE = 6_000_000_000  # far beyond what is allowed, so that it is measured; but the machine lives on
_PREPARATION = 120.0  # seconds to start a worker or to make an input, which is the fuzzer's own work


@dataclass(frozen=True)
class Outcome:
    """What became of an input.

    Attributes:
        index: Number of the input.
        kind: What it was made from.
        result: What the code under test did, in a few words; the same words are counted together.
        offence: What it must not have done, if anything.
        detail: A traceback, or the last lines on standard error.
        seconds: Time that it took.
        memory: Peak memory of the worker, in bytes.
    """

    index: int
    kind: str
    result: str
    offence: str | None = None
    detail: str = ""
    seconds: float = 0.0
    memory: int = 0


@dataclass(frozen=True)
class Prepared:
    """An input that is ready: what it was made from, and the function that gives it to the code under test.

    `run` returns what happened in a few words. An exception is an offence.
    """

    kind: str
    run: Callable[[], str]


Prepare: TypeAlias = Callable[[int], Prepared]
"""Makes the input of that number, in the worker."""


class Workers:
    """Give inputs to `count` processes and yield what became of each, in the order in which they end.

    Args:
        prepare: A picklable function that makes an input.
        count: How many processes.
    """

    def __init__(self, prepare: Prepare, count: int) -> None:
        self._prepare = prepare
        self._count = count

    def run(self, indices: Iterator[int]) -> Iterator[Outcome]:
        """Outcomes of all inputs. One that was slow or large is tried once more, alone in a new worker."""
        workers: list[_Worker] = []
        again: deque[Outcome] = deque()
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
                    if outcome.offence in (TOO_SLOW, TOO_LARGE):
                        again.append(outcome)
                    else:
                        yield outcome
                    if worker.dead or outcome.offence == TOO_LARGE:  # what it holds would count for the next input too
                        worker.end()
                        workers[position] = _Worker(self._prepare)
                    workers[position].give(next(indices, None))
        finally:
            for worker in workers:
                worker.end()
        while again:  # nothing else runs now, so that a busy machine is not taken for a slow input
            yield self._confirmed(again.popleft())

    def _confirmed(self, first: Outcome) -> Outcome:
        worker = _Worker(self._prepare)
        try:
            worker.give(first.index)
            while (outcome := worker.poll()) is None:
                wait([worker.connection], timeout=max(0.0, worker.deadline - time.monotonic()))
        finally:
            worker.end()
        return outcome if outcome.offence else replace(outcome, result=f"{outcome.result} ({first.offence} once)")


TOO_SLOW = f"over {MAX_SECONDS:g} s"
TOO_LARGE = f"over {MAX_MEMORY / 1e9:g} GB"


class _Worker:
    def __init__(self, prepare: Prepare) -> None:
        # Spawned, not forked: on every system alike, and free of the parent's threads.
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self._errors = tempfile.NamedTemporaryFile(prefix="maskcheck-fuzz-", delete=False)  # noqa: SIM115
        self._process = context.Process(target=_work, args=(prepare, theirs, self._errors.name), daemon=True)
        self._process.start()
        theirs.close()
        self.index: int | None = None
        self.deadline = 0.0
        self.dead = False
        self._kind = "?"
        self._started: float | None = None

    def give(self, index: int | None) -> None:
        self.index, self._kind, self._started = index, "?", None
        self.deadline = time.monotonic() + _PREPARATION
        if index is not None:
            with suppress(OSError):  # it is dead, which `poll` will see
                self.connection.send(index)

    def poll(self) -> Outcome | None:
        """What became of the input, once that is known; a worker past its time is killed."""
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
            raise RuntimeError(f"input {self.index} cannot be made in {_PREPARATION:g} s: mend the fuzzer")
        self.dead = True
        return Outcome(self.index, self._kind, "killed", TOO_SLOW, self._last_words(), time.monotonic() - self._started)

    def _lost(self) -> Outcome:
        assert self.index is not None
        self._process.join(10)
        self.dead = True
        code = self._process.exitcode or 0
        name = signal.Signals(-code).name if code < 0 else f"exit status {code}"
        if self._started is None:
            raise RuntimeError(f"worker ended before input {self.index} was made ({name}):\n{self._last_words()}")
        return Outcome(self.index, self._kind, "crash", f"crash: {name}", self._last_words())

    def _last_words(self) -> str:
        text = Path(self._errors.name).read_text("utf-8", "replace")
        return text[-4000:]

    def end(self) -> None:
        self._process.kill()
        self._process.join()
        self.connection.close()
        self._errors.close()
        Path(self._errors.name).unlink(missing_ok=True)


def _work(prepare: Prepare, connection: Connection, errors: str) -> None:
    """The life of a worker: take a number, make that input, report what became of it."""
    stream = Path(errors).open("w", encoding="utf-8")  # noqa: SIM115 (open for as long as the process lives)
    os.dup2(stream.fileno(), 2)  # native libraries complain there about every other input
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
    offence, detail = None, ""
    try:
        result = prepared.run()
    except BaseException as error:  # also SystemExit and what else a library may think of
        result = offence = f"{type(error).__name__} outside MaskCheckError"
        detail = traceback.format_exc()
    seconds, memory = time.perf_counter() - started, _peak()
    if offence is None and seconds > MAX_SECONDS:
        offence = TOO_SLOW
    if offence is None and memory > MAX_MEMORY:
        offence = TOO_LARGE
    return Outcome(index, prepared.kind, result, offence, detail, seconds, memory)


def _bound_memory() -> None:
    if sys.platform == "win32":
        return
    import resource

    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE, _ADDRESS_SPACE))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _reset_peak() -> None:
    with suppress(OSError):  # Linux only: elsewhere the peak is that of all inputs so far
        Path("/proc/self/clear_refs").write_text("5")


def _peak() -> int:
    """Peak memory of this process since the last reset, where the system tells, else since its start; in bytes."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    if sys.platform == "win32":
        return 0
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
