"""YuNet on ONNX Runtime, at one scale or several."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from maskcheck import Detections, ModelSignatureError
from maskcheck.detectors.fusion import concatenate, merge, one_each
from maskcheck.detectors.judging.judge import load_judge
from maskcheck.detectors.scales import Scales, check_preset, resize_for_network
from maskcheck.runtime import OnnxSession, check_device
from maskcheck_yunet.decoding import STRIDES, decode
from maskcheck_yunet.model import find_model

PRESETS: dict[str, tuple[float, ...]] = {"fast": (1,), "balanced": (2,), "thorough": (1, 2, 3)}
"""Scales at which each preset looks at a picture."""

_MULTIPLE = 32  # pixels of a cell of the coarsest output
_OUTPUTS = [f"{name}_{stride}" for name in ("cls", "obj", "bbox", "kps") for stride in STRIDES]


@dataclass(frozen=True)
class YuNetDetector:
    """YuNet; safe to share between threads, and picklable: the model is loaded at the first picture.

    Attributes:
        preset: ``fast``, ``balanced`` or ``thorough``: at which scales it looks.
        scale: One scale instead of the preset's: 2 doubles the sides of the picture first.
        model: The model file; by default, that of ``MASKCHECK_YUNET_MODEL``, or the fetched one.
        device: As of ``MaskPipeline``.
        threads: Threads of the session; by default, the CPUs that the process may use.

    Raises:
        ValueError: No such preset or device.
    """

    preset: str = "balanced"
    scale: float | None = None
    model: str = ""
    device: str = "auto"
    threads: int | None = None

    def __post_init__(self) -> None:
        check_device(self.device)
        check_preset(self.preset, PRESETS)

    def detect(self, image: NDArray[np.uint8], /) -> Detections:
        """Find faces in a picture: uint8 (H, W, 3), BGR; landmarks are eyes, nose and corners of the mouth.

        Raises:
            ModelError, RuntimeUnavailable: The model cannot be found, loaded or run.
        """
        judge = load_judge("maskcheck_yunet")
        return one_each(judge(image, self.propose(image)), image.shape[1], image.shape[0])

    def propose(self, image: NDArray[np.uint8], /) -> Detections:
        """What the network takes for a face, before a second look at each: scores are the network's."""
        scales = self._scales(image.shape[1], image.shape[0])
        return merge(concatenate([self._detect_at(image, scale) for scale in scales]))

    def _scales(self, width: int, height: int) -> list[float]:
        if self.scale is not None:
            return [self.scale]
        return Scales(PRESETS[self.preset], enlarged=1_500_000, largest=12_000_000, overview=320).of(width, height)

    def _detect_at(self, image: NDArray[np.uint8], scale: float) -> Detections:
        picture = resize_for_network(image, scale, multiple=_MULTIPLE)
        rows, columns = picture.shape[:2]
        blob = np.ascontiguousarray(picture.transpose(2, 0, 1)[None], np.float32)  # BGR, from 0 to 255
        names = self._outputs
        outputs = self._session.run({"input": blob})
        by_name = {name: output[0] for name, output in zip(names, outputs, strict=True)}
        return decode(by_name, columns, rows).mapped((image.shape[1] / columns, image.shape[0] / rows))

    @cached_property
    def _session(self) -> OnnxSession:
        return OnnxSession(find_model(self.model), device=self.device, threads=self.threads)

    @cached_property
    def _outputs(self) -> list[str]:
        names = [output.name for output in self._session.session.get_outputs()]
        missing = [name for name in _OUTPUTS if name not in names]
        if missing:
            path = self._session.path
            raise ModelSignatureError(
                f"{path} is no YuNet with free shapes: it has no output {', '.join(missing)};"
                " use the file that `maskcheck-yunet fetch` brings",
                path=str(path),
            )
        return names
