"""What a live source does at the moment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Phase = Literal["connecting", "connected", "lost", "retrying", "ended"]


@dataclass(frozen=True)
class LiveState:
    """What a live source does at the moment. As text, it is a line that a person can read.

    Attributes:
        source: The source as it is shown, without a password.
        phase: ``connecting``: an attempt begins. ``connected``: its first picture is there. ``lost``: no more pictures
            come. ``retrying``: the next attempt begins in `retry_in` seconds. ``ended``: there are no more attempts.
        reason: Why it is lost, retrying or ended, without a password; empty if it was closed, or all is well.
        retry_in: Seconds until the next attempt; 0 in other phases.
    """

    source: str
    phase: Phase
    reason: str = ""
    retry_in: float = 0.0

    def __str__(self) -> str:
        what = f"next attempt in {self.retry_in:.1f} s" if self.phase == "retrying" else self.phase
        return f"{self.source}: {what}" + (f" ({self.reason})" if self.reason else "")
