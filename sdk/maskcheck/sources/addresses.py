"""Removes passwords and tokens from the addresses of streams, before they are shown."""

from __future__ import annotations

import re

_HIDDEN = "***"
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s'\"<>]+")
_SECRET_VALUE = re.compile(
    r"(?i)([?&;/]?\b[\w.-]*(?:pass|pwd|token|secret|key|auth|sig|credential)[\w.-]*=)[^&;#\s'\"]*"
)


def shown_address(address: str) -> str:
    """An address that is safe to print, log and write: ``rtsp://admin:***@host/stream``.

    Args:
        address: An address with a scheme, such as ``rtsp://admin:secret@host/stream?token=abc``. Anything else is a
            path and is returned unchanged.
    """
    scheme, separator, rest = address.partition("://")
    if not separator:
        return address
    before_query, mark, query = _partition_query(rest)
    authority = before_query.partition("/")[0]
    # A password may contain @ and, against the rules, a slash. A number after the colon is a port.
    if "@" in authority or ("@" in before_query and not re.fullmatch(r"(\[[^]]*\]|[^:]*)(:[0-9]*)?", authority)):
        login, _, host = before_query.rpartition("@")
        user, colon, _ = login.partition(":")
        before_query = f"{user}{colon}{_HIDDEN if colon else ''}@{host}"
    return f"{scheme}{separator}" + _SECRET_VALUE.sub(rf"\g<1>{_HIDDEN}", f"{before_query}{mark}{query}")


def without_secrets(text: str) -> str:
    """A text, such as the message of a library, with passwords and tokens removed from its addresses."""
    return _ADDRESS.sub(lambda match: shown_address(match[0]), text)


def _partition_query(rest: str) -> tuple[str, str, str]:
    for position, character in enumerate(rest):
        if character in "?#" and "@" not in rest[position:]:  # a password may contain ? and # too
            return rest[:position], character, rest[position + 1 :]
    return rest, "", ""
