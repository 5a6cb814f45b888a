import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from maskcheck.engine.ahead import map_ahead, stuck_threads

PATIENCE = 30  # seconds after which something that must happen has not


def double(number: int) -> int:
    return 2 * number


def taken(numbers: list[int], upto: int) -> Iterator[int]:
    """Numbers, noting which were asked for."""
    for number in range(upto):
        numbers.append(number)
        yield number


def threads() -> int:
    return sum(thread.name.startswith("maskcheck") for thread in threading.enumerate())


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("ahead", [1, 2, 50])
def test_results_come_in_the_order_of_the_items(workers: int, ahead: int) -> None:
    assert list(map_ahead(double, range(20), workers=workers, ahead=ahead)) == list(range(0, 40, 2))


def test_the_second_item_is_worked_on_while_the_first_is_not_done() -> None:
    together = threading.Barrier(2, timeout=PATIENCE)

    def meet(number: int) -> int:
        together.wait()
        return number

    assert list(map_ahead(meet, range(4), workers=2, ahead=2)) == [0, 1, 2, 3]


def test_never_more_items_are_taken_than_allowed() -> None:
    numbers: list[int] = []
    results = map_ahead(double, taken(numbers, 100), workers=2, ahead=3)

    for _ in range(10):
        next(results)
    results.close()

    assert numbers == list(range(12))


def test_with_one_ahead_each_result_is_used_before_the_next_item_is_taken() -> None:
    numbers: list[int] = []

    for result in map_ahead(double, taken(numbers, 5), workers=2, ahead=1):
        assert numbers[-1] == result / 2


def test_closing_it_ends_its_threads_and_takes_nothing_more() -> None:
    numbers: list[int] = []
    results = map_ahead(double, taken(numbers, 100), workers=2, ahead=10)

    next(results)
    results.close()

    assert len(numbers) == 10
    assert threads() == 0


def test_what_came_before_a_failing_source_is_given_first() -> None:
    def camera() -> Iterator[int]:
        yield from range(3)
        raise OSError("unplugged")

    results: list[int] = []
    with pytest.raises(OSError, match="unplugged"):
        results.extend(map_ahead(double, camera(), workers=2, ahead=10))
    assert results == [0, 2, 4]
    assert threads() == 0


def test_a_failing_item_raises_in_its_place() -> None:
    def half(number: int) -> float:
        return 1 / (number - 2)

    results: list[float] = []
    with pytest.raises(ZeroDivisionError):
        results.extend(map_ahead(half, range(5), workers=2, ahead=4))
    assert results == [-0.5, -1.0]
    assert threads() == 0


def test_an_item_that_takes_too_long_is_replaced_in_its_place_and_its_thread_too() -> None:
    release = threading.Event()

    def hang(number: int) -> int:
        if number in {1, 2}:
            release.wait(PATIENCE)
        return number

    results = list(map_ahead(hang, range(6), workers=2, ahead=4, timeout=0.2, late=lambda number: -number))
    stuck = stuck_threads()
    release.set()

    assert results == [0, -1, -2, 3, 4, 5]
    assert len(stuck) == 2
    for thread in stuck:
        thread.join(PATIENCE)
    assert stuck_threads() == ()


def test_an_item_that_takes_too_long_raises_where_nothing_stands_for_it() -> None:
    release = threading.Event()

    with pytest.raises(TimeoutError):
        list(map_ahead(lambda _: release.wait(PATIENCE), range(1), workers=1, ahead=1, timeout=0.1))
    release.set()


def test_whatever_a_source_raises_comes_after_what_it_gave() -> None:
    def camera() -> Iterator[int]:
        yield from range(3)
        raise SystemExit(4)

    results: list[int] = []
    with pytest.raises(SystemExit):
        results.extend(map_ahead(double, camera(), workers=2, ahead=10))
    assert results == [0, 2, 4]


def test_ctrl_c_at_any_line_ends_it_and_leaves_nothing_locked() -> None:
    program = """
import sys, threading
from maskcheck.engine import ahead
ahead.GRACE, ahead._POLL = 0.02, 0.005

def interrupted_at(wanted):
    events, release, begun = 0, threading.Event(), threading.Event()

    def work(number):
        if number == 2:
            begun.set()
            release.wait(30)
        return number

    def trace(frame, event, _):
        nonlocal events
        if not frame.f_code.co_filename.endswith(("threading.py", "ahead.py")) or frame.f_code.co_name == "close":
            return None
        if event != "call" and begun.is_set():
            events += 1
            if events == wanted:
                sys.settrace(None)
                raise KeyboardInterrupt
        return trace

    results = ahead.map_ahead(work, range(4), workers=2, ahead=3)
    sys.settrace(trace)
    try:
        list(results)
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(None)
        release.set()
    return False

print([wanted for wanted in range(1, 30) if not interrupted_at(wanted)])
"""

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=PATIENCE, check=False
    )

    assert (done.stdout, done.stderr) == ("[]\n", "")


@pytest.mark.parametrize("work", ["release.wait", "time.sleep"], ids=["stuck until the end", "busy"])
def test_a_program_that_leaves_an_iterator_open_ends_with_its_own_status(work: str) -> None:
    program = f"""
import sys, threading, time
from maskcheck.engine import ahead
ahead._LAST_GRACE = 0.3
release = threading.Event()
def work(number):
    if number > 1:
        {work}({PATIENCE})

results = ahead.map_ahead(work, range(9), workers=2, ahead=3)
next(results)
sys.exit(3)
"""

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=PATIENCE, check=False
    )

    assert (done.returncode, done.stderr) == (3, "")
