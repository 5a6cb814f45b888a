from __future__ import annotations

from collections.abc import Sequence

import pytest

pytest.importorskip("mlperf_loadgen", reason="MLPerf's load generator is not built for every system")

from maskcheck_bench.measuring.mlperf_load import STREAMS, Subject, put_under_load


class Counter:
    """Work that notes which samples it was given together."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []

    def __call__(self, numbers: Sequence[int]) -> None:
        self.calls.append(list(numbers))
        sum(range(30_000))  # so that a second holds a countable number of queries


def test_every_scenario_is_judged_by_its_own_metric() -> None:
    work = Counter()

    loads = list(put_under_load(Subject("work", work, 5, 4), seconds=0.2, target_ms=500))

    assert [(load.scenario, load.unit) for load in loads] == [
        ("SingleStream", "ms"),
        ("MultiStream", "ms"),
        ("Offline", "samples/s"),
        ("Server", "samples/s"),
    ]
    single, multi, offline, server = loads
    assert 0 < (single.value or 0) < (multi.value or 0)  # eight samples in batches of four: two waits
    assert (offline.value or 0) > (server.value or 0) > 0
    assert single.value == single.latencies_ms["90.00"]
    assert multi.value == multi.latencies_ms["99.00"]
    assert not any(load.by_the_rules for load in loads)
    assert {len(call) for call in work.calls} >= {1, 4}
    assert max(map(len, work.calls)) == 4
    assert {number for call in work.calls for number in call} == set(range(5))
    assert STREAMS == 8


def test_a_target_that_no_rate_meets_is_said() -> None:
    *_, server = put_under_load(Subject("work", Counter(), 5, 4), seconds=0.1, target_ms=1e-4)

    assert server.value is None
    assert server.latencies_ms["99.00"] > 1e-4


def test_work_that_fails_under_load_raises_what_it_raised() -> None:
    calls = 0

    def fail(_numbers: Sequence[int]) -> None:
        nonlocal calls
        calls += 1
        if calls > 5:
            raise OSError("the device is gone")

    with pytest.raises(OSError, match="the device is gone"):
        list(put_under_load(Subject("work", fail, 5, 4), seconds=0.1, target_ms=100))
