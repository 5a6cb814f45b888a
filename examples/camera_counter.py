"""Count people with and without a mask in the terminal: those in view now, and all who came.

pip install "maskcheck[video]"
python examples/camera_counter.py                            # the first camera; Ctrl-C ends
python examples/camera_counter.py rtsp://camera/stream
python examples/camera_counter.py video.mp4 --detector centerface
"""

import argparse
import sys
from collections import Counter
from contextlib import suppress

from maskcheck import MaskCheckError, MaskPipeline, open_source
from maskcheck.events import PersonEntered, Watcher


def described(people: Counter[str]) -> str:
    """People by label: `3 people (2 with_mask, 1 without_mask)`."""
    by_label = ", ".join(f"{count} {label}" for label, count in sorted(people.items()))
    noun = "person" if people.total() == 1 else "people"
    return f"{people.total()} {noun} ({by_label})" if by_label else "nobody"


def main() -> None:
    """Read the command line, and count until the source ends."""
    parser = argparse.ArgumentParser(description="Count people with and without a mask.")
    parser.add_argument("source", nargs="?", default="0", help="number of a camera, address or file; by default, 0")
    parser.add_argument("--detector", default="haar", help="such as haar, centerface or yunet")
    arguments = parser.parse_args()

    watcher = Watcher()
    came: Counter[str] = Counter()  # by the label with which they came
    shown = ""
    # A terminal shows one line that changes; a file or pipe gets a line for each change.
    start, end = ("\r\x1b[K", "") if sys.stdout.isatty() else ("", "\n")
    with (
        open_source(arguments.source) as frames,
        MaskPipeline(arguments.detector) as pipeline,
        suppress(KeyboardInterrupt),
    ):
        for result in pipeline.track(frames):
            came.update(event.label for event in watcher.update(result) if isinstance(event, PersonEntered))
            text = f"now {described(watcher.labels)}; in all {described(came)}"
            if text != shown:
                print(f"{start}{result.time or 0:6.1f} s  {text}", end=end, flush=True)
                shown = text
    print(f"{start}{described(came)} came")


if __name__ == "__main__":
    try:
        main()
    except MaskCheckError as error:
        sys.exit(f"{error}")
