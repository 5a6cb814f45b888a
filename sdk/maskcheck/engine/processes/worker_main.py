"""What runs in a worker process: it takes pictures from a pipe, and puts their results there."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
from contextlib import closing, suppress
from multiprocessing.connection import Connection

from maskcheck.errors import MaskCheckError
from maskcheck.runtime.cpu import share_cpus

READY = "ready"


def run_worker(connection: Connection, pipeline: bytes, workers: int, keep_images: bool) -> None:
    """Label pictures until the pipe is closed, or the parent process ends.

    Args:
        connection: First, it gets ``READY`` or the error that a warm-up ends in. For each list of pickled frames that
            comes, it gets their results one by one, or the error that ended the work on them.
        pipeline: The pipeline, pickled.
        workers: How many processes share the CPUs.
        keep_images: Whether results hold the decoded picture.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes of a terminal; the parent decides
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    threading.Thread(target=_end_with_parent, name="maskcheck parent", daemon=True).start()
    share_cpus(workers)
    with suppress(ImportError):
        import cv2

        cv2.setNumThreads(max(1, cv2.getNumThreads() // workers))
    with suppress(EOFError, OSError):  # the parent has closed the pipe, or ended
        try:
            made = pickle.loads(pipeline)
            made.timeout = None  # the parent ends a worker that takes too long
            made.warm_up()
        except Exception as error:
            connection.send(_sendable(error))
            return
        connection.send(READY)
        while True:
            frames = [pickle.loads(frame) for frame in connection.recv()]
            with closing(made.stream(frames, keep_images=keep_images)) as results:
                try:
                    for result in results:  # one by one: a list of them might hold many pixels
                        connection.send(result)
                except OSError:
                    raise
                except Exception as error:
                    connection.send(_sendable(error))


def _end_with_parent() -> None:
    """End this process when its parent has ended, even while native code works or hangs."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _sendable(error: Exception) -> Exception:
    """An error that survives the pipe."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return MaskCheckError(f"{type(error).__name__}: {error}")
    return error
