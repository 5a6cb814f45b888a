"""Live sources: cameras and streams, whose frames come in their own time.

=======================  ================================================================================
module beside this one   holds
=======================  ================================================================================
:mod:`.reader`           ``LiveReader``: gives the newest frame, and connects again after a disconnect
:mod:`.state`            ``LiveState``: what a live source does at the moment, for those who watch over it
:mod:`.attempts`         when the next attempt to connect is made, and when there is none
:mod:`.newest`           the newest picture, between the thread that receives and the one that takes
:mod:`.connection`       ``Connection``: what gives pictures until it is lost; ``ConnectionFailure``
:mod:`.streams`          connections to streams, by PyAV
:mod:`.pace`             the pace of streams that come in segments
:mod:`.stream_failures`  why a stream cannot be read, in words, without passwords
:mod:`.cameras`          connections to the cameras of this machine, by OpenCV
=======================  ================================================================================
"""

from maskcheck.sources.live.reader import LiveReader
from maskcheck.sources.live.state import LiveState

__all__ = ["LiveReader", "LiveState"]
