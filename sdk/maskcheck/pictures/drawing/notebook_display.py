"""How a notebook displays a result: as a picture of bounded size, or as a table if there is no picture."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np

from maskcheck.pictures.decoding import BGRImage
from maskcheck.pictures.drawing.text_rendering import escape_unprintable

_MAX_SIDE = 1600  # pixels: the width of a notebook on a large screen
_JPEG_QUALITY = 90  # a notebook stores what it displays, and PNG would be ten times as large


def as_jpeg(pixels: BGRImage) -> str:
    """A picture as JPEG in base64, shrunk to at most 1,600 pixels a side.

    Args:
        pixels: uint8 (H, W, 3), BGR.
    """
    height, width = pixels.shape[:2]
    scale = _MAX_SIDE / max(height, width)
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    _, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return base64.b64encode(data.tobytes()).decode("ascii")


def as_table(result: Mapping[str, Any]) -> str:
    """An HTML table of the faces of a result; names and labels are escaped.

    Args:
        result: As ``FrameResult.to_dict`` gives it.
    """
    frame = f"frame {result['frame']}" if result["frame"] or not result["source"] else ""
    title = ", ".join(part for part in (_escaped(result["source"] or ""), frame) if part)
    if result["error"] is not None:
        return f"<p>{title}: {_escaped(result['error']['type'])}: {_escaped(result['error']['message'])}</p>"
    faces = result["faces"]
    count = f"{len(faces) or 'no'} face{'' if len(faces) == 1 else 's'}"
    parts = [f"<p>{title}: {result['width']} x {result['height']} pixels, {count}</p>"]
    if faces:
        columns = ("label", "confidence", "box", "detection score")
        parts.append(f"<table><thead><tr>{_cells('th', columns)}</tr></thead><tbody>")
        parts += [f"<tr>{_cells('td', _face(face))}</tr>" for face in faces]
        parts.append("</tbody></table><p><code>result.draw(picture)</code> gives the annotated picture.</p>")
    return "".join(parts)


def _face(face: Mapping[str, Any]) -> tuple[str, ...]:
    score = "" if face["detection_score"] is None else f"{face['detection_score']:.3f}"
    return face["label"], f"{face['confidence']:.1%}", ", ".join(map(str, face["box"])), score


def _cells(tag: str, texts: tuple[str, ...]) -> str:
    return "".join(f"<{tag}>{_escaped(text)}</{tag}>" for text in texts)


def _escaped(text: str) -> str:
    return html.escape(escape_unprintable(text))
