"""Recording: annotated video with the sound of its source, a summary, a chart of it, and a window.

=======================  ==========================================================
module beside this one   holds
=======================  ==========================================================
:mod:`.video_writer`     ``VideoWriter``: pictures to a video file
:mod:`.time_stamps`      times that rise
:mod:`.encoding`         pictures to packets: the codec
:mod:`.sound`            the sound of a source, copied
:mod:`.containers`       MP4, MOV or Matroska
:mod:`.part_file`        the file, valid at any moment
=======================  ==========================================================
"""

from maskcheck.recording.containers import VIDEO_SUFFIXES
from maskcheck.recording.video_writer import VideoWriter

__all__ = ["VIDEO_SUFFIXES", "VideoWriter"]
