"""Several things at once in one process: threads of the session, and callers of one pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from maskcheck import MaskClassifier, MaskPipeline
from maskcheck.runtime.cpu import default_thread_count
from maskcheck.runtime.providers import CPU
from maskcheck_bench.measuring.effort import Effort
from maskcheck_bench.measuring.mask_classifier import mask_classifier
from maskcheck_bench.measuring.noise_crops import draw_noise
from maskcheck_bench.measuring.outcome import Outcome
from maskcheck_bench.measuring.streams import exhaust
from maskcheck_bench.measuring.turns import Work, counts_up_to, measure_in_turns
from maskcheck_bench.scenarios.scaling.pictures import read_pictures

CALLERS = (1, 2, 4)


def time_threads(pipeline: MaskPipeline, _pictures: Sequence[str], effort: Effort) -> Outcome:
    """Classify a batch of noise with sessions of more and more threads."""
    classifier = mask_classifier(pipeline)
    if classifier.providers[0] != CPU:
        return Outcome(skipped=f"only the CPU provider has threads; the classifier runs on {classifier.providers[0]}")
    batch = classifier.batch_size
    crops = draw_noise(classifier, batch)
    works = []
    for threads in counts_up_to(default_thread_count()):
        threaded = MaskClassifier(classifier.path, providers=[CPU], threads=threads, batch_size=batch)
        works.append(Work(f"batches of {batch}", partial(threaded, crops), batch, threads))
    return Outcome(measure_in_turns(works, effort, group="threads of the classifier", settle=True))


def time_callers(pipeline: MaskPipeline, pictures: Sequence[str], effort: Effort) -> Outcome:
    """Stream all pictures for several callers at once, who share the pipeline."""
    files = read_pictures(pipeline, pictures).files
    with ThreadPoolExecutor(max(CALLERS)) as pool:

        def stream_at_once(callers: int) -> None:
            for future in [pool.submit(lambda: exhaust(pipeline.stream(files))) for _ in range(callers)]:
                future.result()

        works = [Work("pictures", partial(stream_at_once, count), count * len(files), count) for count in CALLERS]
        return Outcome(measure_in_turns(works, effort, group="streams at once"))
