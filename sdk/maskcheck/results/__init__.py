"""Results: the faces of a picture, and what they were made with.

=======================  ==========================================================
module beside this one   holds
=======================  ==========================================================
:mod:`.face`             ``Face``: a box and its label
:mod:`.frame_result`     ``FrameResult``: all faces of a picture; ``Timings``
:mod:`.receipt`          ``Receipt``: what results were made with
:mod:`.fields`           checked access to the fields of parsed JSON
=======================  ==========================================================
"""

from maskcheck.results.face import Face
from maskcheck.results.frame_result import SCHEMA, UNSURE, FrameResult, Timings, count_labels
from maskcheck.results.receipt import RECEIPT_SCHEMA, Receipt, StageReceipt

__all__ = [
    "RECEIPT_SCHEMA",
    "SCHEMA",
    "UNSURE",
    "Face",
    "FrameResult",
    "Receipt",
    "StageReceipt",
    "Timings",
    "count_labels",
]
