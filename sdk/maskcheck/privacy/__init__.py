"""Privacy: faces are blurred before anything is written, in videos also where the detector misses them.

=======================  ==========================================================================
module beside this one   holds
=======================  ==========================================================================
:mod:`.blurring`         ``blur_faces``: makes faces unrecognisable in a picture
:mod:`.selection`        ``Blur``, ``boxes_to_blur``: which faces of a result are blurred
:mod:`.face_path`        where a face is between, before and after the frames in which it was found
:mod:`.plan`             ``BlurPlan``: what to blur in each frame of a video that was searched before
:mod:`.delayed`          ``DelayedBlur``: the same for a stream, a moment later
=======================  ==========================================================================
"""

from maskcheck.privacy.blurring import blur_faces
from maskcheck.privacy.delayed import DelayedBlur
from maskcheck.privacy.plan import HOLD, BlurPlan
from maskcheck.privacy.selection import SURE, Blur, boxes_to_blur, must_blur

__all__ = ["HOLD", "SURE", "Blur", "BlurPlan", "DelayedBlur", "blur_faces", "boxes_to_blur", "must_blur"]
