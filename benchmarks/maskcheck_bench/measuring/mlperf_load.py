"""The scenarios of MLPerf Inference, issued and measured by its own load generator.

Reddi et al., "MLPerf Inference Benchmark", 2020 (arXiv:1911.02549), section 3; the generator and its rules:
https://github.com/mlcommons/inference. Runs here are shorter than the rules ask for, and the report says so.
"""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any, TypeAlias

import mlperf_loadgen as loadgen

from maskcheck_bench.log import LOGGER
from maskcheck_bench.measuring.outcome import LoadResult

STREAMS = 8
"""Samples in a query of MultiStream."""

RULES_SECONDS = 600
"""Shortest run that the rules allow."""

_SEARCH_STEPS = 6  # of the search for the server's rate
_SLOWEST = 0.05  # lowest rate of the server that is tried, as a share of the offline throughput
_NANOSECONDS = 1e6  # in a millisecond

_Log: TypeAlias = dict[str, Any]  # what the generator wrote about a run


@dataclass(frozen=True)
class Subject:
    """What is put under load.

    Attributes:
        name: What it is.
        run: Processes the samples with the given numbers together.
        samples: How many samples there are.
        batch_size: Most samples that are processed together.
    """

    name: str
    run: Callable[[Sequence[int]], object]
    samples: int
    batch_size: int


def put_under_load(subject: Subject, *, seconds: float, target_ms: float) -> Iterator[LoadResult]:
    """Run all four scenarios.

    Args:
        subject: What is put under load.
        seconds: Shortest duration of each run.
        target_ms: Latency that 99 % of the server's queries must not exceed.

    Raises:
        Exception: What the subject raised.
    """
    rate = _rough_rate(subject)
    single = _settings("SingleStream", seconds)
    single.single_stream_expected_latency_ns = int(1e9 / rate)
    yield _judge_latency(subject, "SingleStream", "p90 latency", "90.00", _run(subject, single), seconds)

    multi = _settings("MultiStream", seconds)
    multi.multi_stream_samples_per_query = STREAMS
    multi.multi_stream_expected_latency_ns = int(STREAMS * 1e9 / rate)
    yield _judge_latency(subject, "MultiStream", f"p99 latency of {STREAMS}", "99.00", _run(subject, multi), seconds)

    offline = _settings("Offline", seconds)
    offline.offline_expected_qps = rate
    log = _run(subject, offline)
    throughput = float(log["result_samples_per_second"])
    yield _judge_rate(subject, "Offline", "throughput", throughput, log, seconds)
    yield _serve(subject, throughput, seconds, target_ms)


def _serve(subject: Subject, throughput: float, seconds: float, target_ms: float) -> LoadResult:
    """The highest rate of queries, which arrive at random, that keeps the target; by bisection."""
    low, high = throughput * _SLOWEST, throughput
    best: _Log | None = None
    log: _Log = {}
    rate = low
    for _ in range(_SEARCH_STEPS):
        settings = _settings("Server", seconds)
        settings.server_target_qps = rate
        settings.server_target_latency_ns = int(target_ms * _NANOSECONDS)
        log = _run(subject, settings, at_once=False)
        LOGGER.debug("%s: p99 is %.1f ms at %.1f samples/s", subject.name, _latencies(log)["99.00"], rate)
        if _latencies(log)["99.00"] <= target_ms:
            low, best = rate, log
        elif best is None:  # even the lowest rate is too high
            break
        else:
            high = rate
        rate = (low + high) / 2
    metric = f"rate with p99 <= {target_ms:g} ms"
    if best is None:
        return _judge_rate(subject, "Server", metric, None, log, seconds)
    return _judge_rate(subject, "Server", metric, float(best["result_completed_samples_per_sec"]), best, seconds)


def _judge_latency(
    subject: Subject, scenario: str, metric: str, percentile: str, log: _Log, seconds: float
) -> LoadResult:
    latencies = _latencies(log)
    by_the_rules = bool(log["early_stopping_met"]) and seconds >= RULES_SECONDS
    queries = int(log["result_query_count"])
    return LoadResult(
        subject.name, scenario, metric, "ms", latencies[percentile], queries, seconds, latencies, by_the_rules
    )


def _judge_rate(
    subject: Subject, scenario: str, metric: str, rate: float | None, log: _Log, seconds: float
) -> LoadResult:
    latencies = {} if scenario == "Offline" else _latencies(log)
    by_the_rules = rate is not None and log["result_validity"] == "VALID" and seconds >= RULES_SECONDS
    value = None if rate is None else round(rate, 2)
    queries = int(log["result_query_count"])
    return LoadResult(subject.name, scenario, metric, "samples/s", value, queries, seconds, latencies, by_the_rules)


def _rough_rate(subject: Subject) -> float:
    """Samples a second, in batches; the generator needs an estimate before it starts."""
    numbers = [number % subject.samples for number in range(subject.batch_size)]
    subject.run(numbers)
    started = perf_counter()
    subject.run(numbers)
    return len(numbers) / max(perf_counter() - started, 1e-6)


def _settings(scenario: str, seconds: float) -> Any:
    settings = loadgen.TestSettings()
    settings.scenario = getattr(loadgen.TestScenario, scenario)
    settings.mode = loadgen.TestMode.PerformanceOnly
    settings.min_duration_ms = int(seconds * 1000)
    settings.min_query_count = 1
    return settings


def _run(subject: Subject, settings: Any, *, at_once: bool = True) -> _Log:
    """Run one scenario."""
    with TemporaryDirectory(prefix="maskcheck-bench-") as folder, _system(subject, at_once) as system:
        logs = loadgen.LogSettings()
        logs.log_output.outdir = folder
        logs.log_output.copy_summary_to_stdout = False
        logs.enable_trace = False
        library = loadgen.ConstructQSL(subject.samples, subject.samples, lambda _: None, lambda _: None)
        try:
            loadgen.StartTestWithLogSettings(system, library, settings, logs)
        finally:
            loadgen.DestroyQSL(library)
        lines = (Path(folder) / "mlperf_log_detail.txt").read_text(encoding="utf-8").splitlines()
    entries = [json.loads(line.removeprefix(":::MLLOG ")) for line in lines]
    return {entry["key"]: entry["value"] for entry in entries}


@contextmanager
def _system(subject: Subject, at_once: bool) -> Iterator[int]:
    """The subject as the generator's system under test.

    Args:
        subject: The subject.
        at_once: Process a query in the generator's thread; otherwise in a thread of ours, together with all queries
            that wait, up to a batch.
    """
    answers = _Answers(subject)
    waiting: queue.SimpleQueue[list[tuple[int, int]] | None] = queue.SimpleQueue()

    def issue(samples: Sequence[Any]) -> None:
        query = [(sample.id, sample.index) for sample in samples]
        if at_once:
            answers.give(query)
        else:
            waiting.put(query)

    def serve() -> None:
        while (query := waiting.get()) is not None:
            while len(query) < subject.batch_size and not waiting.empty():
                more = waiting.get()
                if more is None:
                    waiting.put(None)
                    break
                query += more
            answers.give(query)

    server = threading.Thread(target=serve, name="maskcheck-bench server")
    server.start()
    system = loadgen.ConstructSUT(issue, lambda: None)
    try:
        yield system
    finally:
        loadgen.DestroySUT(system)
        waiting.put(None)
        server.join()
    if answers.failure is not None:
        raise answers.failure


class _Answers:
    """Processes samples and reports to the generator; an exception in its threads would end the process."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self.failure: Exception | None = None

    def give(self, query: Sequence[tuple[int, int]]) -> None:
        step = self._subject.batch_size
        for start in range(0, len(query), step):
            part = query[start : start + step]
            if self.failure is None:
                try:
                    self._subject.run([index for _, index in part])
                except Exception as error:
                    self.failure = error
            loadgen.QuerySamplesComplete([loadgen.QuerySampleResponse(number, 0, 0) for number, _ in part])


def _latencies(log: _Log) -> dict[str, float]:
    """Milliseconds of a query at each percentile that was measured."""
    per_query = "_percentile_per_query_latency_ns" if "result_50.00_percentile_per_query_latency_ns" in log else None
    suffix = per_query or "_percentile_latency_ns"
    return {
        key.removeprefix("result_").removesuffix(suffix): round(value / _NANOSECONDS, 3)
        for key, value in log.items()
        if key.startswith("result_") and key.endswith(suffix) and key.count("per_query") == suffix.count("per_query")
    }
