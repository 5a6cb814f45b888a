"""What detectors that run a network have in common: their options, their session, and what they say of it."""

from __future__ import annotations

from collections.abc import Iterable

from maskcheck.runtime.config import MOST_THREADS, SessionConfig
from maskcheck.runtime.providers import CPU, check_device
from maskcheck.runtime.session import OnnxSession
from maskcheck.stages import StageDescription, StageOption

_BATCH = 8


def network_options(presets: Iterable[str], default: str) -> tuple[StageOption, ...]:
    """The options ``preset``, ``scale``, ``device`` and ``threads``, alike for all networks.

    The factory gives the last two to :func:`chosen_session`.

    Args:
        presets: Names of the presets.
        default: The preset that is taken by default.
    """
    return (
        StageOption("preset", str, default, "speed or thoroughness", choices=tuple(presets)),
        StageOption(
            "scale",
            float,
            None,
            "look once, at this scale: 1 as it is, 2 doubled; a large picture less so [default: the preset's scales]",
            minimum=0.1,
            maximum=8,
        ),
        StageOption("device", str, None, "auto, cpu, cuda or cuda:N [default: the pipeline's]", check=check_device),
        StageOption("threads", int, None, "threads [default: the pipeline's]", minimum=1, maximum=MOST_THREADS),
    )


def chosen_session(session: SessionConfig, *, device: str | None = None, threads: int | None = None) -> SessionConfig:
    """The pipeline's device, providers and threads, but for what the user chooses for a detector.

    Args:
        session: The pipeline's.
        device: The option of the detector; None for the pipeline's device and providers.
        threads: The option of the detector; None for the pipeline's.

    Raises:
        ValueError: Another device, or a number of threads out of its range.
    """
    threads = session.threads if threads is None else threads
    if device is None:
        return SessionConfig(session.device, session.providers, threads)
    return SessionConfig(device, threads=threads)


def check_preset(preset: str, presets: Iterable[str]) -> None:
    """Raise a ValueError that names the presets, unless `preset` is one of them."""
    if preset not in (names := tuple(presets)):
        raise ValueError(f"preset: expected one of {', '.join(names)}, got {preset!r}")


def describe_session(session: OnnxSession, *, precision: str | None = None) -> StageDescription:
    """What a session runs, and on what; loads the model.

    Args:
        session: The session.
        precision: Arithmetic that its model runs in, such as ``float32``.

    Raises:
        ModelError, RuntimeUnavailable: The model cannot be loaded.
    """
    return StageDescription(
        model=session.path.name,
        model_sha256=session.sha256,
        providers=session.active_providers,
        threads=session.thread_count,
        precision=precision,
    )


def faster_batch_size(session: OnnxSession) -> int:
    """How many pictures a network should get at once: 1 on the CPU, where a batch is no faster, and else 8.

    Loads the model.

    Raises:
        ModelError, RuntimeUnavailable: The model cannot be loaded.
    """
    return 1 if session.active_providers[0] == CPU else _BATCH
