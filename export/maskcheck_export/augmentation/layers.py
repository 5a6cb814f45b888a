"""Draws layers before a face, larger than the picture shows them, and lays them on it with its light and grain."""

from __future__ import annotations

from functools import cached_property

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from maskcheck.pictures.decoding import BGRImage
from maskcheck_export.augmentation.placement import Placement

Plane = NDArray[np.float32]
Colour = NDArray[np.floating]

_OVERSAMPLING = 4  # small things are drawn this much larger and shrunk, for smooth edges
_DETAIL = 96  # most pixels of the height of a face when drawn: the input of a classifier shows no more
_MID_SKIN = 140.0  # grey value of skin in ordinary light
SHIFT = 4
"""Bits of the fixed-point coordinates of OpenCV."""


class Layers:
    """A drawing of a part of a picture, on which layers are laid one by one.

    Args:
        picture: uint8 (H, W, 3), BGR; :meth:`paste` changes it.
        face: Where the face is.
        area: (N, 2), points in shares of the face; the drawing is the box around them.
        rng: Source of all randomness.

    Attributes:
        face: Where the face is in the drawing.
        unit: Width of the face in the drawing, in pixels.
        shape: Rows and columns of the drawing; 0 rows if the area is outside the picture.
    """

    def __init__(self, picture: BGRImage, face: Placement, area: NDArray[np.float64], rng: Generator) -> None:
        corners = face.pixels(area)
        size = np.array(picture.shape[1::-1])
        left, top = np.floor(np.clip(corners.min(axis=0), 0, size)).astype(int)
        right, bottom = np.ceil(np.clip(corners.max(axis=0), 0, size)).astype(int)
        self._picture, self._place, self._rng = picture, face, rng
        self._below = picture[top:bottom, left:right]
        scale = min(_OVERSAMPLING, _DETAIL / max(face.height, 1.0))
        rows, columns = (max(round(side * scale), 1) if self._below.size else 0 for side in self._below.shape[:2])
        self.shape = (rows, columns)
        zoom = np.array([columns, rows]) / np.maximum(self._below.shape[1::-1], 1)
        self._shrinks = scale > 1
        self.face = face.within(zoom, np.array([left, top])) if rows else face
        self.unit = max(self.face.unit, 1e-3)
        self._colour = np.zeros((*self.shape, 3), np.float32)
        self._through = np.ones(self.shape, np.float32)

    @cached_property
    def shares(self) -> tuple[Plane, Plane]:
        """Where each pixel of the drawing is on the face: x and y."""
        return self.face.shares(self.shape)

    @cached_property
    def grid(self) -> tuple[Plane, Plane]:
        """X and y of each pixel of the drawing, in pixels."""
        y, x = np.indices(self.shape, np.float32)
        return x, y

    @cached_property
    def skin(self) -> Colour:
        """The colour of the face in its light: BGR of the cheeks and the nose, without shades and lights."""
        around = self._sample((0.2, 0.8), (0.35, 0.7)).reshape(-1, 3).astype(np.float64)
        if not len(around):
            return np.array([120.0, 150.0, 200.0])
        brightness = around.mean(axis=1)
        low, high = np.quantile(brightness, [0.4, 0.85])
        return np.asarray(around[(brightness >= low) & (brightness <= high)].mean(axis=0))

    @cached_property
    def light(self) -> Plane:
        """The light on the face: float32 of the shape of the drawing, about 1 in ordinary light."""
        cheeks = self._sample((0.2, 0.8), (0.35, 0.7))
        mean = float(cheeks.mean()) if cheeks.size else _MID_SKIN
        exposure = np.clip(0.55 + 0.5 * mean / _MID_SKIN, 0.4, 1.2) * self._rng.uniform(0.85, 1.1)
        return np.asarray(exposure * self.shade, np.float32)

    @cached_property
    def shade(self) -> Plane:
        """The light of each place relative to that of the face."""
        cheeks = self._sample((0.2, 0.8), (0.35, 0.7))
        mean = float(cheeks.mean()) if cheeks.size else _MID_SKIN
        coarse = cv2.resize(self._below, (6, 5), interpolation=cv2.INTER_AREA).mean(axis=2, dtype=np.float32)
        relative = np.clip(coarse / max(mean, 1.0), 0.5, 1.3) ** np.float32(0.5)  # hair and background count half
        return np.asarray(cv2.resize(relative, self.shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)

    def colour_at(self, x: float, y: float) -> Colour:
        """The colour of the picture at a place of the face, in shares: BGR."""
        column, row = np.rint(self._place.pixels(np.array([[x, y]]))[0]).astype(int)
        height, width = self._picture.shape[:2]
        row, column = np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)
        near = self._picture[max(row - 2, 0) : row + 3, max(column - 2, 0) : column + 3]
        return np.asarray(near.reshape(-1, 3).mean(axis=0))

    def at(self, x: float, y: float) -> NDArray[np.float64]:
        """A place of the face, in pixels of the drawing."""
        return np.asarray(self.face.pixels(np.array([[x, y]]))[0])

    def polygon(self, points: NDArray[np.float64]) -> Plane:
        """A plane that is 1 inside a polygon, whose points are given in shares of the face."""
        return self.polygon_in_pixels(self.face.pixels(points))

    def polygon_in_pixels(self, points: NDArray[np.float64]) -> Plane:
        """A plane that is 1 inside a polygon, whose points are given in pixels of the drawing."""
        cover = np.zeros(self.shape, np.float32)
        cv2.fillPoly(cover, [fixed(points)], 1.0, cv2.LINE_8, SHIFT)
        return cover

    def lines(self, lines: list[NDArray[np.float64]], thickness: float, value: float = 1.0) -> Plane:
        """A plane with lines, each (N, 2) in pixels of the drawing."""
        cover = np.zeros(self.shape, np.float32)
        cv2.polylines(cover, [fixed(line) for line in lines], False, value, max(round(thickness), 1), cv2.LINE_8, SHIFT)
        return cover

    def noise(self, density: float) -> Plane:
        """Smooth noise of unit variance; `density` is the number of bumps in a width of the face."""
        return noise(self.shape, density / self.unit, self._rng)

    def lay(
        self,
        cover: Plane,
        surface: NDArray[np.floating],
        *,
        soft: float = 0.012,
        shadow: float = 0.2,
        window: tuple[slice, slice] = (slice(None), slice(None)),
    ) -> None:
        """Lay something on what is there.

        Args:
            cover: In [0, 1], of the shape of the window: how much of what is below it hides.
            surface: Its colour, BGR in 0..255: (3,), or one for each pixel of the window.
            soft: Blur of its edges, in widths of the face: no edge may be sharper than the picture.
            shadow: How dark its shadow is, which lies a little below it; 0 for none.
            window: Rows and columns of the drawing that it lies in.
        """
        if soft:
            cover = np.asarray(cv2.GaussianBlur(cover, (0, 0), max(self.unit * soft, 0.3)), np.float32)
        rest = 1 - cover
        if shadow:
            below = cv2.GaussianBlur(np.roll(cover, round(0.02 * self.unit), axis=0), (0, 0), 0.04 * self.unit)
            rest *= 1 - np.float32(shadow) * below
        self._colour[window] *= rest[..., None]
        self._colour[window] += np.asarray(surface, np.float32) * cover[..., None]
        self._through[window] *= rest

    def paste(self, *, grain: float = 0.0) -> None:
        """Lay the drawing on the picture.

        Args:
            grain: Standard deviation of the noise of what was drawn, in grey values of the picture.
        """
        if not self._below.size:
            return
        drawing = np.dstack([self._colour, 255 * self._through])
        method = cv2.INTER_AREA if self._shrinks else cv2.INTER_LINEAR
        drawing = np.rint(np.clip(drawing, 0, 255)).astype(np.uint8)
        laid = cv2.resize(drawing, self._below.shape[1::-1], interpolation=method)
        through = cv2.cvtColor(laid[..., 3], cv2.COLOR_GRAY2BGR)
        result = cv2.add(cv2.multiply(self._below, through, scale=1 / 255), laid[..., :3])
        if grain:
            hidden = (255 - laid[..., 3:]).astype(np.float32) / 255
            noise = self._rng.standard_normal((*result.shape[:2], 1), np.float32) * np.float32(grain)
            result = np.clip(result + noise * hidden, 0, 255).astype(np.uint8)
        self._below[:] = result

    def _sample(self, x: tuple[float, float], y: tuple[float, float]) -> NDArray[np.uint8]:
        corners = self._place.pixels(np.array([[x[0], y[0]], [x[1], y[0]], [x[0], y[1]], [x[1], y[1]]]))
        left, top = np.maximum(corners.min(axis=0), 0).astype(int)
        right, bottom = np.maximum(corners.max(axis=0), 0).astype(int) + 1
        return np.asarray(self._picture[top:bottom, left:right])


def fixed(points: NDArray[np.floating]) -> NDArray[np.int32]:
    """Points in the fixed-point form of OpenCV."""
    return np.asarray(np.round(np.clip(points, -1e4, 1e4) * (1 << SHIFT)), np.int32)


def noise(shape: tuple[int, ...], density: float, rng: Generator) -> Plane:
    """Smooth noise of unit variance; `density` is the number of bumps in a pixel."""
    coarse = rng.standard_normal([max(round(side * density), 2) for side in shape], np.float32)
    return np.asarray(cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_CUBIC), np.float32)
