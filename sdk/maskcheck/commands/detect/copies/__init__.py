"""Annotated copies of pictures and videos, and the names of files in the output folder.

========================  ==============================================
module beside this one    holds
========================  ==============================================
:mod:`.annotator`         annotated copies of pictures
:mod:`.annotated_video`   annotated copies of videos, blurred or not
:mod:`.picture_encoding`  an annotated copy as the bytes of a file
:mod:`.output_names`      names of files in the output folder, each once
:mod:`.video_files`       which files are written of a video
========================  ==============================================
"""
