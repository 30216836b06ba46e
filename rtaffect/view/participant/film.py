"""Paints the film that the participant sees, each frame when it is due, and the photodiode's square."""

from __future__ import annotations

import math
from typing import Final

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter

from rtaffect.outputs.film_projector import DueFrame, Projector
from rtaffect.sources.film_file import MOST_PIXELS

#: The photodiode's square, at the lower left: parts of the view's shorter side.
SQUARE: Final = 0.08
#: Where feedback is shown beside a film it has this part of the view's width, at the right.
ASIDE: Final = 0.16
#: The next look is at most so much later, and at least so much, ms.
_LONGEST_MS, _SHORTEST_MS = 50, 1


class FilmLayer:
    """What of the participant's view is film.

    Parameters
    ----------
    projector
        Says what is to be seen, and is told what was painted.
    refresh_hz
        Of the screen, Hz: a painted frame is seen half a period later on average.
    """

    def __init__(self, projector: Projector, refresh_hz: float) -> None:
        self._projector = projector
        self.set_refresh(refresh_hz)
        self.due: DueFrame | None = None
        self._image: QImage | None = None

    def set_refresh(self, refresh_hz: float) -> None:
        """Take over how often the screen shows what it is given, Hz."""
        period = 1 / refresh_hz if 10 < refresh_hz < 1000 else 1 / 60
        self._projector.lead_s = self._projector.screen_delay_s + period / 2

    def resize(self, size: QSize, ratio: float) -> None:
        """Let pictures be made for a view of ``size``, with so many pixels of the screen for each of the window's."""
        width, height = round(size.width() * ratio), round(size.height() * ratio)
        self._projector.box = min(width, MOST_PIXELS[0]), min(height, MOST_PIXELS[1])

    def look(self) -> bool:
        """Take what is due now; return whether that is something new."""
        before, self.due = self.due, self._projector.due()
        if self.due is None:
            self._image = None
            return before is not None
        if before is not None and before.frame is self.due.frame and before.block == self.due.block:
            return False
        self._image = _image_of(self.due)
        return True

    def wait_ms(self) -> int:
        """Return how long it is until the next look, ms."""
        wait = self._projector.wait_s()
        return _LONGEST_MS if math.isinf(wait) else min(_LONGEST_MS, max(_SHORTEST_MS, math.floor(1000 * wait)))

    def figure(self, area: QRectF) -> QRectF | None:
        """Return where the feedback's figure is while a film is on; None where it has no place."""
        if self.due is None or not self.due.aside:
            return None
        width = area.width() * ASIDE
        return QRectF(area.right() - width, area.top(), width, area.height())

    def paint(self, painter: QPainter, area: QRectF) -> None:
        """Paint the film into ``area``, on black."""
        due = self.due
        if due is None:
            return
        painter.fillRect(area, QColor(0, 0, 0))
        beside = self.figure(area)
        place = area if beside is None else area.adjusted(0, 0, -beside.width(), 0)
        if self._image is not None:
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.drawImage(_fitted(self._image, place), self._image)
        if due.white is not None:
            side = SQUARE * min(area.width(), area.height())
            square = QRectF(area.left(), area.bottom() - side, side, side)
            painter.fillRect(square, QColor(255, 255, 255) if due.white else QColor(0, 0, 0))

    def painted(self) -> None:
        """Take note that what is due was painted just now."""
        if self.due is not None:
            self._projector.painted(self.due, self._projector.now())


def _image_of(due: DueFrame) -> QImage | None:
    """Return a frame as an image; it uses the frame's own memory, which the frame that is kept holds."""
    if due.frame is None or due.frame.picture is None:
        return None
    picture = due.frame.picture
    height, width = picture.shape[:2]
    return QImage(picture.data, width, height, picture.strides[0], QImage.Format.Format_RGB32)


def _fitted(image: QImage, area: QRectF) -> QRectF:
    """Return the largest place in the middle of ``area`` that has the image's proportions."""
    size = image.size().toSizeF().scaled(area.size(), Qt.AspectRatioMode.KeepAspectRatio)
    return QRectF(
        area.center().x() - size.width() / 2, area.center().y() - size.height() / 2, size.width(), size.height()
    )
