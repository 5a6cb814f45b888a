"""The scenario that measures the limits."""

from __future__ import annotations

from collections.abc import Sequence

from maskcheck import MaskPipeline
from maskcheck.runtime.providers import CPU
from maskcheck_bench.measuring.effort import Effort
from maskcheck_bench.measuring.mask_classifier import mask_classifier
from maskcheck_bench.measuring.outcome import Outcome, describe_missing


def measure_limits(pipeline: MaskPipeline, _pictures: Sequence[str], effort: Effort) -> Outcome:
    """Measure the machine's peaks with the classifier's threads, and count the classifier's operations and bytes."""
    classifier = mask_classifier(pipeline)
    missing = describe_missing({"onnx": "onnx"})
    if missing:
        return Outcome(skipped=missing)
    if classifier.providers[0] != CPU:
        return Outcome(skipped=f"limits are measured on CPUs only; the classifier runs on {classifier.providers[0]}")

    import onnx  # slow to import, and only this scenario needs it

    from maskcheck_bench.scenarios.limits.graph_cost import graph_cost
    from maskcheck_bench.scenarios.limits.peaks import find_limits, measure_peaks

    timings = measure_peaks(classifier.threads, effort)
    cost = graph_cost(onnx.load(classifier.path))
    limits = find_limits(timings, cost, precision=classifier.info.precision, threads=classifier.threads)
    return Outcome(timings, limits.to_facts())
