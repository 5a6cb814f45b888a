"""Who may use the service."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Iterable, Sequence
from pathlib import Path

STREAM_PROTOCOL = "maskcheck.v1"
"""The subprotocol of ``/v1/stream``."""

_BEARER_PROTOCOL = "maskcheck.bearer."
"""Begins the subprotocol by which a browser, which can set no header there, sends its token."""


class Tokens:
    """The tokens of callers, compared in a time that says nothing about them.

    Args:
        tokens: With none, everybody is allowed.
    """

    def __init__(self, tokens: Iterable[str]) -> None:
        # A header is bytes; clients write letters beyond ASCII into it in one way or the other.
        self._known = {token.encode(form, "replace") for token in tokens for form in ("utf-8", "latin-1")}

    def allow(self, token: bytes | None) -> bool:
        """Whether a caller with this token may use the service."""
        if not self._known:
            return True
        # All are compared, so that the time does not say which one it is.
        return sum(hmac.compare_digest(token or b"", known) for known in self._known) > 0

    def allow_header(self, authorization: str | None) -> bool:
        """Whether a caller with this header ``Authorization`` may use the service."""
        kind, _, token = (authorization or "").partition(" ")
        return self.allow(token.strip().encode("latin-1", "replace") if kind.lower() == "bearer" else None)

    def allow_protocols(self, subprotocols: Sequence[str]) -> bool:
        """Whether a caller that asks for these subprotocols of a WebSocket may use the service."""
        return self.allow(_token_of(subprotocols))


def _token_of(subprotocols: Sequence[str]) -> bytes | None:
    for name in subprotocols:
        if name.startswith(_BEARER_PROTOCOL):
            encoded = name.removeprefix(_BEARER_PROTOCOL)
            try:
                return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
            except (binascii.Error, ValueError):
                return None
    return None


def read_tokens(file: Path | None, variable: str | None) -> tuple[str, ...]:
    """The tokens of a file and of an environment variable, one in each line.

    Args:
        file: A text file in UTF-8; empty lines and those that begin with ``#`` are passed over.
        variable: The same, as the value of the variable.

    Raises:
        ValueError: There is a file, or a variable, and no token in it.
        OSError: The file cannot be read.
    """
    tokens: list[str] = []
    for name, text in (
        (str(file), None if file is None else file.read_text(encoding="utf-8")),
        ("MASKCHECK_TOKENS", variable),
    ):
        if text is None:
            continue
        lines = [line.strip() for line in text.splitlines()]
        found = [line for line in lines if line and not line.startswith("#")]
        if not found:  # a service that is meant to be guarded must not be open by mistake
            raise ValueError(f"{name}: expected a token in each line, got none")
        tokens += found
    return tuple(tokens)
