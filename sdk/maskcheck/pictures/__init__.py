"""Pictures: decoding them within limits, cutting faces out of them, and drawing results on them.

======================  ==============================================================
module beside this      holds
======================  ==============================================================
:mod:`.limits`          ``DecodingLimits``: the most pixels, bytes, scans and frames
:mod:`.formats`         file name endings, and formats recognised by their first bytes
:mod:`.decoding`        from a path, bytes, an array or a ``PIL.Image`` to BGR pixels
:mod:`.crops`           the square crop of a face that the classifier takes
:mod:`.drawing`         boxes and captions; how a notebook displays a result
======================  ==============================================================
"""
