"""Pictures a second and latencies of the service, against a stream and a naive service, turn by turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

from maskcheck import MaskPipeline
from maskcheck_bench.service.clients import OwnProcess, load_at_rate, steady_load
from maskcheck_bench.service.servers import Server, Setup, naive_service, service


def measure_throughput(
    setup: Setup, bodies: Sequence[bytes], *, clients: int, count: int, rounds: int, seed: int
) -> dict[str, Any]:
    """Compare; each round measures all of them, one after the other, after a round that does not count.

    Args:
        setup: Finds and labels the faces.
        bodies: Encoded pictures, sent in turn.
        clients: Clients at once.
        count: Pictures of each measurement.
        rounds: Rounds; the medians are reported.
        seed: Of the times of pictures that come at a rate.

    Returns:
        Pictures a second, milliseconds, and ratios.
    """
    with OwnProcess() as streaming, OwnProcess() as callers, service(setup) as ours, naive_service(setup) as naive:
        measured = _Measured(streaming, callers, ours, naive, bodies, clients, count)
        streaming.call(_make_pipeline, setup)
        measured.turn(seed)  # to warm up
        turns = [measured.turn(seed + number) for number in range(rounds)]
    middle = {name: median(turn[name] for turn in turns) for name in turns[0]}
    return {
        "clients": clients,
        "count": count,
        "medians": middle,
        "ratios": {
            "service / stream, pictures a second": median(turn["service_rate"] / turn["stream_rate"] for turn in turns),
            "service / naive, pictures a second": median(turn["service_rate"] / turn["naive_rate"] for turn in turns),
            "service / naive, p99": median(turn["service_p99"] / turn["naive_p99"] for turn in turns),
            "p99 at half the rate / single request": median(turn["half_p99"] / turn["single"] for turn in turns),
        },
        "rounds": turns,
    }


@dataclass(frozen=True)
class _Measured:
    """What is measured in turns: all run all the time, and each idles while it is not its turn."""

    streaming: OwnProcess
    callers: OwnProcess
    ours: Server
    naive: Server
    bodies: Sequence[bytes]
    clients: int
    count: int

    def turn(self, seed: int) -> dict[str, float]:
        turn = {"stream_rate": self.streaming.call(_stream_rate, self.bodies, self.count)}
        for name, server in (("service", self.ours), ("naive", self.naive)):
            rate, seconds = self.callers.call(steady_load, server.port, self.bodies, self.clients, self.count)
            turn[f"{name}_rate"], turn[f"{name}_p50"] = rate, _milliseconds(seconds, 50)
            turn[f"{name}_p99"] = _milliseconds(seconds, 99)
        _, seconds = self.callers.call(steady_load, self.ours.port, self.bodies, 1, max(20, self.count // 5))
        turn["single"] = _milliseconds(seconds, 50)
        half = turn["service_rate"] / 2
        seconds = self.callers.call(load_at_rate, self.ours.port, self.bodies, half, self.count, seed)
        turn["half_p50"], turn["half_p99"] = _milliseconds(seconds, 50), _milliseconds(seconds, 99)
        return turn


_pipeline: MaskPipeline | None = None  # of the process that streams


def _make_pipeline(setup: Setup) -> None:
    global _pipeline
    _pipeline = setup.pipeline()


def _stream_rate(bodies: Sequence[bytes], count: int) -> float:
    """Pictures a second of :meth:`MaskPipeline.stream`."""
    assert _pipeline is not None
    started = perf_counter()
    for result in _pipeline.stream(bodies[place % len(bodies)] for place in range(count)):
        if result.error is not None:
            raise result.error
    return count / (perf_counter() - started)


def _milliseconds(seconds: Sequence[float], percentile: float) -> float:
    return float(np.percentile(seconds, percentile)) * 1000
