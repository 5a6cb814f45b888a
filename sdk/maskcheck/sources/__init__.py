"""Sources: from the files, folders, patterns, videos, cameras and addresses that a user names to their frames.

=======================  =====================================================================
module beside this one   holds
=======================  =====================================================================
:mod:`.source`           ``Source``: a picture file, a video or a live source, or the error in its place
:mod:`.reader`           ``FrameReader``: what reads the frames of a source
:mod:`.search`           ``find_sources``: what each argument stands for
:mod:`.folders`          the search through a folder
:mod:`.file_kinds`       whether a file is a picture or a video
:mod:`.video_formats`    recognising videos by their endings and first bytes
:mod:`.list_files`       lists of sources in a file
:mod:`.live_names`       which arguments mean a camera or a stream
:mod:`.addresses`        addresses without their passwords
:mod:`.opening`          ``open_source``: the reader of whatever a caller names
:mod:`.files_reader`     the reader of pictures and of several files
:mod:`.video_file`       the reader of a video file
:mod:`.video_container`  opening a video file, and what it says of itself
:mod:`.video_start`      reading from a later second on
:mod:`.frame_clock`      times of frames, which always rise
:mod:`.live`             the reader of cameras and streams
:mod:`.left_out`         ``LeftOut``: what a search passes over, counted by kind
:mod:`.pipes`            standard input and named pipes
=======================  =====================================================================
"""

from maskcheck.sources.left_out import LeftOut
from maskcheck.sources.pipes import read_piped
from maskcheck.sources.search import expand_home, find_sources
from maskcheck.sources.source import Source, SourceKind

__all__ = ["LeftOut", "Source", "SourceKind", "expand_home", "find_sources", "read_piped"]
