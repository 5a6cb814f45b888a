"""The first steps of a process, each timed.

``python -m maskcheck_bench.scenarios.scaling.first_steps OPTIONS PICTURE`` is that process: it takes the pipeline's
arguments as JSON and prints the milliseconds of each step as JSON.
"""

from __future__ import annotations

import json
import sys
from time import perf_counter

STEPS = ("import", "make the pipeline", "load the model", "first picture", "second picture")


def take_steps(options: str, picture: str) -> dict[str, float]:
    """Milliseconds of each step, in a process that has not imported the SDK yet."""
    moments = [perf_counter()]
    from maskcheck import MaskPipeline

    moments.append(perf_counter())
    pipeline = MaskPipeline(**json.loads(options))
    moments.append(perf_counter())
    pipeline.warm_up()
    moments.append(perf_counter())
    for _ in range(2):
        pipeline(picture)
        moments.append(perf_counter())
    return {step: (end - start) * 1000 for step, start, end in zip(STEPS, moments[:-1], moments[1:], strict=True)}


if __name__ == "__main__":
    print(json.dumps(take_steps(*sys.argv[1:])))
