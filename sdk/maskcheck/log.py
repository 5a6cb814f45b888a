"""The logger of the package. It writes nothing until a program configures it, as ``maskcheck -v`` does."""

from __future__ import annotations

import logging

LOGGER = logging.getLogger("maskcheck")
# Without any handler, Python prints warnings to standard error by itself.
LOGGER.addHandler(logging.NullHandler())
