"""Who may use the service."""

from __future__ import annotations

import hmac
from collections.abc import Iterable


class Tokens:
    """The tokens of callers, compared in a time that says nothing about them.

    Args:
        tokens: With none, everybody is allowed.
    """

    def __init__(self, tokens: Iterable[str]) -> None:
        self._tokens = [token.encode() for token in tokens]

    def allow(self, token: str | None) -> bool:
        """Whether a caller with this token may use the service."""
        if not self._tokens:
            return True
        given = (token or "").encode(errors="surrogateescape")
        # All are compared, so that the time does not say which one it is.
        return sum(hmac.compare_digest(given, known) for known in self._tokens) > 0
