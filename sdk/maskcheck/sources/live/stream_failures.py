"""Why a stream cannot be read, in words, without the password that FFmpeg's own message repeats."""

from __future__ import annotations

import errno
import socket
from urllib.parse import urlsplit

from maskcheck.sources.live.connection import ConnectionFailure, Hope


def failure_of(error: Exception, *, timed_out: str, broken: str) -> ConnectionFailure:
    """The failure that an error of PyAV means.

    Args:
        error: What PyAV raised.
        timed_out: What a time-out means at this point.
        broken: What an input or output error means at this point.
    """
    from av import error as av_errors

    text = str(getattr(error, "strerror", None) or type(error).__name__)
    table: tuple[tuple[type[Exception], str, Hope], ...] = (
        (
            av_errors.HTTPUnauthorizedError,
            "it wants a user name and password, or refuses those in the address (401)",
            Hope.LOGIN_REFUSED,
        ),
        (av_errors.HTTPForbiddenError, "it refuses access (403)", Hope.LOGIN_REFUSED),
        (av_errors.HTTPNotFoundError, "there is no stream at this path (404)", Hope.AFTER_CORRECTION),
        (av_errors.HTTPClientError, f"the server refuses the request ({text})", Hope.AFTER_CORRECTION),
        (av_errors.HTTPServerError, "the server has an error (5xx)", Hope.SOON),
        (av_errors.ProtocolNotFoundError, "this build of PyAV cannot read such an address", Hope.NEVER),
        (av_errors.DemuxerNotFoundError, "this build of PyAV cannot read such a stream", Hope.NEVER),
        (av_errors.DecoderNotFoundError, "this build of PyAV cannot decode its video", Hope.NEVER),
        (av_errors.ExitError, timed_out, Hope.SOON),
        (av_errors.EOFError, "the server closed the connection", Hope.SOON),
        (av_errors.InvalidDataError, broken, Hope.SOON),
        # InvalidDataError, above, is a ValueError too.
        (ValueError, "the address, or an option, is not valid", Hope.AFTER_CORRECTION),
        (TimeoutError, timed_out, Hope.SOON),
        (ConnectionRefusedError, "connection refused: nothing listens at that address and port", Hope.SOON),
        (ConnectionResetError, "the server broke the connection", Hope.SOON),
        (BrokenPipeError, "the server broke the connection", Hope.SOON),
    )
    for kind, reason, hope in table:
        if isinstance(error, kind):
            return ConnectionFailure(reason, hope)
    if getattr(error, "errno", None) == errno.EIO:
        return ConnectionFailure(broken, Hope.SOON)
    return ConnectionFailure(text, Hope.SOON)


def check_host_name(address: str) -> None:
    """Raise the failure that FFmpeg's input or output error means if the name of the host is unknown."""
    try:
        host = urlsplit(address).hostname
        socket.getaddrinfo(host, None)
    except socket.gaierror as error:
        unknown = error.errno == socket.EAI_NONAME
        raise ConnectionFailure(
            f"there is no host of the name {host}" if unknown else f"the name {host} cannot be looked up now",
            Hope.AFTER_CORRECTION if unknown else Hope.SOON,
        ) from None
    except (OSError, ValueError):  # not a matter of the name
        pass
