"""``maskcheck batch``: many pictures into Parquet files, on this machine or on a cluster of Ray.

=========================  ==================================================================
module beside this one     holds
=========================  ==================================================================
:mod:`.command`            the command and its options
:mod:`.run`                a run: plan, what is missing, engine, report
:mod:`.items`              the pictures that SOURCES name
:mod:`.places`             files on this machine and in object stores
:mod:`.plan`               which pictures are in which part
:mod:`.reading`            the bytes of pictures, read ahead
:mod:`.part_worker`        works on a part, and writes its file
:mod:`.part_report`        what became of the pictures of a part
:mod:`.job_report`         what became of all
:mod:`.engines`            what runs parts, and the engine of this machine
:mod:`.ray_engine`         the engine on Ray
=========================  ==================================================================

How nothing is lost, and nothing is there twice: the first run writes a plan, which puts each picture into a numbered
part, for ever. A part is worked on whole, its rows depend on its pictures alone, and its file appears at once when all
of them are there. So a file that exists is finished, whoever works on a part twice (a retry of Ray, a process of a run
that was killed and has not noticed yet) writes the same file again, and a run that goes on does the parts without one.
"""

from maskcheck.commands.batch.command import batch

__all__ = ["batch"]
