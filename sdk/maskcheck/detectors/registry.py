"""Names that moved to :mod:`maskcheck.hosting`."""

from __future__ import annotations

from maskcheck.hosting.creation import check_options as check_options
from maskcheck.hosting.creation import create_detector as create_detector
from maskcheck.hosting.registry import default_registry as default_registry
