"""The interval of a share, such as an accuracy or a recall."""

from __future__ import annotations


def wilson_interval(right: int, of: int) -> tuple[float, float] | None:
    """The 95% confidence interval of a share (Wilson 1927), which suits few faces too; None of nothing.

    It treats faces as independent. Faces of one picture are not quite independent, so the true interval is a little
    wider.
    """
    from scipy.stats import binomtest

    if not of:
        return None
    bounds = binomtest(right, of).proportion_ci(method="wilson")
    return float(bounds.low), float(bounds.high)
