"""Sources: from the files, folders, patterns and pipes that a user names to the pictures that they stand for.

=======================  =====================================================================
module beside this one   holds
=======================  =====================================================================
:mod:`.source`           ``Source``: a picture file, or the error in its place
:mod:`.search`           ``find_pictures``: what each argument stands for
:mod:`.folders`          the search through a folder
:mod:`.left_out`         ``LeftOut``: what a search passes over, counted by kind
:mod:`.pipes`            standard input and named pipes
=======================  =====================================================================
"""

from maskcheck.pictures.sources.left_out import LeftOut
from maskcheck.pictures.sources.pipes import read_piped
from maskcheck.pictures.sources.search import expand_home, find_pictures
from maskcheck.pictures.sources.source import Source

__all__ = ["LeftOut", "Source", "expand_home", "find_pictures", "read_piped"]
