"""The classifier that benchmarks measure."""

from __future__ import annotations

from maskcheck import MaskClassifier, MaskPipeline


def mask_classifier(pipeline: MaskPipeline) -> MaskClassifier:
    """The classifier of a pipeline, which benchmarks make with the classifier ``mask``.

    Raises:
        TypeError: It has another one, or none.
    """
    if not isinstance(pipeline.classifier, MaskClassifier):
        raise TypeError(f"expected a pipeline with the classifier mask, got {type(pipeline.classifier).__name__}")
    return pipeline.classifier
