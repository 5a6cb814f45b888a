"""``maskcheck detect``, from the command line to the files that it writes.

=======================  ============================================================================
module beside this one   holds
=======================  ============================================================================
:mod:`.command`          the command
:mod:`.run_options`      its options that say what a run does
:mod:`.settings`         these, together
:mod:`.run`              the run over all sources, part by part
:mod:`.parts`            these parts: pictures, videos, cameras and streams
:mod:`.outputs`          what is done with each result: it is written, counted and shown
:mod:`.targets`          where results go
:mod:`.result_files`     files of results, which a later run can continue, and receipts
:mod:`.copies`           annotated copies of pictures and videos
:mod:`.terminal`         the table, the counts, and the line that says how far the run is
:mod:`.stopping`         what Ctrl-C does
=======================  ============================================================================
"""

from maskcheck.commands.detect.command import detect

__all__ = ["detect"]
