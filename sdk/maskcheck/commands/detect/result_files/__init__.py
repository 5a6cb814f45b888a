"""Files of results: lines that outlive the run, other forms of them, and receipts.

======================  ======================================================================================
module beside this one  holds
======================  ======================================================================================
:mod:`.results_file`    a file of results that takes its place when the run ends, and may continue another one
:mod:`.part_file`       that file, as long as the run writes it
:mod:`.journal`         its lines: what counts as done when a run was killed
:mod:`.done_sources`    sources that are done, in little memory
:mod:`.receipt_file`    the receipt beside it
:mod:`.settings_check`  whether results that are continued were made with the same settings
:mod:`.replaceable`     which files may be replaced
:mod:`.conversion`      results in another form, made when the run ends
:mod:`.result_writers`  JSON lines, CSV and COCO for a stream
:mod:`.csv_writer`      CSV
:mod:`.coco_writer`     COCO
:mod:`.parquet_writer`  Parquet
:mod:`.face_rows`       the columns that CSV and Parquet share
:mod:`.output_folder`   the folder of ``--output``, for one run at a time
:mod:`.safe_files`      files that are written whole or not at all, and locks
======================  ======================================================================================
"""
