"""YuNet on ONNX Runtime, at one scale or several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from maskcheck.plugins import (
    BGRImage,
    Detections,
    ModelSignatureError,
    NetworkDetector,
    OnnxSession,
    Scales,
    as_planes,
)
from maskcheck_yunet.decoding import STRIDES, decode
from maskcheck_yunet.model import find_model

_LARGEST = 12_000_000  # pixels that the network sees at most
_LARGEST_FAST = 1_000_000  # the same with the preset `fast`: a frame of a video, 1280 x 720, as it is
_ENLARGED, _OVERVIEW = 1_500_000, 320

PRESETS = {
    "fast": Scales((1,), _ENLARGED, _LARGEST_FAST, _OVERVIEW),
    "balanced": Scales((2,), _ENLARGED, _LARGEST, _OVERVIEW),
    "thorough": Scales((1, 2, 3), _ENLARGED, _LARGEST, _OVERVIEW),
}
"""Scales at which each preset looks at a picture."""

DEFAULT_PRESET = "balanced"

_OUTPUTS = [f"{name}_{stride}" for name in ("cls", "obj", "bbox", "kps") for stride in STRIDES]


@dataclass(frozen=True)
class YuNetDetector(NetworkDetector):
    """YuNet, a network of 0.3 MB. Landmarks are eyes, nose and corners of the mouth.

    Attributes:
        preset: ``fast``, ``balanced`` or ``thorough``: at which scales it looks.
        scale: One scale instead of the preset's: 2 doubles the sides of the picture first. The network sees 12
            megapixels at most.
        session: Device, providers and threads of the network.
        model: The model file; by default, that of ``MASKCHECK_YUNET_MODEL``, or the fetched one.

    Raises:
        ValueError: No such preset.
    """

    default_min_score: ClassVar[float] = 0.7  # the best F1 on 369 street pictures, with `balanced`
    presets: ClassVar = PRESETS
    largest: ClassVar = _LARGEST

    model: str = ""

    def make_session(self) -> OnnxSession:
        """A session of the model file.

        Raises:
            ModelNotFound, ModelIntegrityError: There is none, or the fetched file was changed.
        """
        return OnnxSession(find_model(self.model), self.session)

    def network_inputs(self, pictures: Sequence[BGRImage]) -> dict[str, NDArray[np.float32]]:
        """What the network is fed with, by name of the input: blue, green and red planes of pictures of one size."""
        return {"input": as_planes(pictures)}

    def find_candidates(self, pictures: Sequence[BGRImage]) -> list[Detections]:
        """Cells of the three outputs that may be faces."""
        names = _output_names(self.network)
        outputs = self.network.run(self.network_inputs(pictures))
        rows, columns = pictures[0].shape[:2]
        return [
            decode(dict(zip(names, of_picture, strict=True)), columns, rows)
            for of_picture in zip(*outputs, strict=True)
        ]

    def warm_up(self) -> None:
        """Load the model now.

        Raises:
            ModelError, RuntimeUnavailable: The model cannot be found or loaded, or is no YuNet.
        """
        _output_names(self.network)


def _output_names(session: OnnxSession) -> list[str]:
    """Outputs of the network, in the file's order.

    Raises:
        ModelSignatureError: It lacks some.
    """
    names = [output.name for output in session.session.get_outputs()]
    missing = [name for name in _OUTPUTS if name not in names]
    if missing:
        raise ModelSignatureError(
            f"{session.path} is no YuNet with free shapes: it has no output {', '.join(missing)};"
            " use the file that `maskcheck-yunet fetch` brings",
            path=str(session.path),
        )
    return names
