"""Drawing: boxes and captions on a picture, and how a notebook displays a result.

=========================  ==========================================================
module beside this one     holds
=========================  ==========================================================
:mod:`.faces`              ``draw_faces``: a box and a caption for each face
:mod:`.zones`              ``draw_zone`` and ``draw_line``, with their counts
:mod:`.captions`           a caption, in OpenCV's font or one of the system
:mod:`.text_rendering`     letters that OpenCV's font lacks
:mod:`.notebook_display`   a result as JPEG or as an HTML table
=========================  ==========================================================
"""

from maskcheck.pictures.drawing.faces import LabelledBox, draw_faces

__all__ = ["LabelledBox", "draw_faces"]
