"""All that a plugin of maskcheck may import, beside the tests in ``maskcheck.testing``.

A plugin is an installed distribution with an entry point of the group ``maskcheck``. The entry point names a module
with one or both hooks::

    from maskcheck.plugins import DetectorSpec, hookimpl

    @hookimpl
    def maskcheck_register_detectors():
        return [DetectorSpec("mine", "Finds faces my way", MyDetector, api_version=2)]

    @hookimpl
    def maskcheck_register_classifiers():
        return [ClassifierSpec("age", "Says how old a face looks", MyClassifier, api_version=2)]

What is here stays: what a plugin of this interface version imports, later releases have, too.

- What a stage is: ``Detector``, ``Detections``, ``DetectorSpec``; ``Classifier``, ``Crops``, ``crop_face``,
  ``ClassifierSpec``, with ``Look`` and ``Combination`` for a second look; ``StageOption``, ``StageDescription``,
  ``hookimpl``, ``BGRImage``.
- A network in ONNX: ``OnnxSession`` runs it on what ``SessionConfig`` says, which ``chosen_session`` takes from the
  pipeline or the user's options; ``network_options``, ``check_preset``, ``describe_session``, ``faster_batch_size``,
  ``wants_int8_file``.
  ``NetworkDetector`` is a detector but for the network: how it is fed, ``as_planes``, and what its outputs mean.
- At several scales: ``Scales``, ``resize_for_network``.
- From candidates to faces: ``concatenate``, ``merge``, ``one_box_per_face``, ``overlap``; ``load_judge`` for a detector
  that proposes much which is no face.
- Errors to raise: ``PluginError`` for an installation that lacks something, ``ModelError`` and those below it for a
  model file, ``SourceError`` for an address that does not answer.
- ``CommandGroup``, a ``click`` group whose commands print these errors as messages.

Names are loaded when they are first used; nothing here imports ONNX Runtime.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from maskcheck.errors import (
    MaskCheckError,
    ModelError,
    ModelIntegrityError,
    ModelMetadataError,
    ModelNotFound,
    ModelOutputError,
    ModelSignatureError,
    ModelTimeout,
    PluginError,
    ProviderUnavailable,
    RuntimeUnavailable,
    SourceError,
)
from maskcheck.lazy import load_name

if TYPE_CHECKING:
    from maskcheck.classifier.api import Classifier
    from maskcheck.classifier.second_look import Combination, Look
    from maskcheck.classifier.spec import ClassifierSpec
    from maskcheck.commands.group import CommandGroup
    from maskcheck.detectors.api import Detections, Detector
    from maskcheck.detectors.fusion import concatenate, merge, one_box_per_face, overlap
    from maskcheck.detectors.judge.judge import load_judge
    from maskcheck.detectors.network import (
        NetworkDetector,
        as_planes,
        check_preset,
        chosen_session,
        describe_session,
        faster_batch_size,
        network_options,
    )
    from maskcheck.detectors.scales import Scales, resize_for_network
    from maskcheck.detectors.spec import DetectorSpec
    from maskcheck.hosting.hooks import hookimpl
    from maskcheck.pictures.crops import Crops, crop_face
    from maskcheck.pictures.decoding import BGRImage
    from maskcheck.runtime.config import SessionConfig
    from maskcheck.runtime.precision import wants_int8_file
    from maskcheck.runtime.session import OnnxSession
    from maskcheck.stages import StageDescription, StageOption

__all__ = [
    "BGRImage",
    "Classifier",
    "ClassifierSpec",
    "Combination",
    "CommandGroup",
    "Crops",
    "Detections",
    "Detector",
    "DetectorSpec",
    "Look",
    "MaskCheckError",
    "ModelError",
    "ModelIntegrityError",
    "ModelMetadataError",
    "ModelNotFound",
    "ModelOutputError",
    "ModelSignatureError",
    "ModelTimeout",
    "NetworkDetector",
    "OnnxSession",
    "PluginError",
    "ProviderUnavailable",
    "RuntimeUnavailable",
    "Scales",
    "SessionConfig",
    "SourceError",
    "StageDescription",
    "StageOption",
    "as_planes",
    "check_preset",
    "chosen_session",
    "concatenate",
    "crop_face",
    "describe_session",
    "faster_batch_size",
    "hookimpl",
    "load_judge",
    "merge",
    "network_options",
    "one_box_per_face",
    "overlap",
    "resize_for_network",
    "wants_int8_file",
]

_MODULES = {
    "BGRImage": "pictures.decoding",
    "Classifier": "classifier.api",
    "ClassifierSpec": "classifier.spec",
    "Combination": "classifier.second_look",
    "CommandGroup": "commands.group",
    "Crops": "pictures.crops",
    "Detections": "detectors.api",
    "Detector": "detectors.api",
    "DetectorSpec": "detectors.spec",
    "Look": "classifier.second_look",
    "NetworkDetector": "detectors.network",
    "OnnxSession": "runtime.session",
    "Scales": "detectors.scales",
    "SessionConfig": "runtime.config",
    "StageDescription": "stages",
    "StageOption": "stages",
    "as_planes": "detectors.network",
    "check_preset": "detectors.network",
    "chosen_session": "detectors.network",
    "concatenate": "detectors.fusion",
    "crop_face": "pictures.crops",
    "describe_session": "detectors.network",
    "faster_batch_size": "detectors.network",
    "hookimpl": "hosting.hooks",
    "load_judge": "detectors.judge.judge",
    "merge": "detectors.fusion",
    "network_options": "detectors.network",
    "one_box_per_face": "detectors.fusion",
    "overlap": "detectors.fusion",
    "resize_for_network": "detectors.scales",
    "wants_int8_file": "runtime.precision",
}


def __getattr__(name: str) -> Any:
    return load_name(__name__, _MODULES, name)


def __dir__() -> list[str]:
    return __all__
