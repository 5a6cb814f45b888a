"""Two reports compared: which times differ by more than the noise."""

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
class Comparison:
    """One thing that both reports time.

    Attributes:
        name: What it is.
        before: Milliseconds of the median round in the first report: geometric mean of its processes.
        after: In the second.
        ratio: ``after / before``; 2 is twice as slow.
        low: Lower end of the 95 % confidence interval of the ratio.
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
        """Surely slower, by more than the tolerance."""
        return self.low > 1 + self.tolerance

    @property
    def faster(self) -> bool:
        """Surely faster, by more than the tolerance."""
        return self.high < 1 / (1 + self.tolerance)


def check_comparable(before: Report, after: Report) -> None:
    """Check that two reports are of the same work on the same machine.

    Raises:
        ReportError: They are not; the message says in what they differ.
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
            " Run both on one machine with one model, or compare them all the same with --force"
        )


def compare(before: Report, after: Report, *, tolerance: float) -> list[Comparison]:
    """Compare the times of what both reports hold.

    Welch's t-test on the logarithms of the processes' medians: rounds of one process share its luck with memory and
    caches, so that only processes count as repetitions (Kalibera and Jones, "Rigorous benchmarking in reasonable time",
    2013). Timings of a single process are left out: their noise cannot be told.

    Args:
        before: The first report.
        after: The second.
        tolerance: Change that does not count, as a share: 0.02 for 2 %.

    Raises:
        ReportError: They have nothing in common of which each has several processes.
    """
    others = {one.key: one for one in after.timings}
    pairs = [(one, others[one.key]) for one in before.timings if one.key in others]
    if not pairs:
        raise ReportError("the reports time nothing in common")
    repeated = [pair for pair in pairs if min(len(one.processes) for one in pair) >= _LEAST_PROCESSES]
    if not repeated:
        raise ReportError(
            f"expected timings of {_LEAST_PROCESSES} processes or more in each report, got none: the noise cannot be"
            " told; run again with --processes 5, say"
        )
    return [_compare(one, other, tolerance) for one, other in repeated]


def _compare(before: Timing, after: Timing, tolerance: float) -> Comparison:
    from scipy.stats import ttest_ind

    first, second = np.log(before.medians), np.log(after.medians)
    difference = float(second.mean() - first.mean())
    if first.std() == second.std() == 0:
        low = high = difference
    else:
        interval = ttest_ind(second, first, equal_var=False).confidence_interval(_CONFIDENCE)
        low, high = float(interval.low), float(interval.high)
    return Comparison(
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
