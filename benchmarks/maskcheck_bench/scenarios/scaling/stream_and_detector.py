"""A stream compared with the calls of its detector, which it cannot do without."""

from __future__ import annotations

from collections.abc import Sequence

from maskcheck import MaskPipeline
from maskcheck_bench.measuring.effort import Effort
from maskcheck_bench.measuring.outcome import Outcome
from maskcheck_bench.measuring.streams import exhaust
from maskcheck_bench.measuring.turns import Work, measure_in_turns, ratio_in_turns
from maskcheck_bench.scenarios.scaling.pictures import read_for_stream


def compare_with_detector(pipeline: MaskPipeline, pictures: Sequence[str], effort: Effort) -> Outcome:
    """Stream pictures from files to results, and call only the detector on the same pictures, already decoded.

    The fact is the time of the stream divided by the time of the detector's calls.
    """
    chosen = read_for_stream(pipeline, pictures)
    works = [
        Work("stream", lambda: exhaust(pipeline.stream(chosen.files)), len(chosen.files)),
        Work("detector alone", lambda: [pipeline.detector.detect(image) for image in chosen.images], len(chosen.files)),
    ]
    timings = measure_in_turns(works, effort, group="stream and its detector alone")
    streamed, detected = timings
    return Outcome(timings, {"time_by_that_of_the_detector": round(ratio_in_turns(streamed, detected), 3)})
