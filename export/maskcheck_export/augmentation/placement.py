"""Where the parts of a face are in a picture: what is painted on a face follows its turn and tilt.

Positions are shares of an upright face: x from 0 (left ear) to 1 (right ear) in the picture, y from 0 (hairline) to 1
(chin). In boxes by people and by :func:`~maskcheck_export.data.portraits.find_face` the eyes are at 0.33 to 0.43, the
tip of the nose at 0.50 to 0.62, the nostrils above 0.68, and the mouth at 0.68 to 0.82. Five points say it exactly.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

EYES, NOSE, MOUTH = 0.42, 0.61, 0.755
"""Heights of a face with five points: the median of CenterFace on portraits whose face OpenCV's cascade found."""

_EYE_DISTANCE = 0.49  # share of the width of a frontal face, from the same portraits
_ASPECT = 0.76  # width of a face to its height
_EYES_FORWARD = 0.87  # the eyes lie before the axis of the head, in units of half its width
_NOSE_FORWARD = 0.5  # the tip of the nose lies before the line from eyes to mouth, in the same units
_MOST_TURNED = 0.85  # sine of the largest turn to the side
_MOST_SHEARED = 0.35
_NOSE_BETWEEN = (0.3, 0.85)  # the tip of the nose, from the eyes (0) to the mouth (1), in heads that nod

Plane = NDArray[np.float32]


@dataclass(frozen=True)
class Placement:
    """A face in a picture, as half a cylinder that is turned about its axis.

    Attributes:
        matrix: float64 (2, 3), from shares of the turned face to pixels.
        turn: Angle of the turn to the side in radians, above 0 if the nose points to the right of the picture.
        nose: Height of the tip of the nose as it is seen, in shares.
        exact: The heights of eyes, nose and mouth are known, because five points were given.
    """

    matrix: NDArray[np.float64]
    turn: float = 0.0
    nose: float = NOSE
    exact: bool = False

    @property
    def unit(self) -> float:
        """Width of the face, in pixels."""
        return float(np.hypot(*self.matrix[:, 0]))

    @property
    def height(self) -> float:
        """Height of the face, in pixels."""
        return float(np.hypot(*self.matrix[:, 1]))

    def pixels(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Pixels of points given in shares of the upright face: float64 (N, 2), x and y, from (N, 2)."""
        u, y = 2 * np.asarray(points, np.float64)[:, 0] - 1, np.asarray(points, np.float64)[:, 1]
        inside = np.clip(u, -1, 1)
        seen = np.sin(np.clip(np.arcsin(inside) + self.turn, -np.pi / 2, np.pi / 2)) + u - inside
        # The nose, and less so the mouth, stand out of the cylinder.
        forward = np.interp(y, [EYES, NOSE, MOUTH, 1.1], [0.1, 0.35, 0.15, 0.05]) * np.exp(-((u / 0.35) ** 2))
        x = 0.5 + 0.5 * (seen + forward * np.sin(self.turn))
        y = np.interp(y, [EYES - 9, EYES, NOSE, MOUTH, MOUTH + 9], [EYES - 9, EYES, self.nose, MOUTH, MOUTH + 9])
        return np.asarray(np.column_stack([x, y]) @ self.matrix[:, :2].T + self.matrix[:, 2])

    def shares(self, shape: tuple[int, int]) -> tuple[Plane, Plane]:
        """Where each pixel of a picture lies on the upright face: x and y in shares, float32 of `shape`."""
        inverse = np.linalg.inv(np.vstack([self.matrix, [0, 0, 1]])).astype(np.float32)
        columns = np.arange(shape[1], dtype=np.float32)
        rows = np.arange(shape[0], dtype=np.float32)[:, None]
        x, y = (row[0] * columns + row[1] * rows + row[2] for row in inverse[:2])
        if self.turn:
            seen = 2 * x - 1
            inside = np.clip(seen, -1, 1)
            turned = np.clip(np.arcsin(inside) - np.float32(self.turn), -np.pi / 2, np.pi / 2)
            x = (0.5 + 0.5 * (np.sin(turned) + seen - inside)).astype(np.float32)
        return x, y

    def within(self, scale: NDArray[np.floating], origin: NDArray[np.floating]) -> Placement:
        """The same face in a part of the picture that begins at `origin`, in pixels, and is enlarged by `scale`."""
        linear = self.matrix[:, :2] * np.asarray(scale)[:, None]
        offset = (self.matrix[:, 2] - origin) * scale
        return replace(self, matrix=np.column_stack([linear, offset]))

    def tilted(self, angle: float) -> Placement:
        """The face turned in the plane of the picture about its mouth, by an angle in radians."""
        rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        mouth = self.matrix @ [0.5, MOUTH, 1]
        linear = rotation @ self.matrix[:, :2]
        return replace(self, matrix=np.column_stack([linear, mouth - linear @ [0.5, MOUTH]]))


def place_face(face: NDArray[np.floating] | None, landmarks: NDArray[np.floating] | None = None) -> Placement | None:
    """Place a face by its five points, or by its box where there are none.

    Args:
        face: ``x1, y1, x2, y2`` in pixels, from hairline to chin and ear to ear; or None.
        landmarks: (5, 2), x and y in pixels: the eye on the left of the picture, the other eye, the tip of the nose,
            the left and the right corner of the mouth; or None.

    Returns:
        The placement; None without box and points.
    """
    by_points = None if landmarks is None else _by_points(np.asarray(landmarks, np.float64))
    if by_points is not None or face is None:
        return by_points
    corner = np.asarray(face[:2], np.float64)
    sides = np.maximum(np.asarray(face[2:], np.float64) - corner, 1.0)
    return Placement(np.column_stack([np.diag(sides), corner]))


def _by_points(points: NDArray[np.float64]) -> Placement | None:
    """Fit turn, tilt and size; None for points that are no face, as of a head seen from the side."""
    eyes, mouth = points[:2].mean(axis=0), points[3:].mean(axis=0)
    across = points[1] - points[0] + points[4] - points[3]
    length = np.hypot(*across)
    if length < 1e-3:
        return None
    right = across / length
    down = np.array([-right[1], right[0]])
    drop = float((mouth - eyes) @ down)
    distance = float(np.hypot(*(points[1] - points[0])))
    if drop < max(0.4 * distance, 1e-3):
        return None
    height = drop / (MOUTH - EYES)
    # A turn to the side draws the eyes together, a nod draws eyes and mouth together.
    width = max(distance / _EYE_DISTANCE, _ASPECT * height)
    between = float((points[2] - eyes) @ down) / drop
    lean = float((mouth - eyes) @ right)
    aside = float((points[2] - eyes) @ right) - between * lean
    sine = float(np.clip(aside / (_NOSE_FORWARD * width / 2), -_MOST_TURNED, _MOST_TURNED))
    shear = float(np.clip(lean / drop, -_MOST_SHEARED, _MOST_SHEARED))
    linear = np.column_stack([right * width, (down + shear * right) * height])
    centre = eyes - right * (_EYES_FORWARD * sine * width / 2)
    nose = EYES + (MOUTH - EYES) * float(np.clip(between, *_NOSE_BETWEEN))
    return Placement(
        np.column_stack([linear, centre - linear @ [0.5, EYES]]), turn=float(np.arcsin(sine)), nose=nose, exact=True
    )
