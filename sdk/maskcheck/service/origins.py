"""Which web pages may use the service.

A page from anywhere can make a browser send requests to an address on the same computer or in the same network. So a
request that a browser sends for another page is refused, unless that page is allowed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit


def allows_origin(headers: Mapping[str, str], allowed: Sequence[str]) -> bool:
    """Whether a request comes from a page of the service itself, from an allowed one, or from no page at all.

    Args:
        headers: Of the request.
        allowed: Origins, such as ``https://example.org``; ``*`` for all.
    """
    origin = headers.get("origin")
    if origin is None or "*" in allowed or origin in allowed:
        return True
    return urlsplit(origin).netloc.lower() == headers.get("host", "").lower() != ""
