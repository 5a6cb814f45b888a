"""Pictures in worker processes: a crash of native code costs one picture, and not the run.

=========================  ========================================================================
module beside this one     holds
=========================  ========================================================================
:mod:`.stream`             results in order, from several workers: for one stream, or from ``WorkerProcesses``
:mod:`.task`               pictures that go to a worker together, and what became of them
:mod:`.worker`             a worker, as its parent sees it
:mod:`.worker_main`        what runs in the worker
=========================  ========================================================================

Each worker has its own pipe. Libraries of process pools share one pipe and its lock among all workers: one that is
killed while it writes then takes the results of the others with it.
"""

from maskcheck.engine.processes.stream import WorkerProcesses, stream_in_processes

__all__ = ["WorkerProcesses", "stream_in_processes"]
