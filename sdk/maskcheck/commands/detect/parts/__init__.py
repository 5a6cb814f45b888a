"""The parts of a run: pictures, videos, and what is live.

======================  ==================================================
module beside this one  holds
======================  ==================================================
:mod:`.picture_pass`    its part that works on pictures
:mod:`.video_pass`
:mod:`.live_pass`
:mod:`.video_outputs`
:mod:`.run_events`
======================  ==================================================
"""
