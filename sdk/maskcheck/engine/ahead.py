"""Work on many items in threads while their results are used: in order, and never far ahead.

The threads are daemons, so one that is stuck holds up neither Ctrl-C nor the end of the program; ``concurrent.futures``
would wait for it for ever.
"""

from __future__ import annotations

import atexit
import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from contextlib import suppress
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any, Generic, TypeVar
from weakref import WeakSet

Item = TypeVar("Item")
Result = TypeVar("Result")

GRACE = 1.0
"""Seconds that the end of an iterator waits for threads that are at work, and Ctrl-C for what is nearly finished."""

_LAST_GRACE = 10.0  # seconds that the end of the program waits for threads at work

_POLL = 0.25  # seconds after which a wait looks around; on Windows, Ctrl-C does not end a wait


def stuck_threads() -> tuple[threading.Thread, ...]:
    """Threads that still work on something whose result nobody waits for.

    They end after it. The end of a program waits some seconds for them. After that it may crash in native code, which
    ``os._exit`` avoids.
    """
    with _registering:
        return tuple(thread for thread in _left if thread.is_alive())


class Interruption:
    """The wish to end, as seen by iterators that feed each other: then nothing is taken, and nothing waited for long.

    Args:
        stop: Set by whoever wants the iterators to end, from any thread or a signal handler. Ctrl-C has the same
            effect, and is raised after what is nearly finished.
    """

    def __init__(self, stop: threading.Event | None = None) -> None:
        self.error: KeyboardInterrupt | None = None
        self._stop = stop
        self._deadline: float | None = None

    def begin(self, error: KeyboardInterrupt) -> None:
        """Give what is nearly finished a last moment; all the iterators raise the error then."""
        self.error = self.error or error
        self._deadline = self._deadline or monotonic() + GRACE

    @property
    def deadline(self) -> float | None:
        """When the last moment ends; None if nobody wants the iterators to end."""
        if self._deadline is None and self._stop is not None and self._stop.is_set():
            self._deadline = monotonic() + GRACE
        return self._deadline


def map_ahead(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    workers: int,
    ahead: int,
    timeout: float | None = None,
    late: Callable[[Item], Result] | None = None,
    interruption: Interruption | None = None,
) -> Generator[Result, None, None]:
    """``map``, with threads that work on the next items meanwhile.

    Items are taken in the thread that asks for results. When the iterator is closed, what has not begun is dropped and
    its threads end; one that is at work for longer than a moment is left to end by itself. If `items` raises, the
    results of what came before are given first; on Ctrl-C, of those what is finished.

    Args:
        function: What to do with an item; called from several threads at once.
        items: The items.
        workers: Threads, 1 or more.
        ahead: Most items that are taken and not yet given back as results, 1 or more; with 1, nothing is taken before
            the last result was used.
        timeout: Seconds that the function may take for one item. A thread that takes longer is left alone, and another
            one takes its place.
        late: Gives, or raises, what stands in the place of a result that does not come in time.
        interruption: Shared by iterators that feed each other; once it began, `items` must end by themselves.
    """
    interruption = interruption or Interruption()
    pending: deque[_Task[Item, Result]] = deque()
    failure: BaseException | None = None
    source = iter(items)
    exhausted = False
    pool = _Workers(workers)
    try:
        while not exhausted or pending:
            try:
                if not exhausted and len(pending) < ahead:
                    try:
                        pending.append(pool.submit(function, next(source)))
                    except StopIteration:
                        exhausted = True
                    except KeyboardInterrupt:
                        exhausted = True
                        raise
                    except BaseException as error:  # raised after the results of what came before
                        exhausted = True
                        failure = error if failure is None else failure
                    continue
                if not pool.wait(pending[0], timeout, interruption):
                    break
            except KeyboardInterrupt as error:
                if interruption.error not in (None, error):  # the second time
                    raise
                interruption.begin(error)
                continue
            task = pending.popleft()
            yield late(task.item) if task.abandoned and late is not None else task.result()
            del task  # an item may be large
    finally:
        pool.close(GRACE if interruption.deadline is None else 0.1)  # after Ctrl-C, they have had their moment
    failure = interruption.error if failure is None else failure
    if failure is not None:
        try:
            raise failure
        finally:
            del failure, interruption  # the traceback leads back to them


class _Task(Generic[Item, Result]):
    """A call of the function, and what comes of it."""

    def __init__(self, function: Callable[[Item], Result], item: Item) -> None:
        self.item = item
        self.given = monotonic()
        self.begun: float | None = None
        self.done = False
        self.abandoned = False
        self.thread: threading.Thread | None = None
        self._function = function
        self._results: list[Result] = []
        self._error: BaseException | None = None
        # Not an Event: Ctrl-C in the middle of its Python code can leave its own lock locked, for ever.
        self._undone = threading.Lock()
        self._undone.acquire()

    def run(self) -> None:
        self.thread = threading.current_thread()
        self.begun = monotonic()
        try:
            self._results.append(self._function(self.item))
        except BaseException as error:  # raised where the result is asked for
            self._error = error

    def finish(self) -> None:
        self.done = True
        self._undone.release()

    def wait(self, seconds: float) -> bool:
        """Whether it is done, after that time at the latest; only one thread may wait."""
        if not self.done:
            self._undone.acquire(timeout=seconds)
        return self.done

    def result(self) -> Result:
        if self.abandoned:
            raise TimeoutError("the item took longer than its time limit")
        if self._error is not None:
            raise self._error
        return self._results.pop()


class _Workers:
    """Daemon threads that do tasks in the order in which they are given."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._tasks: SimpleQueue[_Task[Any, Any] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._finishing = threading.Lock()
        with _registering:
            _open.add(self)

    def submit(self, function: Callable[[Item], Result], item: Item) -> _Task[Item, Result]:
        task = _Task(function, item)
        self._tasks.put(task)
        if len(self._threads) < self._count:
            self._start()
        return task

    def wait(self, task: _Task[Item, Result], timeout: float | None, interruption: Interruption) -> bool:
        """Wait for a task; True if it is done or late, False if nobody waits for it any more."""
        while True:
            late = task.begun + timeout if timeout is not None and task.begun is not None else None
            # What is given after Ctrl-C has been worked on before; it gets its own moment.
            end = None if interruption.deadline is None else max(interruption.deadline, task.given + GRACE)
            soonest = min(time for time in (late, end, monotonic() + _POLL) if time is not None)
            if task.wait(max(soonest - monotonic(), 0)):
                return True
            if late is not None and monotonic() >= late and self._abandon(task):
                return True
            if end is not None and monotonic() >= end:
                return task.done

    def close(self, grace: float) -> None:
        """Drop what has not begun, and end the threads; one that is at work longer than `grace` ends by itself."""
        with _registering:
            _open.discard(self)
        with suppress(Empty):
            while True:
                self._tasks.get_nowait()
        for _ in self._threads:
            self._tasks.put(None)
        deadline = monotonic() + grace
        try:
            for thread in self._threads:
                if thread is not threading.current_thread():  # a worker may collect another iterator as garbage
                    thread.join(max(deadline - monotonic(), 0))
        finally:
            with _registering:
                _left.update(thread for thread in self._threads if thread.is_alive())

    def _start(self) -> None:
        thread = threading.Thread(target=_work, args=(self._tasks, self._finishing), name="maskcheck", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            if isinstance(error.__context__, KeyboardInterrupt):  # which came while it waited for the thread to begin
                raise error.__context__ from None
            if not self._threads:  # else there are no more threads on this system, and the others do it
                raise
        else:
            self._threads.append(thread)

    def _abandon(self, task: _Task[Item, Result]) -> bool:
        """Give up a task that is not done, and put another thread in the place of its own."""
        with self._finishing:
            if task.done:
                return False
            task.abandoned = True
        if task.thread in self._threads:
            self._threads.remove(task.thread)
            with _registering:
                _left.add(task.thread)
        self._start()
        return True


def _work(tasks: SimpleQueue[_Task[Any, Any] | None], finishing: threading.Lock) -> None:
    while (task := tasks.get()) is not None:
        task.run()
        with finishing:
            task.finish()
            if task.abandoned:
                return
        del task  # it holds a picture


_registering = threading.RLock()  # garbage collection may close an iterator at any time
_open: WeakSet[_Workers] = WeakSet()
_left: WeakSet[threading.Thread] = WeakSet()


def _after_fork() -> None:
    """In a child process none of the threads is there, and one of them may have held the lock."""
    global _registering
    _registering = threading.RLock()
    _open.clear()
    _left.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


@atexit.register
def _end_all() -> None:
    """End what was not closed, and wait for threads at work: native code crashes in an interpreter that has ended."""
    with _registering:
        pools = tuple(_open)
    with suppress(KeyboardInterrupt):
        for pool in pools:
            pool.close(0)
        deadline = monotonic() + _LAST_GRACE
        for thread in stuck_threads():
            thread.join(max(deadline - monotonic(), 0))
