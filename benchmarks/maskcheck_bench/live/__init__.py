"""Live sources against a camera on this machine: how soon they are back after an outage, and how late frames are.

=======================  ===================================================================
module beside this one   holds
=======================  ===================================================================
:mod:`.live_measurement` the outages, the delays and what is left behind
:mod:`.camera_process`   a camera that is a process of its own, which can be killed and frozen
:mod:`.mjpeg_camera`     the program of that process
:mod:`.marked_pictures`  pictures that carry a number
=======================  ===================================================================
"""
