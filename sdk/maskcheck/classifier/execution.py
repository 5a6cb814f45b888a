"""How the classifier runs: as the caller asks, or else by the tuned choice of ``maskcheck doctor --tune``.

The tuned choice is used if the caller gives no device, no providers and no precision.
"""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from typing import Any

from maskcheck.classifier.model import find_model, is_embedded
from maskcheck.classifier.tuned_choices import MOST_BATCH_SIZE, TunedChoice, find_choice
from maskcheck.log import LOGGER
from maskcheck.runtime.config import SessionConfig
from maskcheck.runtime.precision import Precision
from maskcheck.runtime.providers import CPU, CUDA
from maskcheck.runtime.session import OnnxSession
from maskcheck.texts import shortened

DEFAULT_BATCH_SIZE = 32

LEAST_MEMORY = 10_000_000
"""Lowest limit of memory that can be set, in bytes: with less, not even a small classifier runs."""

FIRST_TIMEOUT = 60.0
"""Seconds for loading a file other than the embedded one, and for its first run, if the caller gives no timeout."""


@dataclass(frozen=True)
class ExecutionPlan:
    """A session that has not loaded its model yet, and the size of the batches that it gets.

    Attributes:
        session: The session.
        batch_size: Most faces in one run.
        tuned: Whether the tuned choice is used.
    """

    session: OnnxSession
    batch_size: int
    tuned: bool


def plan_execution(
    model: str | os.PathLike[str] | None,
    config: SessionConfig,
    *,
    precision: Precision,
    batch_size: int | None,
    timeout: float | None = None,
    max_memory: int | None = None,
) -> ExecutionPlan:
    """Plan how a model runs.

    With a device other than ``auto``, with providers, or with a `precision` other than ``auto``, the tuned choice is
    not used. Given threads and a given `batch_size` replace those of the tuned choice. A tuned choice that does not fit
    this machine is ignored with a warning.

    Args:
        model: The model file; None for the embedded one.
        config: Device, providers and threads that the caller gives.
        precision: Arithmetic that the caller gives.
        batch_size: Most faces in one run; None for the default.
        timeout: Seconds for loading, and for each run; None for the defaults.
        max_memory: Bytes that runs on the CPU may take; None for no limit.

    Raises:
        ModelNotFound: There is no such file.
        ValueError: An argument out of its range.
    """
    path = find_model(model)
    _check_limits(batch_size, max_memory)
    embedded = is_embedded(path)
    limits: dict[str, Any] = {
        "timeout": timeout,
        "max_memory": max_memory,
        "first_timeout": None if embedded else FIRST_TIMEOUT,
        "trusted": embedded,  # the classifier checks its hash before it loads it
    }
    session = OnnxSession(path, config, precision=precision, **limits)
    choice: TunedChoice | None = None
    if config.device == "auto" and config.providers is None and precision == "auto":
        choice, problem = find_choice(path)
        if problem:
            LOGGER.info(problem)
            warnings.warn(problem, RuntimeWarning, stacklevel=3)
    else:
        LOGGER.debug("no tuned choice is used: a device, providers or a precision is given")
    if choice is None:
        return ExecutionPlan(session, batch_size or DEFAULT_BATCH_SIZE, tuned=False)
    LOGGER.info("tuned choice for %s: %s", path.name, choice)
    tuned_config = SessionConfig(
        device="cpu" if choice.provider == CPU else "auto",
        providers=None if choice.provider in (CPU, CUDA) else [choice.provider, CPU],
        threads=config.threads or choice.threads,
    )
    session = OnnxSession(path, tuned_config, required=False, precision=choice.precision, **limits)
    return ExecutionPlan(session, batch_size or choice.batch_size, tuned=True)


def _check_limits(batch_size: int | None, max_memory: int | None) -> None:
    if batch_size is not None and batch_size < 1:
        raise ValueError(f"batch_size: expected 1 or more, got {shortened(batch_size)}")
    if batch_size is not None and batch_size > MOST_BATCH_SIZE:
        raise ValueError(
            f"batch_size: expected at most {MOST_BATCH_SIZE}, got {shortened(batch_size)};"
            " a larger batch takes more memory, and is not faster"
        )
    if max_memory is not None and max_memory < LEAST_MEMORY:
        raise ValueError(f"max_memory: expected {LEAST_MEMORY} bytes or more, or None, got {shortened(max_memory)}")
