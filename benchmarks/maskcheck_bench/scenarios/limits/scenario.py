"""What is measured of the limits."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

from maskcheck import MaskPipeline
from maskcheck.runtime.providers import CPU
from maskcheck_bench.measuring.outcome import Effort, Outcome, Scenario


def measure_limits(pipeline: MaskPipeline, _pictures: Sequence[str], effort: Effort) -> Outcome:
    """Measure the machine's peaks with the classifier's threads, and count what the classifier asks of it."""
    classifier = pipeline.classifier
    if find_spec("onnx") is None:
        return Outcome(skipped='the model\'s graph is read by onnx, which is not installed: pip install "onnx>=1.17"')
    if classifier.providers[0] != CPU:
        return Outcome(
            skipped=f"limits are measured of CPUs only, and the classifier runs on {classifier.providers[0]}"
        )

    import onnx  # here: it loads slowly, and only this scenario needs it

    from maskcheck_bench.scenarios.limits.graph import graph_cost
    from maskcheck_bench.scenarios.limits.peaks import find_limits, measure_peaks

    timings = measure_peaks(classifier.threads, effort)
    cost = graph_cost(onnx.load(classifier.path))
    limits = find_limits(timings, cost, precision=classifier.info.precision, threads=classifier.threads)
    return Outcome(timings, limits.to_facts())


LIMITS: dict[str, Scenario] = {"limits": measure_limits}
