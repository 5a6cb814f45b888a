"""Runs of ``maskcheck detect`` over large folders: killed and continued, with bad files, and in worker processes.

=========================  ===================================================================
module beside this one     holds
=========================  ===================================================================
:mod:`.killed_runs`        a run that is killed again and again, against one that is not
:mod:`.bad_files`          a folder with bad files against a clean one
:mod:`.worker_turns`       worker processes against threads
:mod:`.detect_process`     ``maskcheck detect`` as a process
:mod:`.made_folder`        folders of many small pictures
=========================  ===================================================================
"""
