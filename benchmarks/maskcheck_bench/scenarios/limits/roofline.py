"""How close a measured time comes to the best that the machine can do: the roofline.

Williams, Waterman and Patterson, "Roofline: An Insightful Visual Performance Model for Multicore Architectures", 2009
(doi:10.1145/1498765.1498785): no work does more operations a second than the machine's arithmetic allows, nor more than
its memory can feed, which depends on the work's operations per byte.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from maskcheck_bench.measuring.timing import Timing


@dataclass(frozen=True)
class MachineLimits:
    """The machine's peaks, and the operations and bytes of the classifier.

    Attributes:
        multiply_adds: For one face.
        weights_bytes: Size of all weights; each run reads them once.
        activations_bytes: For one face: bytes that the layers read and write.
        precision: Arithmetic of the weights.
        threads: Threads that everything was measured with.
        peak_float32_gflops: 10^9 operations a second; a multiply-add counts as two. From the best round, like the other
            peaks, since disturbances can only slow a round down.
        peak_int8_gops: The same in int8.
        bandwidth_gb_s: 10^9 bytes a second, counted as STREAM does.
    """

    multiply_adds: int
    weights_bytes: int
    activations_bytes: int
    precision: str
    threads: int
    peak_float32_gflops: float
    peak_int8_gops: float
    bandwidth_gb_s: float

    def to_facts(self) -> dict[str, Any]:
        """As JSON-ready values."""
        return asdict(self)

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> MachineLimits:
        """Read the result of :meth:`to_facts`.

        Raises:
            TypeError: The facts have another form.
        """
        return cls(**facts)

    @property
    def peak(self) -> float:
        """10^9 operations a second, in the classifier's arithmetic."""
        return self.peak_int8_gops if self.precision.startswith("int8") else self.peak_float32_gflops

    def intensity(self, faces: int) -> float:
        """Operations per byte of a run of that many faces, if each layer's input and output goes through memory.

        Small runs keep some of it in the caches, so the slope of the roof is not a strict limit for them.
        """
        moved = self.weights_bytes + faces * self.activations_bytes
        return 2 * self.multiply_adds * faces / moved

    def roof(self, intensity: float) -> float:
        """10^9 operations a second that the machine allows at that many operations per byte."""
        return min(self.peak, intensity * self.bandwidth_gb_s)

    def attained(self, timing: Timing) -> float:
        """10^9 operations a second in the median round of a timing of the classifier, whose items are faces."""
        milliseconds = float(np.median(np.concatenate(timing.processes)))
        return 2 * self.multiply_adds * timing.items / (milliseconds * 1e6)

    def share(self, timing: Timing) -> float:
        """The attained operations a second as a share of the roof."""
        return self.attained(timing) / self.roof(self.intensity(timing.items))
