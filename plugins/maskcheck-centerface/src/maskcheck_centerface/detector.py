"""CenterFace on ONNX Runtime, at one scale or several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from maskcheck.plugins import (
    Detections,
    OnnxSession,
    Scales,
    SessionConfig,
    StageDescription,
    check_preset,
    concatenate,
    describe_session,
    faster_batch_size,
    load_judge,
    merge,
    one_box_per_face,
    resize_for_network,
)
from maskcheck_centerface.decoding import decode
from maskcheck_centerface.model import INPUT, find_model, free_shape

PRESETS: dict[str, tuple[float, ...]] = {"fast": (1,), "balanced": (2,), "thorough": (1, 2, 3)}
"""Scales at which each preset looks at a picture."""

DEFAULT_PRESET = "balanced"

_PACKAGE = "maskcheck_centerface"  # with the judge
_LARGEST = 6_000_000  # pixels that the network sees at most
_LARGEST_FAST = 1_000_000  # the same with the preset `fast`: a frame of a video, 1280 x 720, as it is
_MULTIPLE = 32  # the network halves its input five times


@dataclass(frozen=True)
class CenterFaceDetector:
    """CenterFace; safe to share between threads, and picklable: the model is loaded at the first picture.

    Attributes:
        preset: ``fast``, ``balanced`` or ``thorough``: at which scales it looks.
        scale: One scale instead of the preset's: 2 doubles the sides of the picture first. The network sees 6
            megapixels at most.
        session: Device, providers and threads of the network.

    Raises:
        ValueError: No such preset.
    """

    default_min_score: ClassVar[float] = 0.6

    preset: str = DEFAULT_PRESET
    scale: float | None = None
    session: SessionConfig = field(default_factory=SessionConfig)

    def __post_init__(self) -> None:
        check_preset(self.preset, PRESETS)

    def detect(self, image: NDArray[np.uint8], /) -> Detections:
        """Find faces in a picture: uint8 (H, W, 3), BGR; landmarks are eyes, nose and corners of the mouth.

        Raises:
            PluginError, ModelError, RuntimeUnavailable: The model cannot be loaded or run.
        """
        return self.detect_batch([image])[0]

    @property
    def batch_size(self) -> int:
        """Most pictures that it wants at once; loads the model."""
        return faster_batch_size(self._session)

    def detect_batch(self, images: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        """Find faces in pictures of one size, in one run of the network for each scale.

        Raises:
            ValueError: The pictures have different sizes.
            PluginError, ModelError, RuntimeUnavailable: The model cannot be loaded or run.
        """
        if len({image.shape for image in images}) > 1:
            raise ValueError(f"expected pictures of one size, got {', '.join(str(image.shape) for image in images)}")
        if not images:
            return []
        judge = load_judge(_PACKAGE)
        return [
            one_box_per_face(judge(image, proposed), image.shape[1], image.shape[0])
            for image, proposed in zip(images, self._propose(images), strict=True)
        ]

    def propose(self, image: NDArray[np.uint8], /) -> Detections:
        """What the network takes for a face, before a second look at each: scores are the network's."""
        return self._propose([image])[0]

    def _propose(self, images: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        height, width = images[0].shape[:2]
        scales = [self._detect_at(images, scale) for scale in self._scales(width, height)]
        return [merge(concatenate(of_picture)) for of_picture in zip(*scales, strict=True)]

    def _scales(self, width: int, height: int) -> list[float]:
        if self.scale is not None:
            return Scales((self.scale,), enlarged=_LARGEST, largest=_LARGEST).of(width, height)
        largest = _LARGEST_FAST if self.preset == "fast" else _LARGEST
        return Scales(PRESETS[self.preset], enlarged=1_500_000, largest=largest, overview=640).of(width, height)

    def _detect_at(self, images: Sequence[NDArray[np.uint8]], scale: float) -> list[Detections]:
        height, width = images[0].shape[:2]
        pictures = [resize_for_network(image, scale, multiple=_MULTIPLE, largest=_LARGEST) for image in images]
        rows, columns = pictures[0].shape[:2]
        batch = np.empty((len(images), 3, rows, columns), np.float32)  # RGB, from 0 to 255
        for planes, picture in zip(batch, pictures, strict=True):
            planes[:] = picture[:, :, ::-1].transpose(2, 0, 1)
        outputs = self._session.run({INPUT: batch})
        back = width / columns, height / rows
        return [decode(*maps).mapped(back) for maps in zip(*outputs, strict=True)]

    def warm_up(self) -> None:
        """Load the model and the judge now.

        Raises:
            PluginError, ModelError, RuntimeUnavailable: The model cannot be loaded.
        """
        load_judge(_PACKAGE)
        _ = self._session.session

    def describe(self) -> StageDescription:
        """The model file, its hash, and what it runs on; loads the model."""
        return describe_session(self._session, precision="float32")

    @property
    def _session(self) -> OnnxSession:
        # Threads that come at once make several of these, which is quick; all get the one that is kept, and that one
        # loads the model once. A lock would be held for ever in a child forked meanwhile.
        made: OnnxSession | None = self.__dict__.get("made_session")
        if made is None:
            session = OnnxSession(find_model(), self.session, prepare=free_shape)
            made = self.__dict__.setdefault("made_session", session)
        return made

    def __getstate__(self) -> dict[str, Any]:
        # The configuration alone: where the model lies is for the machine that unpickles it to say.
        return {field.name: getattr(self, field.name) for field in fields(self)}
