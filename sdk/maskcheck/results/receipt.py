"""What results were made with: detector, classifier, their models and versions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self, TypeAlias, get_args

from maskcheck.results.fields import Fields

RECEIPT_SCHEMA = "maskcheck-receipt/1"

StageKind: TypeAlias = Literal["detector", "classifier"]

_OPTION_TYPES = (int, float, str, bool, type(None))


@dataclass(frozen=True)
class StageReceipt:
    """A stage of the pipeline, and what it runs with.

    Attributes:
        kind: ``detector`` or ``classifier``.
        name: Name that it is registered by; for an object, the name of its class.
        distribution: The installed distribution that it comes from; None for an object.
        version: Version of that distribution.
        options: Values of all its options; empty for an object.
        model: File name of its model; None if it has none, or does not say.
        model_sha256: SHA-256 of that file, in hexadecimal.
        providers: Execution providers that are active in its session, in order.
        threads: Threads of its session.
        precision: Arithmetic that its model runs in: ``int8``, ``float32``, ``float16``, ...
    """

    kind: StageKind
    name: str
    distribution: str | None = None
    version: str | None = None
    options: Mapping[str, int | float | str | bool | None] = field(default_factory=dict)
    model: str | None = None
    model_sha256: str | None = None
    providers: tuple[str, ...] = ()
    threads: int | None = None
    precision: str | None = None

    def __hash__(self) -> int:  # without the options, which are a mapping
        return hash((self.kind, self.name, self.version, self.model_sha256, self.providers, self.threads))

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready values."""
        return {
            "kind": self.kind,
            "name": self.name,
            "distribution": self.distribution,
            "version": self.version,
            "options": dict(self.options),
            "model": self.model,
            "model_sha256": self.model_sha256,
            "providers": list(self.providers),
            "threads": self.threads,
            "precision": self.precision,
        }

    @classmethod
    def from_fields(cls, fields: Fields) -> Self:
        """A stage from its JSON.

        Raises:
            ValueError: A field is missing or has a value of another kind.
        """
        return cls(
            kind=fields.choice("kind", *get_args(StageKind)),
            name=fields.text("name"),
            distribution=fields.optional("distribution", fields.text),
            version=fields.optional("version", fields.text),
            options=fields.mapping("options", *_OPTION_TYPES),
            model=fields.optional("model", fields.text),
            model_sha256=fields.optional("model_sha256", fields.text),
            providers=fields.texts("providers"),
            threads=fields.optional("threads", fields.integer),
            precision=fields.optional("precision", fields.text),
        )


@dataclass(frozen=True)
class Receipt:
    """What results were made with.

    Attributes:
        detector: Name of the detector.
        detector_options: Values of all its options; empty for a detector that was given as an object.
        min_score: Least detection score of a face that is reported.
        tile: Side of the slices that the detector was given, in pixels; None if it saw whole pictures.
        model: File name of the classifier's model. This and the next five are None, or empty, where the classifier
            has no such thing: it is a plugin, say, or the detector labels the faces itself.
        model_sha256: SHA-256 of that file, in hexadecimal.
        providers: Execution providers that are active in the classifier's session, in order.
        threads: Threads of the classifier's session.
        precision: Arithmetic that the classifier runs in: ``int8``, ``float32``, ``float16``, ...
        chosen_by: What decided that: ``asked``, ``tuned``, ``cpu``, ``provider`` or ``file``.
        versions: Of maskcheck, onnxruntime, opencv and numpy.
        stages: The detector, and the classifier if there is one.
        second_look: Whether the classifier takes a second look at what the detector proposes: it decides what is a
            face, and moves the boxes.
    """

    detector: str
    detector_options: Mapping[str, int | float | str | bool | None]
    min_score: float
    tile: int | None
    model: str | None
    model_sha256: str | None
    providers: tuple[str, ...]
    threads: int | None
    precision: str | None
    chosen_by: str | None
    versions: Mapping[str, str]
    stages: tuple[StageReceipt, ...] = ()
    second_look: bool = False

    def __hash__(self) -> int:  # without the options and versions, which are mappings
        scores = self.min_score, self.second_look
        return hash((self.detector, *scores, self.tile, self.model_sha256, self.providers, self.threads, self.stages))

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready values in the schema ``maskcheck-receipt/1``; ``second_look`` is there if it is true."""
        content = {
            "schema": RECEIPT_SCHEMA,
            "detector": self.detector,
            "detector_options": dict(self.detector_options),
            "min_score": self.min_score,
            "tile": self.tile,
            "model": self.model,
            "model_sha256": self.model_sha256,
            "providers": list(self.providers),
            "threads": self.threads,
            "precision": self.precision,
            "chosen_by": self.chosen_by,
            "versions": dict(self.versions),
            "stages": [stage.to_dict() for stage in self.stages],
        }
        return content | ({"second_look": True} if self.second_look else {})

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """The receipt that :meth:`to_dict` gave, as read from ``receipt.json``; keys that it does not know are ignored.

        Raises:
            ValueError: Another schema, or a field is missing or has a value of another kind.
        """
        fields = Fields(content)
        fields.check_schema(RECEIPT_SCHEMA)
        return cls(
            detector=fields.text("detector"),
            detector_options=fields.mapping("detector_options", *_OPTION_TYPES),
            min_score=fields.number("min_score"),
            tile=fields.optional("tile", fields.integer),
            model=fields.optional("model", fields.text),
            model_sha256=fields.optional("model_sha256", fields.text),
            providers=fields.texts("providers"),
            threads=fields.optional("threads", fields.integer),
            precision=fields.optional("precision", fields.text),
            chosen_by=fields.optional("chosen_by", fields.text),
            versions=fields.mapping("versions", str),
            stages=tuple(map(StageReceipt.from_fields, fields.objects("stages"))),
            second_look=bool(fields.optional("second_look", fields.boolean)),
        )
