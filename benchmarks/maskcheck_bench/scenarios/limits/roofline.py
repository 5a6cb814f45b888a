"""How near a measured time comes to what the machine can do: the roofline.

Williams, Waterman and Patterson, "Roofline: An Insightful Visual Performance Model for Multicore Architectures", 2009
(doi:10.1145/1498765.1498785): no work does more operations a second than the machine's arithmetic allows, nor more than
its memory can feed at the work's operations a byte.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from maskcheck_bench.measuring.timing import Timing


@dataclass(frozen=True)
class Limits:
    """What the machine can do, and what the classifier asks of it.

    Attributes:
        multiply_adds: Of one face.
        weights_bytes: Of all weights; each run reads them once.
        activations_bytes: Of one face: what its layers read and write.
        precision: Arithmetic of the weights.
        threads: Threads that everything was measured with.
        peak_float32_gflops: 10^9 operations a second; a multiply-add is two. Like the others, of the best round, since
            what disturbs a round can only make it slower.
        peak_int8_gops: The same in int8.
        bandwidth_gb_s: 10^9 bytes a second, as STREAM counts them.
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
    def from_facts(cls, facts: Mapping[str, Any]) -> Limits:
        """Read what :meth:`to_facts` gave.

        Raises:
            TypeError: It is something else.
        """
        return cls(**facts)

    @property
    def peak(self) -> float:
        """10^9 operations a second, in the classifier's arithmetic."""
        return self.peak_int8_gops if self.precision.startswith("int8") else self.peak_float32_gflops

    def intensity(self, faces: int) -> float:
        """Operations a byte of a run of that many faces, each layer's input and output going to memory.

        Small runs find some of it in the caches, so that the slope of the roof is no strict limit for them.
        """
        moved = self.weights_bytes + faces * self.activations_bytes
        return 2 * self.multiply_adds * faces / moved

    def roof(self, intensity: float) -> float:
        """10^9 operations a second that the machine allows in the classifier's arithmetic, at those a byte."""
        return min(self.peak, intensity * self.bandwidth_gb_s)

    def attained(self, timing: Timing) -> float:
        """10^9 operations a second in the median round; an item of the timing is a face, and a round is one run."""
        milliseconds = float(np.median(np.concatenate(timing.processes)))
        return 2 * self.multiply_adds * timing.items / (milliseconds * 1e6)

    def share(self, timing: Timing) -> float:
        """What was attained, as a share of what the roof allows."""
        return self.attained(timing) / self.roof(self.intensity(timing.items))
