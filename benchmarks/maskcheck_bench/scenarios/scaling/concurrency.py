"""More at the same time in one process: threads of the session, and callers of one pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from maskcheck import MaskClassifier, MaskPipeline
from maskcheck.runtime.cpu import default_thread_count
from maskcheck.runtime.providers import CPU
from maskcheck_bench.measuring.noise_crops import draw_noise
from maskcheck_bench.measuring.outcome import Effort, Outcome
from maskcheck_bench.measuring.turns import Work, counts_up_to, measure_in_turns
from maskcheck_bench.scenarios.scaling.pictures import read_pictures

CALLERS = (1, 2, 4)


def time_threads(pipeline: MaskPipeline, _pictures: Sequence[str], effort: Effort) -> Outcome:
    """Classify a batch of noise with sessions of more and more threads."""
    classifier = pipeline.classifier
    if classifier.providers[0] != CPU:
        return Outcome(skipped=f"threads are the CPU provider's, and the classifier runs on {classifier.providers[0]}")
    batch = classifier.batch_size
    crops = draw_noise(classifier, batch)
    works = []
    for threads in counts_up_to(default_thread_count()):
        one = MaskClassifier(classifier.path, providers=[CPU], threads=threads, batch_size=batch)
        works.append(Work(f"batches of {batch}", partial(one, crops), batch, threads))
    return Outcome(measure_in_turns(works, effort, group="threads of the classifier", settle=True))


def time_callers(pipeline: MaskPipeline, pictures: Sequence[str], effort: Effort) -> Outcome:
    """Stream all pictures for several callers at once, who share the pipeline."""
    files = read_pictures(pipeline, pictures).files

    def stream() -> None:
        for result in pipeline.stream(files):
            del result

    with ThreadPoolExecutor(max(CALLERS)) as pool:

        def together(callers: int) -> None:
            for done in [pool.submit(stream) for _ in range(callers)]:
                done.result()

        works = [Work("pictures", partial(together, callers), callers * len(files), callers) for callers in CALLERS]
        return Outcome(measure_in_turns(works, effort, group="streams at once"))
