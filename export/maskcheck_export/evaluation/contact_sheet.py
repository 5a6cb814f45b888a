"""Draws a page of faces, each with a caption."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from maskcheck.pictures.crops import crop_face
from maskcheck_export.data.samples import Sample
from maskcheck_export.evaluation.plots import figure_of, plain
from maskcheck_export.evaluation.prediction import read_faces

COLUMNS = 5
FACE_SIDE = 224  # pixels
LONGEST_LINE = 34  # characters


def plot_contact_sheet(samples: Sequence[Sample], captions: Sequence[Sequence[str]], *, margin: float) -> Figure:
    """Faces in rows of five, enlarged, each below its caption and the name of its file.

    Args:
        samples: The faces; 1 or more.
        captions: Lines of text for each face.
        margin: Shown around the box on each side, as a share of its longer side.

    Raises:
        ImageError: A picture cannot be read.
    """
    columns = min(COLUMNS, len(samples))
    rows = -(-len(samples) // columns)
    figure = figure_of(2.2 * columns, 2.9 * rows)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in panels:
        axes.set_axis_off()
    for axes, caption, (sample, picture) in zip(panels, captions, read_faces(samples), strict=False):
        axes.imshow(crop_face(picture, np.array(sample.box), size=FACE_SIDE, margin=margin))
        lines = [_shortened(line) for line in (*caption, f"{sample.dataset}/{sample.path.name}")]
        axes.set_title(plain("\n".join(lines)), loc="left", fontsize=8)
    return figure


def _shortened(line: str) -> str:
    """The line without its middle, if it would be wider than a face."""
    half = LONGEST_LINE // 2
    return line if len(line) <= LONGEST_LINE else f"{line[: half - 1]}…{line[-half:]}"
