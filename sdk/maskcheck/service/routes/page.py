"""The page at ``/`` and its files below ``/static``: pictures and the camera of whoever opens it, in a browser."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Header, HTTPException, Response

from maskcheck.service.service import Service

_FOLDER = Path(__file__).parents[1] / "page"
# Written out, because Python's own table follows the registry of Windows, where .js may be plain text.
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=(), display-capture=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-cache",  # asked again each time, and answered with 304 while nothing has changed
}


def router(service: Service) -> APIRouter:
    """The routes. The files, about 40 kB, are read now, and no others are ever served.

    The page knows two settings: whether there are tokens, so that it asks for one at once, and how many bytes a picture
    may have, so that it refuses a larger one before it is sent.
    """
    settings = service.settings
    values = {"token": str(bool(settings.tokens)).lower(), "max_bytes": str(settings.max_request_bytes)}
    files = {path.name: _File.read(path) for path in sorted(_FOLDER.iterdir()) if path.suffix in _TYPES}
    index = files.pop("index.html").filled(values)
    routes = APIRouter(include_in_schema=False)

    @routes.api_route("/", methods=["GET", "HEAD"])
    async def page(if_none_match: Annotated[str, Header()] = "") -> Response:
        return index.answer(if_none_match)

    @routes.api_route("/static/{name}", methods=["GET", "HEAD"])
    async def static(name: str, if_none_match: Annotated[str, Header()] = "") -> Response:
        if name not in files:
            raise HTTPException(404, f"the page has no file {name!r}")
        return files[name].answer(if_none_match)

    return routes


@dataclass(frozen=True)
class _File:
    content: bytes
    media_type: str

    @classmethod
    def read(cls, path: Path) -> _File:
        return cls(path.read_bytes(), _TYPES[path.suffix])

    def filled(self, values: dict[str, str]) -> _File:
        """The file with values in place of their names in braces."""
        text = self.content.decode("utf-8")
        for name, value in values.items():
            text = text.replace(f"{{{name}}}", value)
        return _File(text.encode("utf-8"), self.media_type)

    @cached_property
    def _tag(self) -> str:
        return f'"{hashlib.sha256(self.content).hexdigest()[:32]}"'

    def answer(self, if_none_match: str) -> Response:
        headers = {**_HEADERS, "ETag": self._tag}
        # A proxy that compresses may have marked the tag as weak.
        if self._tag in (each.strip().removeprefix("W/") for each in if_none_match.split(",")):
            return Response(status_code=304, headers=headers)
        return Response(self.content, media_type=self.media_type, headers=headers)
