"""What a user may choose of a model repository."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

CLASSIFIER, PIPELINE = "maskcheck_classifier", "maskcheck"
"""Names of the two models, and of their folders."""

VERSION = "1"


@dataclass(frozen=True)
class Scheduling:
    """How Triton runs a model.

    Attributes:
        gpu: Whether it runs on GPUs: an instance group on each; else on the CPU.
        instances: Copies that run at the same time, on the CPU or on each GPU.
        max_batch: Most faces, or pictures, in one run.
        preferred_batches: Sizes of batches at which a run starts without more waiting, each at most `max_batch`.
        max_delay: Microseconds that a request may wait for others to share its batch.

    Raises:
        ValueError: A number out of its range.
    """

    gpu: bool = False
    instances: int = 1
    max_batch: int = 32
    preferred_batches: tuple[int, ...] = ()
    max_delay: int = 1000

    def __post_init__(self) -> None:
        if self.instances < 1:
            raise ValueError(f"instances: expected 1 or more, got {self.instances}")
        if self.max_batch < 1:
            raise ValueError(f"max_batch: expected 1 or more, got {self.max_batch}")
        if self.max_delay < 0:
            raise ValueError(f"max_delay: expected microseconds, 0 or more, got {self.max_delay}")
        wrong = [size for size in self.preferred_batches if not 1 <= size <= self.max_batch]
        if wrong:
            raise ValueError(f"preferred_batches: expected 1 to {self.max_batch}, the largest batch, got {wrong[0]}")


@dataclass(frozen=True)
class PipelineSettings:
    """Arguments of ``MaskPipeline`` in the model of the whole pipeline.

    Attributes:
        detector: Name of the detector; its package must be where Triton runs.
        detector_options: Its options, as text.
        min_score: Least score of a face that is reported; None for the default.
        tile: Side of the slices that larger pictures are searched in; None for no slices.
        threads: Threads of each session; None for the CPUs that the server may use.
    """

    detector: str = "haar"
    detector_options: Mapping[str, str] = field(default_factory=dict)
    min_score: float | None = None
    tile: int | None = None
    threads: int | None = None
