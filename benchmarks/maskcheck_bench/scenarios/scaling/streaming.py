"""A stream against what it cannot do without: its detector."""

from __future__ import annotations

from collections.abc import Sequence

from maskcheck import MaskPipeline
from maskcheck_bench.measuring.outcome import Effort, Outcome
from maskcheck_bench.measuring.turns import Work, measure_in_turns
from maskcheck_bench.scenarios.scaling.figures import ratio_in_turns
from maskcheck_bench.scenarios.scaling.pictures import read_for_stream


def compare_with_detector(pipeline: MaskPipeline, pictures: Sequence[str], effort: Effort) -> Outcome:
    """Stream pictures from files to results, and call only the detector on them, decoded before, one after the other.

    The fact is the time of the stream by that of the detector's calls.
    """
    found = read_for_stream(pipeline, pictures)

    def stream() -> None:
        for result in pipeline.stream(found.files):
            del result

    works = [
        Work("stream", stream, len(found.files)),
        Work("detector alone", lambda: [pipeline.detector.detect(image) for image in found.images], len(found.files)),
    ]
    timings = measure_in_turns(works, effort, group="stream and its detector alone")
    streamed, detected = timings
    return Outcome(timings, {"time_by_that_of_the_detector": round(ratio_in_turns(streamed, detected), 3)})
