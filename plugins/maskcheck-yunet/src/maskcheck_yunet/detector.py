"""YuNet on ONNX Runtime, at one scale or several."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from maskcheck import Detections, ModelSignatureError
from maskcheck.detectors.fusion import concatenate, merge, one_box_per_face
from maskcheck.detectors.judge.judge import load_judge
from maskcheck.detectors.scales import Scales, check_preset, resize_for_network
from maskcheck.runtime.config import SessionConfig
from maskcheck.runtime.providers import check_device
from maskcheck.runtime.session import OnnxSession
from maskcheck_yunet.decoding import STRIDES, decode
from maskcheck_yunet.model import find_model

PRESETS: dict[str, tuple[float, ...]] = {"fast": (1,), "balanced": (2,), "thorough": (1, 2, 3)}
"""Scales at which each preset looks at a picture."""

_PACKAGE = "maskcheck_yunet"  # with the judge
_LARGEST = 12_000_000  # pixels that the network sees at most
_MULTIPLE = 32  # pixels of a cell of the coarsest output
_OUTPUTS = [f"{name}_{stride}" for name in ("cls", "obj", "bbox", "kps") for stride in STRIDES]


@dataclass(frozen=True)
class YuNetDetector:
    """YuNet; safe to share between threads, and picklable: the model is loaded at the first picture.

    Attributes:
        preset: ``fast``, ``balanced`` or ``thorough``: at which scales it looks.
        scale: One scale instead of the preset's: 2 doubles the sides of the picture first. The network sees 12
            megapixels at most.
        model: The model file; by default, that of ``MASKCHECK_YUNET_MODEL``, or the fetched one.
        device: As of ``MaskPipeline``.
        threads: Threads of the session; by default, the CPUs that the process may use.

    Raises:
        ValueError: No such preset or device.
    """

    default_min_score: ClassVar[float] = 0.6

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
        judge = load_judge(_PACKAGE)
        return one_box_per_face(judge(image, self.propose(image)), image.shape[1], image.shape[0])

    def propose(self, image: NDArray[np.uint8], /) -> Detections:
        """What the network takes for a face, before a second look at each: scores are the network's."""
        scales = self._scales(image.shape[1], image.shape[0])
        return merge(concatenate([self._detect_at(image, scale) for scale in scales]))

    def _scales(self, width: int, height: int) -> list[float]:
        if self.scale is not None:
            return Scales((self.scale,), enlarged=_LARGEST, largest=_LARGEST).of(width, height)
        return Scales(PRESETS[self.preset], enlarged=1_500_000, largest=_LARGEST, overview=320).of(width, height)

    def _detect_at(self, image: NDArray[np.uint8], scale: float) -> Detections:
        picture = resize_for_network(image, scale, multiple=_MULTIPLE, largest=_LARGEST)
        rows, columns = picture.shape[:2]
        blob = np.ascontiguousarray(picture.transpose(2, 0, 1)[None], np.float32)  # BGR, from 0 to 255
        session = self._session
        names = _output_names(session)
        outputs = session.run({"input": blob})
        by_name = {name: output[0] for name, output in zip(names, outputs, strict=True)}
        return decode(by_name, columns, rows).mapped((image.shape[1] / columns, image.shape[0] / rows))

    def warm_up(self) -> None:
        """Load the model and the judge now.

        Raises:
            ModelError, RuntimeUnavailable: The model cannot be found or loaded.
        """
        load_judge(_PACKAGE)
        _output_names(self._session)

    @property
    def _session(self) -> OnnxSession:
        # Threads that come at once make several of these, which is quick; all get the one that is kept, and that one
        # loads the model once. A lock would be held for ever in a child forked meanwhile.
        made: OnnxSession | None = self.__dict__.get("made_session")
        if made is None:
            session = OnnxSession(find_model(self.model), SessionConfig(device=self.device, threads=self.threads))
            made = self.__dict__.setdefault("made_session", session)
        return made

    def __getstate__(self) -> dict[str, Any]:
        # The configuration alone: where the model lies is for the machine that unpickles it to say.
        return {field.name: getattr(self, field.name) for field in fields(self)}


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
