"""Where the sessions of all stages run: device, providers and threads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from maskcheck.runtime.providers import Provider, check_device
from maskcheck.texts import shortened

MOST_THREADS = 512
"""Most threads of a session. It starts them all at once, which takes seconds for hundreds of threads."""


@dataclass(frozen=True)
class SessionConfig:
    """Device, execution providers and threads of a session. The host gives the same to every stage.

    Attributes:
        device: ``auto`` (CUDA if it is active, else CPU), ``cpu``, ``cuda`` or ``cuda:N``.
        providers: ONNX Runtime execution providers in order of preference, instead of `device`.
        threads: Threads of each session, at most 512; by default, the CPUs that the process may use.

    Raises:
        ValueError: An unknown device, a text instead of a list of providers, or a number of threads out of range.
    """

    device: str = "auto"
    providers: Sequence[Provider] | None = None
    threads: int | None = None

    def __post_init__(self) -> None:
        check_device(self.device)
        if isinstance(self.providers, str):
            raise ValueError(f"providers: expected a list of names, got the text {self.providers!r}")
        if self.providers is not None:
            object.__setattr__(self, "providers", tuple(self.providers))
        if self.threads is not None and self.threads < 1:
            raise ValueError(f"threads: expected 1 or more, or None for the default, got {shortened(self.threads)}")
        if self.threads is not None and self.threads > MOST_THREADS:
            raise ValueError(
                f"threads: expected at most {MOST_THREADS}, got {shortened(self.threads)};"
                " a session starts them all at once, and more threads than CPUs make it slower"
            )
