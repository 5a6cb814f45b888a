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
:mod:`.summary`          ``VideoSummary``: who was seen, when, and with which label
:mod:`.people`           the tracks of a summary
:mod:`.timeline`         people by label over time
:mod:`.chart`            ``draw_chart``: that timeline as a picture
:mod:`.clock`            a time as people read it
=======================  ==========================================================
"""

from maskcheck.recording.chart import draw_chart
from maskcheck.recording.containers import VIDEO_SUFFIXES
from maskcheck.recording.summary import SUMMARY_SCHEMA, VideoSummary
from maskcheck.recording.video_writer import VideoWriter

__all__ = ["SUMMARY_SCHEMA", "VIDEO_SUFFIXES", "VideoSummary", "VideoWriter", "draw_chart"]
