"""Watch a door: print who comes and goes and when a mask comes off, count who walks through, and save their faces.

pip install "maskcheck[video]"
python examples/door_monitor.py rtsp://camera/stream --line door=50%,0%,50%,100%
python examples/door_monitor.py 0 --zone counter=10%,50%,50%,50%,50%,100%,10%,100% --faces faces
"""

import argparse
import sys
from contextlib import suppress
from pathlib import Path

import cv2

from maskcheck import MaskCheckError, MaskPipeline
from maskcheck.events import Event, LineCrossed, ZoneEntered, ZoneLeft
from maskcheck.events.geometry_arguments import parse_line, parse_zone


def described(event: Event) -> str:
    """The event in a line of text."""
    where = f" {event.zone}" if isinstance(event, (ZoneEntered, ZoneLeft)) else ""
    if isinstance(event, LineCrossed):
        where = f" {event.line} {event.direction}"
    return f"{event.time:7.2f} s  person {event.track_id}  {event.kind}{where}  {event.label} {event.confidence:.0%}"


def main() -> None:
    """Read the command line, and watch until the source ends; Ctrl-C ends it too."""
    parser = argparse.ArgumentParser(description="Print events at a door, and save the faces.")
    parser.add_argument("source", help="number of a camera, address or file")
    parser.add_argument("--line", type=parse_line, action="append", default=[], metavar="NAME=X,Y,X,Y")
    parser.add_argument("--zone", type=parse_zone, action="append", default=[], metavar="NAME=X,Y,X,Y,X,Y,...")
    parser.add_argument("--faces", type=Path, default=Path("faces"), help="folder for the pictures of the faces")
    parser.add_argument("--detector", default="haar", help="such as haar, centerface or yunet")
    arguments = parser.parse_args()

    arguments.faces.mkdir(parents=True, exist_ok=True)
    with MaskPipeline(arguments.detector) as pipeline, suppress(KeyboardInterrupt):
        for event in pipeline.watch(arguments.source, zones=arguments.zone, lines=arguments.line):
            print(described(event), flush=True)
            if event.crop is not None:
                name = f"{event.time:08.2f}_{event.track_id}_{event.kind}.jpg"
                cv2.imwrite(str(arguments.faces / name), event.crop)


if __name__ == "__main__":
    try:
        main()
    except MaskCheckError as error:
        sys.exit(f"{error}")
