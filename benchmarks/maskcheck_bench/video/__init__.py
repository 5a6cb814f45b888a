"""Videos of many faces: how fast they are worked on, by what, and what an hour of them leaves in memory.

========================  ====================================================================
module beside this one    holds
========================  ====================================================================
:mod:`.ways`              ways to work on a video: with tracks, as a command, frame by frame
:mod:`.way_turns`         these ways, timed in turns
:mod:`.part_costs`        what each part of the work takes of the CPUs
:mod:`.long_stream`       memory over a stream of an hour, by a clock that is simulated
========================  ====================================================================
"""
