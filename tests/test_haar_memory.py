"""A picture of any shape leaves the Haar detectors as they were: what they keep does not grow with what they saw."""

from __future__ import annotations

import subprocess
import sys

import pytest

# The peak is VmHWM: ru_maxrss of a child begins with that of its parent, which the other tests have raised.
STRIPS = """
import pathlib, re, resource, sys
resource.setrlimit(resource.RLIMIT_AS, (4_000_000_000,) * 2)
import numpy as np
from maskcheck import MaskPipeline

detector = MaskPipeline(sys.argv[1]).detector
for shape in ((1000, 1000), (60_000, 48), (48, 60_000), (1000, 1000)):
    detector.detect(np.full((*shape, 3), 127, np.uint8))
print(int(re.search(r"VmHWM:\\s+(\\d+) kB", pathlib.Path("/proc/self/status").read_text())[1]) // 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit of memory for one process")
@pytest.mark.parametrize("detector", ["haar", "haar-plain"])
def test_a_tall_strip_and_then_a_wide_one_take_no_more_memory_than_either(detector: str) -> None:
    run = subprocess.run([sys.executable, "-c", STRIPS, detector], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) < 1200  # MB
