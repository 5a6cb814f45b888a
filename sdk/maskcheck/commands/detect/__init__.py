"""``maskcheck detect``, from the command line to the files that it writes.

=========================  ===================================================================
module beside this one     holds
=========================  ===================================================================
:mod:`.command`            the command and its options
:mod:`.run`                the run over all sources, part by part
:mod:`.picture_pass`       its part that works on pictures
:mod:`.targets`            where results go
:mod:`.outputs`            what is done with each result: it is written, counted and shown
:mod:`.stopping`           what Ctrl-C does
:mod:`.tally`              counts, and the exit status that follows from them
:mod:`.table`              the table that is printed while the run goes on
:mod:`.progress`           the line that says how far the run is
:mod:`.speed`              how fast a video is worked on
:mod:`.output_folder`      the folder of ``--output``, for one run at a time
:mod:`.annotator`          annotated copies of the pictures
:mod:`.picture_encoding`   an annotated copy as the bytes of a file
:mod:`.results_file`       a file of results that takes its place when the run ends, and may continue another one
:mod:`.part_file`          that file, as long as the run writes it
:mod:`.journal`            its lines: what counts as done when a run was killed
:mod:`.done_sources`       sources that are done, in little memory
:mod:`.receipt_file`       the receipt beside it
:mod:`.settings_check`     whether results that are continued were made with the same settings
:mod:`.replaceable`        which files may be replaced
:mod:`.conversion`         results in another form, made when the run ends
:mod:`.result_writers`     JSON lines, CSV and COCO for a stream
:mod:`.csv_writer`         CSV
:mod:`.coco_writer`        COCO
:mod:`.parquet_writer`     Parquet
:mod:`.face_rows`          the columns that CSV and Parquet share
:mod:`.safe_files`         files that are written whole or not at all, and locks
=========================  ===================================================================
"""

from maskcheck.commands.detect.command import detect

__all__ = ["detect"]
