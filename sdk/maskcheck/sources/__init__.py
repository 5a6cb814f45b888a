"""Sources: finds the pictures, videos, cameras and streams that a user names, and reads their frames.

=======================  =====================================================================
module beside this one   holds
=======================  =====================================================================
:mod:`.source`           ``Source``: a picture, a video, a camera or a stream, or the error in its place
:mod:`.reader`           ``FrameReader``, the base class of all readers, and ``VideoInfo``
:mod:`.search`           ``find_sources``: the sources that each argument names
:mod:`.folders`          the search through a folder
:mod:`.file_kinds`       whether a file is a picture or a video
:mod:`.video_formats`    file endings and first bytes of videos
:mod:`.list_files`       ``@list.txt``: files that list sources
:mod:`.live_names`       which arguments are a camera or the address of a stream
:mod:`.addresses`        removes passwords from addresses
:mod:`.opening`          ``open_source``: opens any source
:mod:`.files_reader`     readers of pictures, of several files and of a caller's frames
:mod:`.video_file`       the reader of a video file
:mod:`.video_container`  opens a video file and reads its metadata
:mod:`.video_start`      finds the keyframe to start from
:mod:`.frame_clock`      frame times that always increase
:mod:`.pyav`             what readers of files and streams share: PyAV's limits, errors and pixels
:mod:`.live`             the reader of cameras and streams
:mod:`.left_out`         ``LeftOut``: counts the files that a search skips, by kind
:mod:`.pipes`            standard input and named pipes
=======================  =====================================================================
"""

from maskcheck.sources.left_out import LeftOut
from maskcheck.sources.pipes import read_piped
from maskcheck.sources.search import expand_home, find_sources
from maskcheck.sources.source import Source, SourceKind

__all__ = ["LeftOut", "Source", "SourceKind", "expand_home", "find_sources", "read_piped"]
