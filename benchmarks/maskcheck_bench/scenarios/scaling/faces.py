"""The classifier on many faces: by their number, by the batch size, and compared with ONNX Runtime alone."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from functools import partial

from maskcheck import MaskPipeline
from maskcheck.classifier.model import INPUT_NAME
from maskcheck_bench.measuring.bare_session import open_bare_session
from maskcheck_bench.measuring.effort import Effort
from maskcheck_bench.measuring.mask_classifier import mask_classifier
from maskcheck_bench.measuring.noise_crops import draw_noise
from maskcheck_bench.measuring.outcome import Outcome
from maskcheck_bench.measuring.turns import Work, measure_in_turns, ratio_in_turns
from maskcheck_bench.scenarios.scaling.pictures import draw_boxes, read_pictures

FACES = (1, 2, 5, 10, 20, 50, 100)
BATCHES = (1, 2, 4, 8, 16, 32, 64)
_COMPARED = 64  # faces


def time_faces(pipeline: MaskPipeline, pictures: Sequence[str], effort: Effort) -> Outcome:
    """Classify more and more faces of a decoded picture, from pixels and boxes to labels."""
    (image,) = read_pictures(pipeline, pictures[:1]).images
    boxes = draw_boxes(image, max(FACES))
    works = [Work("classify", partial(pipeline.classify, image, boxes[:faces]), faces, faces) for faces in FACES]
    return Outcome(measure_in_turns(works, effort, group="faces in a picture"))


def time_batches(pipeline: MaskPipeline, _pictures: Sequence[str], effort: Effort) -> Outcome:
    """Classify larger and larger batches of crops, each in one run of the session."""
    classifier = copy(mask_classifier(pipeline))  # with the same session
    classifier.batch_size = max(BATCHES)
    crops = draw_noise(classifier, max(BATCHES))
    works = [Work("classifier", partial(classifier, crops[:batch]), batch, batch) for batch in BATCHES]
    return Outcome(measure_in_turns(works, effort, group="faces in a batch"))


def compare_with_session(pipeline: MaskPipeline, pictures: Sequence[str], effort: Effort) -> Outcome:
    """Classify many faces of a decoded picture, and run the same crops, already cut, through ONNX Runtime alone.

    ONNX Runtime gets its own session with the same model, providers, threads and batches. The fact is the throughput of
    ``classify`` as a share of the session's.
    """
    (image,) = read_pictures(pipeline, pictures[:1]).images
    boxes = draw_boxes(image, _COMPARED)
    classifier = mask_classifier(pipeline)
    step = classifier.batch_size
    crops = classifier.crop(image, boxes)
    batches = [crops[start : start + step] for start in range(0, len(crops), step)]
    session = open_bare_session(classifier)
    works = [
        Work("classify", lambda: pipeline.classify(image, boxes), _COMPARED),
        Work("session alone", lambda: [session.run(None, {INPUT_NAME: batch}) for batch in batches], _COMPARED),
    ]
    timings = measure_in_turns(works, effort, group="classify and the session alone", settle=True)
    classified, alone = timings
    return Outcome(timings, {"share_of_throughput": round(ratio_in_turns(alone, classified), 3)})
