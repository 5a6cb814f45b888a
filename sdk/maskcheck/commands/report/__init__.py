"""``maskcheck report``: a page of the faces that a run found, to look through in a browser.

=========================  ============================================================
module beside this one     holds
=========================  ============================================================
:mod:`.command`            the command and its options
:mod:`.run_folder`         where a run left its results, and what it was asked to blur
:mod:`.reading`            the faces to show, from the lines of the results
:mod:`.thumbnails`         small pictures of faces, from the pictures of the run
:mod:`.video_thumbnails`   frames of videos for them
:mod:`.page`               the page, of ``page.html``, ``page.css`` and ``page.js``
=========================  ============================================================
"""

from maskcheck.commands.report.command import report

__all__ = ["report"]
