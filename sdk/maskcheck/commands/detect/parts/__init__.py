"""The parts of a run: pictures, videos, and what is live.

======================  ==================================================
module beside this one  holds
======================  ==================================================
:mod:`.picture_pass`    pictures, in threads or worker processes
:mod:`.video_pass`      videos, one after the other
:mod:`.live_pass`       cameras and streams, all at the same time
:mod:`.following`       what the parts share in which people are followed
:mod:`.video_outputs`   what is done with the results of a video or camera
:mod:`.run_events`      events of a run: watched for, and delivered
======================  ==================================================
"""
