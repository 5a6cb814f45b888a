"""Sources: from the files, folders, patterns, videos, cameras and addresses that a user names to their frames.

=======================  =====================================================================
module beside this one   holds
=======================  =====================================================================
:mod:`.source`           ``Source``: a picture file, a video or a live source, or the error in its place
:mod:`.reader`           ``FrameReader``: what reads the frames of a source
:mod:`.search`           ``find_pictures``: what each argument stands for
:mod:`.folders`          the search through a folder
:mod:`.left_out`         ``LeftOut``: what a search passes over, counted by kind
:mod:`.pipes`            standard input and named pipes
=======================  =====================================================================
"""

from maskcheck.sources.left_out import LeftOut
from maskcheck.sources.pipes import read_piped
from maskcheck.sources.search import expand_home, find_pictures
from maskcheck.sources.source import Source

__all__ = ["LeftOut", "Source", "expand_home", "find_pictures", "read_piped"]
