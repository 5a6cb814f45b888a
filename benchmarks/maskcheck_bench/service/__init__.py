"""The HTTP service under load.

=======================  ========================================================================
module beside this one   holds
=======================  ========================================================================
:mod:`.clients`          clients: so many at once, at a rate, well-behaved or not; in a process of their own
:mod:`.servers`          what they talk to, each in a process: the service, and a naive one
:mod:`.throughput`       pictures a second and latencies, against a stream and the naive service
:mod:`.soak`             many requests, some of them broken, and what they leave behind
=======================  ========================================================================
"""
