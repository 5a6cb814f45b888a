"""Ranges of face sizes in reports: by the shorter side of the box, in pixels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise

EDGES = (8, 12, 24, 48, 96)
"""Pixels at which a class of sizes ends and the next begins."""

MEDIUM_FROM = 12
"""Pixels from which a face shows something of its mask."""

LARGE_FROM = 24
"""Pixels from which a face counts as large: its mask can be recognized."""

ALL, MEDIUM, LARGE = "all", f">= {MEDIUM_FROM} px", f">= {LARGE_FROM} px"

MAIN = (ALL, MEDIUM, LARGE)
"""The ranges whose figures have intervals."""

CLASSES: Mapping[str, tuple[float, float]] = {
    f"< {EDGES[0]} px": (0, EDGES[0]),
    **{f"{low} to {high} px": (low, high) for low, high in pairwise(EDGES)},
    f">= {EDGES[-1]} px": (EDGES[-1], math.inf),
}
"""The classes, from small to large: a face belongs to the class with ``low <= side < high``."""

SIZES: Mapping[str, tuple[float, float]] = {
    ALL: (0, math.inf),
    MEDIUM: (MEDIUM_FROM, math.inf),
    LARGE: (LARGE_FROM, math.inf),
    **CLASSES,
}
"""The ranges that are scored: those of ``MAIN``, and each class."""
