"""``maskcheck batch`` on a Ray cluster that is killed bit by bit, against this machine alone.

=========================  ===================================================================
module beside this one     holds
=========================  ===================================================================
:mod:`.made_pictures`      many small pictures with faces, some of them bad, one that kills
:mod:`.killing_detector`   the detector that dies of that one, as a plugin
:mod:`.cluster_run`        the runs, what is killed, and what differs
=========================  ===================================================================
"""
