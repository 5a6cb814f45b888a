"""What detectors that run a network share: options, scales, batches, their session, and what they say of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from maskcheck.detectors.api import Detections
from maskcheck.detectors.fusion import concatenate, merge
from maskcheck.detectors.scales import Scales, resize_for_network
from maskcheck.pictures.decoding import BGRImage
from maskcheck.runtime.config import MOST_THREADS, SessionConfig
from maskcheck.runtime.providers import CPU, check_device
from maskcheck.runtime.session import OnnxSession
from maskcheck.stages import StageDescription, StageOption

_BATCH = 8


@dataclass(frozen=True)
class NetworkDetector(ABC):
    """A detector that runs a network at one scale or several; a subclass says which network, and how it is fed.

    A subclass is a frozen dataclass, too. It sets the class variables and ``default_min_score``, and has
    :meth:`make_session` and :meth:`find_candidates`. Threads may share a detector. It is pickled as its configuration,
    and its model is loaded at the first picture, in each process.

    Class variables:
        presets: The scales at which each preset looks at a picture, by name.
        largest: Pixels that the network sees at most, whatever the preset and the scale.
        multiple: Of the sides of what the network sees, in pixels.

    Attributes:
        preset: One of the presets.
        scale: One scale instead of the preset's: 2 doubles the sides of the picture first, within ``largest``.
        session: Device, providers and threads of the network.

    Raises:
        ValueError: No such preset.
    """

    presets: ClassVar[Mapping[str, Scales]]
    largest: ClassVar[int]
    multiple: ClassVar[int] = 32

    preset: str = "balanced"
    scale: float | None = None
    session: SessionConfig = field(default_factory=SessionConfig)

    def __post_init__(self) -> None:
        check_preset(self.preset, self.presets)

    @abstractmethod
    def make_session(self) -> OnnxSession:
        """A session of the network, on ``session``; called at the first use in each process.

        Raises:
            PluginError, ModelError: The model file cannot be found.
        """

    @abstractmethod
    def find_candidates(self, pictures: Sequence[BGRImage]) -> list[Detections]:
        """Run the network, ``self.network``, once.

        Args:
            pictures: uint8 (H, W, 3), BGR, one or more of one size, whose sides are multiples of ``multiple``.
                :func:`as_planes` makes the network's input of them.

        Returns:
            For each picture, several boxes for each face perhaps, in its pixels, also beyond its edges.
        """

    def detect(self, image: BGRImage, /) -> Detections:
        """Find faces in a picture: uint8 (H, W, 3), BGR. Scores are the network's.

        Raises:
            PluginError, ModelError, RuntimeUnavailable: The model cannot be found, loaded or run.
        """
        return self.detect_batch([image])[0]

    def detect_batch(self, images: Sequence[BGRImage]) -> list[Detections]:
        """Find faces in pictures of one size, in one run of the network for each scale.

        Raises:
            ValueError: The pictures have different sizes.
            PluginError, ModelError, RuntimeUnavailable: The model cannot be found, loaded or run.
        """
        if len({image.shape for image in images}) > 1:
            raise ValueError(f"expected pictures of one size, got {', '.join(str(image.shape) for image in images)}")
        if not images:
            return []
        height, width = images[0].shape[:2]
        at_scales = [self._detect_at(images, scale) for scale in self._scales().of(width, height)]
        return [merge(concatenate(of_picture)).clipped(width, height) for of_picture in zip(*at_scales, strict=True)]

    @property
    def batch_size(self) -> int:
        """Most pictures that it wants at once; loads the model."""
        return faster_batch_size(self.network)

    def warm_up(self) -> None:
        """Load the model now.

        Raises:
            PluginError, ModelError, RuntimeUnavailable: The model cannot be found or loaded.
        """
        _ = self.network.session

    def describe(self) -> StageDescription:
        """The model file, its hash, and what it runs on; loads the model."""
        return describe_session(self.network, precision="float32")

    @property
    def network(self) -> OnnxSession:
        """The session of this process; it has not loaded its model before the first use.

        Raises:
            PluginError, ModelError: The model file cannot be found.
        """
        # Threads that come at once make several of these, which is quick; all get the one that is kept, and that one
        # loads the model once. A lock would be held for ever in a child forked meanwhile.
        made: OnnxSession | None = self.__dict__.get("made_session")
        if made is None:
            made = self.__dict__.setdefault("made_session", self.make_session())
        return made

    def running(self, network: OnnxSession) -> Self:
        """The same detector with another file, a quantised one say; pickled, it is back at its own file."""
        other = replace(self)
        other.__dict__["made_session"] = network
        return other

    def at_scales(self, image: BGRImage) -> list[BGRImage]:
        """What the network sees of a picture: the picture at each scale, with sides that are multiples."""
        height, width = image.shape[:2]
        return [self._resize(image, scale) for scale in self._scales().of(width, height)]

    def __getstate__(self) -> dict[str, Any]:
        # The configuration alone: where the model lies is for the machine that unpickles it to say.
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def _scales(self) -> Scales:
        if self.scale is not None:
            return Scales((self.scale,), enlarged=self.largest, largest=self.largest)
        return self.presets[self.preset]

    def _detect_at(self, images: Sequence[BGRImage], scale: float) -> list[Detections]:
        height, width = images[0].shape[:2]
        pictures = [self._resize(image, scale) for image in images]
        rows, columns = pictures[0].shape[:2]
        back = width / columns, height / rows
        return [candidates.mapped(back) for candidates in self.find_candidates(pictures)]

    def _resize(self, image: BGRImage, scale: float) -> BGRImage:
        return resize_for_network(image, scale, multiple=self.multiple, largest=self.largest)


def as_planes(pictures: Sequence[BGRImage], *, rgb: bool = False) -> NDArray[np.float32]:
    """Pictures as most networks take them.

    Args:
        pictures: N pictures of one size: uint8 (H, W, 3), BGR.
        rgb: Whether the planes are red, green and blue, instead of blue, green and red.

    Returns:
        float32 (N, 3, H, W), from 0 to 255.
    """
    rows, columns = pictures[0].shape[:2]
    batch = np.empty((len(pictures), 3, rows, columns), np.float32)
    for planes, picture in zip(batch, pictures, strict=True):
        planes[:] = (picture[:, :, ::-1] if rgb else picture).transpose(2, 0, 1)
    return batch


def network_options(presets: Iterable[str], default: str) -> tuple[StageOption, ...]:
    """The options ``preset``, ``scale``, ``device`` and ``threads``, alike for all networks.

    The factory gives the last two to :func:`chosen_session`.

    Args:
        presets: Names of the presets.
        default: The preset that is taken by default.
    """
    return (
        StageOption("preset", str, default, "speed or thoroughness", choices=tuple(presets)),
        StageOption(
            "scale",
            float,
            None,
            "look once, at this scale: 1 as it is, 2 doubled; a large picture less so [default: the preset's scales]",
            minimum=0.1,
            maximum=8,
        ),
        StageOption("device", str, None, "auto, cpu, cuda or cuda:N [default: the pipeline's]", check=check_device),
        StageOption("threads", int, None, "threads [default: the pipeline's]", minimum=1, maximum=MOST_THREADS),
    )


def chosen_session(session: SessionConfig, *, device: str | None = None, threads: int | None = None) -> SessionConfig:
    """The pipeline's device, providers and threads, but for what the user chooses for a detector.

    Args:
        session: The pipeline's.
        device: The option of the detector; None for the pipeline's device and providers.
        threads: The option of the detector; None for the pipeline's.

    Raises:
        ValueError: Another device, or a number of threads out of its range.
    """
    threads = session.threads if threads is None else threads
    if device is None:
        return SessionConfig(session.device, session.providers, threads)
    return SessionConfig(device, threads=threads)


def check_preset(preset: str, presets: Iterable[str]) -> None:
    """Raise a ValueError that names the presets, unless `preset` is one of them."""
    if preset not in (names := tuple(presets)):
        raise ValueError(f"preset: expected one of {', '.join(names)}, got {preset!r}")


def describe_session(session: OnnxSession, *, precision: str | None = None) -> StageDescription:
    """What a session runs, and on what; loads the model.

    Args:
        session: The session.
        precision: Arithmetic that its model runs in, such as ``float32``.

    Raises:
        ModelError, RuntimeUnavailable: The model cannot be loaded.
    """
    return StageDescription(
        model=session.path.name,
        model_sha256=session.sha256,
        providers=session.active_providers,
        threads=session.thread_count,
        precision=precision,
    )


def faster_batch_size(session: OnnxSession) -> int:
    """How many pictures a network should get at once: 1 on the CPU, where a batch is no faster, and else 8.

    Loads the model.

    Raises:
        ModelError, RuntimeUnavailable: The model cannot be loaded.
    """
    return 1 if session.active_providers[0] == CPU else _BATCH
