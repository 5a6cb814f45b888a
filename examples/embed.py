"""Print for each face in a picture whether it wears a mask, and write an annotated copy, ``annotated.jpg``.

Usage: python examples/embed.py [PICTURE]
"""

import sys
from pathlib import Path

import cv2

from maskcheck import MaskPipeline

picture = sys.argv[1] if len(sys.argv) > 1 else Path(__file__).with_name("group.jpg")
result = MaskPipeline()(picture)
for face in result:
    print(face.pixel_box, face.label, f"{face.confidence:.1%}")
cv2.imwrite("annotated.jpg", result.draw(picture))
