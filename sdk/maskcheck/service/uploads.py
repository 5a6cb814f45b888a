"""The files of a form, kept in memory: a parser that spools to a disk would store pictures of people there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from maskcheck.service.problems import Problem

FIELD = "file"
"""Name of the parts that hold pictures; others are passed over."""


@dataclass(frozen=True)
class Upload:
    """A file of a form.

    Attributes:
        name: Its name, as the client gave it.
        content: Its bytes.
    """

    name: str | None
    content: bytes


async def read_uploads(chunks: AsyncIterator[bytes], content_type: str, *, most: int) -> list[Upload]:
    """The files of a form, in order.

    Args:
        chunks: The body of the request.
        content_type: Its header ``Content-Type``, ``multipart/form-data`` with a boundary.
        most: Most files.

    Raises:
        Problem: 400, it is no such form; 413, it has more files; 422, it has none.
    """
    _, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if not boundary:
        raise Problem(400, "expected a boundary in the header Content-Type of a form, got none", reason="bad_form")
    form = _Form(most)
    try:
        parser = MultipartParser(
            boundary,
            {
                "on_part_begin": form.begin_part,
                "on_header_field": form.add_header_name,
                "on_header_value": form.add_header_value,
                "on_header_end": form.end_header,
                "on_headers_finished": form.end_headers,
                "on_part_data": form.add_data,
                "on_part_end": form.end_part,
                "on_end": form.end,
            },
        )
        async for chunk in chunks:
            if chunk:
                parser.write(chunk)
        parser.finalize()
    except FormParserError as error:
        raise Problem(400, f"expected a form (multipart/form-data), but {error}", reason="bad_form") from None
    if not form.complete:
        raise Problem(400, "expected a whole form (multipart/form-data), but it ends too early", reason="bad_form")
    if not form.uploads:
        raise Problem(422, f"expected at least one part named `{FIELD}` in the form, got none", reason="bad_form")
    return form.uploads


class _Form:
    """What the parser has seen so far.

    Attributes:
        uploads: The files that are complete.
        complete: Whether the form has come to its end.
    """

    def __init__(self, most: int) -> None:
        self.uploads: list[Upload] = []
        self.complete = False
        self._most = most
        self._header = [b"", b""]
        self._wanted = False
        self._name: str | None = None
        self._content = bytearray()

    def begin_part(self) -> None:
        self._header, self._wanted, self._name, self._content = [b"", b""], False, None, bytearray()

    def add_header_name(self, data: bytes, start: int, end: int) -> None:
        self._header[0] += data[start:end]

    def add_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header[1] += data[start:end]

    def end_header(self) -> None:
        (name, value), self._header = self._header, [b"", b""]
        if name.lower() == b"content-disposition":
            _, options = parse_options_header(value)
            self._wanted = options.get(b"name") == FIELD.encode()
            given = options.get(b"filename")
            self._name = None if given is None else given.decode("utf-8", "replace")

    def end_headers(self) -> None:
        if self._wanted and len(self.uploads) == self._most:
            raise Problem(
                413,
                f"expected at most {self._most} pictures in a request, got more; send fewer at once",
                reason="too_many_pictures",
                headers={"Connection": "close"},  # the rest of the body is not read
            )

    def add_data(self, data: bytes, start: int, end: int) -> None:
        if self._wanted:
            self._content += data[start:end]

    def end_part(self) -> None:
        if self._wanted:
            self.uploads.append(Upload(self._name, bytes(self._content)))
        self._content = bytearray()

    def end(self) -> None:
        self.complete = True
