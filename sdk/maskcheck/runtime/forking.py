"""What a forked child must not take over: its parent's threads do not exist there."""

from __future__ import annotations

import os
import weakref
from typing import Any, Protocol


class Renewable(Protocol):
    """An object with locks, or with things of threads."""

    def renew(self) -> Any:
        """Make the locks anew and let the rest go; what is returned is never destroyed."""


_renewed: weakref.WeakSet[Any] = weakref.WeakSet()
_inherited: list[Any] = []


def renew_after_fork(one: Renewable) -> None:
    """Have ``one.renew()`` called in every forked child.

    Another thread may have held a lock when the process was forked; in the child, nobody would ever release it. An
    inherited session of ONNX Runtime must not even be destroyed: it would wait for threads that are not there.
    """
    _renewed.add(one)


def _renew_all() -> None:
    _inherited.extend(one.renew() for one in list(_renewed))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_all)
