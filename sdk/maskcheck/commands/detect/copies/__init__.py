"""Annotated copies of pictures and videos, and the names of files in the output folder.

========================  ==================================================
module beside this one    holds
========================  ==================================================
:mod:`.annotator`         annotated copies of the pictures
:mod:`.annotated_video`
:mod:`.picture_encoding`  an annotated copy as the bytes of a file
:mod:`.output_names`
:mod:`.video_files`
========================  ==================================================
"""
