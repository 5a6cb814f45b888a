"""What a run shows: the table, the counts, and how far it is.

======================  ==================================================
module beside this one  holds
======================  ==================================================
:mod:`.table`           the table that is printed while the run goes on
:mod:`.tally`           counts, and the exit status that follows from them
:mod:`.progress`        the line that says how far the run is
:mod:`.speed`           how fast a video is worked on
======================  ==================================================
"""
