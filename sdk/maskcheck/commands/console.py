"""Printing: text from outside is made harmless first."""

from __future__ import annotations

import re
import sys
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_WIDTH_WITHOUT_WINDOW = 160  # characters

# C0, DEL and C1 (a terminal obeys them), line and paragraph separators (a program that splits lines does), marks of
# bidirectional text (they show one name as another) and lone surrogates (no encoding writes them).
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


def printable(text: str, *, keep: str = "") -> str:
    r"""Text from outside (a name, a licence, a message) without characters that a terminal obeys.

    Control characters, marks of bidirectional text and lone surrogates become escapes such as ``\x1b`` and ``\u202e``;
    a byte of a name that is not UTF-8 becomes an escape such as ``\xe9``.

    Args:
        text: Any text.
        keep: Characters that stay, such as a line break.
    """
    return _UNPRINTABLE.sub(lambda match: match[0] if match[0] in keep else _escape(match[0]), text)


def _escape(character: str) -> str:
    if "\udc80" <= character <= "\udcff":  # how Python keeps a byte that it cannot decode
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def plain(text: str, style: str = "") -> Text:
    r"""Text from outside for a rich table: :func:`printable`, and not read as markup or emoji codes.

    Not ``rich.markup.escape``, which loses the backslash of ``C:\[2020]``.

    Args:
        text: Any text.
        style: A rich style, such as ``red``.
    """
    from rich.text import Text

    return Text(printable(text), style)


def is_terminal(stream: IO[str] | None) -> bool:
    """Whether a standard stream exists (a windowed program has none), is open and is a terminal."""
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # closed
        return False


def console(*, stderr: bool = False) -> Console:
    """A console on standard output or standard error, as wide as its window; without emoji codes."""
    from rich.console import Console

    terminal = is_terminal(sys.stderr if stderr else sys.stdout)
    return Console(stderr=stderr, width=None if terminal else _WIDTH_WITHOUT_WINDOW, emoji=False, highlight=False)
