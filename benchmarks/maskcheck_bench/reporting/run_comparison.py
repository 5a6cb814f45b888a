"""Compares two reports: which times differ by more than the noise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from maskcheck_bench.measuring.timing import Timing
from maskcheck_bench.reporting.run_report import Report, ReportError

_LEAST_PROCESSES = 2
_CONFIDENCE = 0.95
_SAME_MACHINE = ("system", "cpu", "cpu_features", "usable_cpus", "cpu_quota", "memory_gib")
_SAME_WORK = ("detector", "detector_options", "min_score", "tile", "model_sha256", "providers", "threads", "precision")


@dataclass(frozen=True)
class TimingComparison:
    """A timing that both reports have.

    Attributes:
        name: Group and name.
        before: Milliseconds of the median round in the first report: geometric mean over its processes.
        after: The same in the second report.
        ratio: ``after / before``; 2 is twice as slow.
        low: Lower end of the ratio's 95 % confidence interval.
        high: Its upper end.
        tolerance: Change that does not count, as a share.
    """

    name: str
    before: float
    after: float
    ratio: float
    low: float
    high: float
    tolerance: float

    @property
    def slower(self) -> bool:
        """Whether the whole interval is slower than the tolerance allows."""
        return self.low > 1 + self.tolerance

    @property
    def faster(self) -> bool:
        """Whether the whole interval is faster than the tolerance allows."""
        return self.high < 1 / (1 + self.tolerance)


def check_comparable(before: Report, after: Report) -> None:
    """Check that two reports measure the same work on the same machine.

    Raises:
        ReportError: They do not; the message names the differences.
    """
    differences = [
        *_differences("machine", before.machine, after.machine, _SAME_MACHINE),
        *_differences("receipt", before.receipt, after.receipt, _SAME_WORK),
        *_differences(
            "pipeline", before.facts.get("pipeline", {}), after.facts.get("pipeline", {}), ("pictures", "faces")
        ),
    ]
    if differences:
        raise ReportError(
            f"the reports are of different machines or work: {'; '.join(differences)}."
            " Run both on the same machine with the same model, or compare them anyway with --force"
        )


def compare_reports(before: Report, after: Report, *, tolerance: float) -> list[TimingComparison]:
    """Compare the timings that both reports have.

    Welch's t-test on the logarithms of the processes' medians. All rounds of a process share its layout of memory and
    caches, so only processes count as repetitions (Kalibera and Jones, "Rigorous benchmarking in reasonable time",
    2013). Timings of a single process are left out: they do not show how large the noise is.

    Args:
        before: The first report.
        after: The second.
        tolerance: Change that does not count, as a share: 0.02 for 2 %.

    Raises:
        ReportError: No timing has several processes in both reports.
    """
    later = {timing.key: timing for timing in after.timings}
    pairs = [(timing, later[timing.key]) for timing in before.timings if timing.key in later]
    if not pairs:
        raise ReportError("the reports have no timing in common: run the same scenarios in both")
    repeated = [pair for pair in pairs if min(len(timing.processes) for timing in pair) >= _LEAST_PROCESSES]
    if not repeated:
        raise ReportError(
            f"expected timings of {_LEAST_PROCESSES} processes or more in each report, got none, so the"
            " noise is unknown; run again with more processes, such as --processes 5"
        )
    return [_compare(first, second, tolerance) for first, second in repeated]


def _compare(before: Timing, after: Timing, tolerance: float) -> TimingComparison:
    from scipy.stats import ttest_ind

    first, second = np.log(before.medians), np.log(after.medians)
    difference = float(second.mean() - first.mean())
    if first.std() == second.std() == 0:
        low = high = difference
    else:
        interval = ttest_ind(second, first, equal_var=False).confidence_interval(_CONFIDENCE)
        low, high = float(interval.low), float(interval.high)
    return TimingComparison(
        name=f"{before.group}: {before.name}" if before.group else before.name,
        before=float(np.exp(first.mean())),
        after=float(np.exp(second.mean())),
        ratio=float(np.exp(difference)),
        low=float(np.exp(low)),
        high=float(np.exp(high)),
        tolerance=tolerance,
    )


def _differences(
    what: str, before: Mapping[str, Any], after: Mapping[str, Any], keys: tuple[str, ...]
) -> Iterator[str]:
    for key in keys:
        if before.get(key) != after.get(key):
            yield f"{what}: {key} is {before.get(key)!r} and {after.get(key)!r}"
