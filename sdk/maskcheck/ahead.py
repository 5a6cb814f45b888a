"""Work on many items in threads while their results are used: in order, and never far ahead."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_ahead(
    function: Callable[[Item], Result], items: Iterable[Item], *, workers: int, ahead: int
) -> Generator[Result, None, None]:
    """``map``, with threads that work on the next items meanwhile.

    Items are taken in the thread that asks for results. When the iterator is closed, what has not begun is dropped and
    its threads end. If `items` raises, the results of what came before are given first.

    Args:
        function: What to do with an item; called from several threads at once.
        items: The items.
        workers: Threads, 1 or more.
        ahead: Most items that are taken and not yet given back as results, 1 or more; with 1, nothing is taken before
            the last result was used.
    """
    pending: deque[Future[Result]] = deque()
    failure: Exception | None = None
    source = iter(items)
    with ThreadPoolExecutor(workers, thread_name_prefix="maskcheck") as pool:
        try:
            while failure is None:
                try:
                    item = next(source)
                except StopIteration:
                    break
                except Exception as error:
                    failure = error
                else:
                    pending.append(pool.submit(function, item))
                    if len(pending) >= ahead:
                        yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for one in pending:
                one.cancel()
    if failure is not None:
        raise failure
