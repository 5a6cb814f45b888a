"""The logger of the benchmarks; whoever runs them adds handlers."""

from __future__ import annotations

import logging

LOGGER = logging.getLogger("maskcheck_bench")
