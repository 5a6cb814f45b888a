"""The address of an MQTT broker: ``mqtt://user:password@host:1883/prefix``."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import unquote, urlsplit

from maskcheck.texts import shortened

PASSWORD_VARIABLE = "MASKCHECK_MQTT_PASSWORD"
"""Environment variable whose value a program may give as the password, so that no list of processes shows it."""

_FORM = "mqtt://USER@HOST:PORT/PREFIX, or mqtts:// for TLS; user, port and prefix may be left out"
_DEFAULT_PREFIX = "maskcheck"
_PORTS = {"mqtt": 1883, "mqtts": 8883}


@dataclass(frozen=True)
class MQTTAddress:
    """Where a broker is. As text, it has no password.

    Attributes:
        host: Name or IP address.
        port: Port.
        prefix: First levels of all topics.
        user: Name to log in with; None for none.
        password: Password to log in with; None for none.
        tls: Whether the connection is encrypted.
    """

    host: str
    port: int = 1883
    prefix: str = _DEFAULT_PREFIX
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False

    @classmethod
    def parse(cls, text: str, *, password: str | None = None) -> Self:
        """The address in a text: ``mqtt://user:password@host:1883/prefix``, or ``mqtts://`` for TLS.

        Args:
            text: Characters with a meaning in addresses, such as ``/`` in a password, are written as ``%2F``.
            password: Used where the text has a user and no password; see :data:`PASSWORD_VARIABLE`.

        Raises:
            ValueError: It is no such address. The message has no password.
        """
        shown = shortened(_shown(text))
        try:
            parts = urlsplit(text)
            port, host = parts.port, parts.hostname
            (host or "").encode("idna")
        except ValueError:  # of a port that is no number; its own message may have a part of the password
            parts, port, host = None, None, None
        if parts is None or parts.scheme not in _PORTS or not host or port == 0 or parts.query or parts.fragment:
            raise ValueError(
                f"MQTT broker: expected {_FORM}; got {shown!r}. Write /, ?, #, @ and : of a password as %2F, %3F, %23,"
                f" %40 and %3A, or set {PASSWORD_VARIABLE}"
            )
        prefix = unquote(parts.path).strip("/") or _DEFAULT_PREFIX
        if re.search(r"[+#@\x00-\x20\ud800-\udfff]", prefix) or "//" in prefix or len(prefix.encode()) > 200:
            raise ValueError(
                f"MQTT broker: expected a prefix of topics without +, #, @ and spaces; got {shown!r}. Write / of a"
                f" password as %2F, or set {PASSWORD_VARIABLE}"
            )
        user = None if parts.username is None else unquote(parts.username)
        written = None if parts.password is None else unquote(parts.password)
        return cls(
            host=host,
            port=port or _PORTS[parts.scheme],
            prefix=prefix,
            user=user or None,
            password=(password if written is None else written) if user else None,
            tls=parts.scheme == "mqtts",
        )

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        user = "" if self.user is None else f"{self.user}@"
        return f"{'mqtts' if self.tls else 'mqtt'}://{user}{host}:{self.port}/{self.prefix}"


def _shown(text: str) -> str:
    """The text without all that may be a user or a password, also where slashes are in it."""
    scheme, separator, rest = text.rpartition("://")
    return text if "@" not in text else f"{scheme}{separator}***@{rest.rpartition('@')[2]}"
