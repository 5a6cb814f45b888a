"""What a stage of the pipeline, a detector or a classifier, says of itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class StageDescription:
    """What a stage runs with. A stage that has no model, or no session, leaves the fields as they are.

    Attributes:
        model: File name of its model.
        model_sha256: SHA-256 of that file, in hexadecimal.
        providers: Execution providers that are active in its session, in order.
        threads: Threads of its session.
        precision: Arithmetic that its model runs in: ``int8``, ``float32``, ...
    """

    model: str | None = None
    model_sha256: str | None = None
    providers: tuple[str, ...] = ()
    threads: int | None = None
    precision: str | None = None
