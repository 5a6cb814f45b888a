"""Classifier and pipeline under the loads that MLPerf Inference defines."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from maskcheck import MaskPipeline
from maskcheck_bench.measuring.effort import Effort
from maskcheck_bench.measuring.mask_classifier import mask_classifier
from maskcheck_bench.measuring.noise_crops import draw_noise
from maskcheck_bench.measuring.outcome import Outcome, describe_missing

_SAMPLES = 64  # crops of noise to choose from
_PICTURES_TOGETHER = 8


def put_classifier_under_load(pipeline: MaskPipeline, _pictures: Sequence[str], effort: Effort) -> Outcome:
    """Put the classifier under load; a sample is a crop of noise."""
    classifier = mask_classifier(pipeline)
    crops = draw_noise(classifier, _SAMPLES)
    return _measure(
        "classifier",
        lambda numbers: classifier(crops[numbers]),
        samples=_SAMPLES,
        batch_size=classifier.batch_size,
        seconds=effort.seconds,
        target_ms=effort.face_target_ms,
    )


def put_pipeline_under_load(pipeline: MaskPipeline, pictures: Sequence[str], effort: Effort) -> Outcome:
    """Put the pipeline under load; a sample is a picture file."""

    def run(numbers: Sequence[int]) -> None:
        for result in pipeline.stream([pictures[number] for number in numbers]):
            if result.error is not None:
                raise result.error

    return _measure(
        "pipeline",
        run,
        samples=len(pictures),
        batch_size=_PICTURES_TOGETHER,
        seconds=effort.seconds,
        target_ms=effort.picture_target_ms,
    )


def _measure(
    name: str,
    run: Callable[[Sequence[int]], object],
    *,
    samples: int,
    batch_size: int,
    seconds: float,
    target_ms: float,
) -> Outcome:
    missing = describe_missing({"mlperf_loadgen": "mlcommons-loadgen"})
    if missing:
        return Outcome(skipped=missing)
    from maskcheck_bench.measuring.mlperf_load import Subject, put_under_load

    loads = put_under_load(Subject(name, run, samples, batch_size), seconds=seconds, target_ms=target_ms)
    return Outcome(loads=tuple(loads))
