"""Pictures a second and latencies of the service, against a stream and a naive service, turn by turn."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

from maskcheck import MaskPipeline
from maskcheck_bench.service.clients import in_own_process, load_at_rate, steady_load
from maskcheck_bench.service.servers import Setup, naive_service, service


def measure_throughput(
    setup: Setup, bodies: Sequence[bytes], *, clients: int, count: int, rounds: int, seed: int
) -> dict[str, Any]:
    """Compare; each round measures all of them, one after the other.

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
    turns = [_turn(setup, bodies, clients, count, seed + number) for number in range(rounds)]
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


def _turn(setup: Setup, bodies: Sequence[bytes], clients: int, count: int, seed: int) -> dict[str, float]:
    turn = {"stream_rate": in_own_process(_stream_rate, setup, bodies, count)}
    for name, start in (("service", service), ("naive", naive_service)):
        with start(setup) as server:
            in_own_process(steady_load, server.port, bodies, clients, max(clients, count // 5))  # to warm up
            rate, seconds = in_own_process(steady_load, server.port, bodies, clients, count)
            turn[f"{name}_rate"], turn[f"{name}_p50"] = rate, _milliseconds(seconds, 50)
            turn[f"{name}_p99"] = _milliseconds(seconds, 99)
            if name == "service":
                _, alone = in_own_process(steady_load, server.port, bodies, 1, max(20, count // 5))
                turn["single"] = _milliseconds(alone, 50)
                seconds = in_own_process(load_at_rate, server.port, bodies, rate / 2, count, seed)
                turn["half_p50"], turn["half_p99"] = _milliseconds(seconds, 50), _milliseconds(seconds, 99)
    return turn


def _stream_rate(setup: Setup, bodies: Sequence[bytes], count: int) -> float:
    """Pictures a second of :meth:`MaskPipeline.stream`."""
    pipeline = MaskPipeline(setup.detector, detector_options=setup.options, model=setup.model)

    def run(number: int) -> float:
        started = perf_counter()
        for result in pipeline.stream(bodies[place % len(bodies)] for place in range(number)):
            if result.error is not None:
                raise result.error
        return number / (perf_counter() - started)

    run(max(20, count // 5))
    return run(count)


def _milliseconds(seconds: Sequence[float], percentile: float) -> float:
    return float(np.percentile(seconds, percentile)) * 1000
