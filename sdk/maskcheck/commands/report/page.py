"""The page: one HTML file with everything in it, which loads nothing from anywhere."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from maskcheck.commands.console import printable
from maskcheck.commands.report.reading import ReadError, ShownFace
from maskcheck.commands.report.thumbnails import Thumbnail

MARK = b"<!doctype html>\n<!-- maskcheck report -->\n"
"""How a page begins; no other file is replaced."""

_FOLDER = Path(__file__).parent


def make_page(
    *,
    made: str,
    counts: Sequence[tuple[str, int]],
    remarks: Sequence[str],
    faces: Sequence[tuple[ShownFace, Thumbnail]],
    errors: Sequence[ReadError],
    failed: int,
) -> bytes:
    """A page of faces.

    Its script, which is in it, shows them; it may be run, and nothing else, as the page's policy says. Names of files
    are part of its data, never of its code.

    Args:
        made: What it shows, and when it was made.
        counts: Names and numbers, for the head of the page.
        remarks: What else a reader should know.
        faces: The faces, in order, with their thumbnails.
        errors: Why pictures could not be read.
        failed: How many there are, with those that are not in `errors`.
    """
    style, script = _read("page.css"), _read("page.js")
    policy = (
        "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:;"
        f" style-src '{_hash(style)}'; script-src '{_hash(script)}'"
    )
    data = {
        "made": printable(made),
        "counts": [[printable(name), number] for name, number in counts],
        "remarks": [*map(printable, remarks)],
        "labels": sorted({printable(face.label) for face, _ in faces}),
        "faces": [_face(face, thumbnail) for face, thumbnail in faces],
        "errors": [
            {"source": printable(error.source), "time": error.time, "reason": printable(error.reason)}
            for error in errors
        ],
        "failed": failed,
    }
    # The data last, so that nothing is filled into them, whatever a file is called.
    page = _read("page.html")
    for name, content in (("policy", policy), ("style", style), ("script", script), ("data", _json(data))):
        before, _, after = page.partition(f"{{{name}}}")
        page = before + content + after
    return page.encode("utf-8")


def _face(face: ShownFace, thumbnail: Thumbnail) -> Mapping[str, Any]:
    return {
        "source": printable(face.source),
        "name": printable(Path(face.source).name or face.source),
        "frame": face.frame,
        "time": face.time,
        "box": face.box,
        "label": printable(face.label),
        "confidence": face.confidence,
        "probabilities": {printable(label): share for label, share in face.probabilities.items()},
        "score": face.score,
        "track": face.track,
        "first": face.first,
        "last": face.last,
        "frames": face.frames,
        "image": thumbnail.address,
        "missing": thumbnail.missing,
    }


def _json(data: Mapping[str, Any]) -> str:
    """JSON that cannot end the element that it is in: ``<`` and ``>`` are written as escapes."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _read(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
