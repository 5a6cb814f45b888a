"""Decoding: a path, bytes, an array or a ``PIL.Image`` becomes one upright BGR picture.

Only this package decodes, so that EXIF orientation is applied once and the limits hold everywhere. :mod:`.load` is the
way in. Data flow from left to right::

    path, open file --files--> bytes --pillow_readers--> PIL.Image --limit_checks--> decoded --bgr_conversion--> Picture
                               bytes of a TIFF with deep colours --------deep_tiff-----------------------------> Picture
                               NumPy array ------------------------------arrays--------------------------------> Picture

=======================  =======================================================================================
module beside this one   holds
=======================  =======================================================================================
:mod:`.picture`          the types: ``BGRImage``, ``ImageLike``, ``Picture``
:mod:`.load`             ``load_image``
:mod:`.files`            reading the bytes of a regular or an open file
:mod:`.pillow_readers`   which formats Pillow may open; HEIC; formats that can only be named
:mod:`.limit_checks`     ``ImageTooLarge``: the limits, checked before decoding
:mod:`.part_counts`      chunks, segments and boxes before the pixels
:mod:`.frame_counts`     frames of a GIF, pages of a TIFF
:mod:`.jpeg`             JPEG markers: scans
:mod:`.jpeg2000`         JPEG 2000: tiles and code blocks
:mod:`.truncated_jpeg`   JPEG files whose end is missing
:mod:`.bgr_conversion`   from Pillow's modes to upright BGR
:mod:`.bit_depth`        from 16-bit, 32-bit and floating-point values to 8 bits
:mod:`.deep_tiff`        TIFF colours that Pillow cannot open or decodes too dark
:mod:`.arrays`           NumPy arrays from the caller
=======================  =======================================================================================
"""

from maskcheck.pictures.decoding.load import load_image
from maskcheck.pictures.decoding.picture import BGRImage, ImageLike, Picture

__all__ = ["BGRImage", "ImageLike", "Picture", "load_image"]
