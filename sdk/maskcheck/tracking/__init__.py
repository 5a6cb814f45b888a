"""Tracks: the same face in every frame of a video has the same number, and a label that does not flicker.

=======================  ======================================================================
module beside this one   holds
=======================  ======================================================================
:mod:`.settings`         ``TrackingSettings``: times and distances
:mod:`.motion`           where a face is and how it moves
:mod:`.face_tracker`     ``FaceTracker``: which detection is which face
:mod:`.track_labels`     ``TrackLabels``: the label of a face over time
:mod:`.result_tracker`   ``ResultTracker``: from the results of frames to those of a video
:mod:`.look_memory`      ``LookMemory``: what the classifier said a moment ago
:mod:`.tracking_engine`  ``TrackingEngine``: the same while frames are worked on; it spares the classifier
=======================  ======================================================================
"""

from maskcheck.tracking.face_tracker import FaceTracker
from maskcheck.tracking.result_tracker import ResultTracker
from maskcheck.tracking.settings import TrackingSettings
from maskcheck.tracking.track_labels import TrackLabels

__all__ = ["FaceTracker", "ResultTracker", "TrackLabels", "TrackingSettings"]
