"""The sound: a level meter and a spectrogram of the last seconds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QImage, QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QWidget

from rtaffect.predicted.element_prediction import ElementPrediction
from rtaffect.present.colours import sequential
from rtaffect.present.element_state import describe_element, element_level
from rtaffect.present.sound_state import (
    HIGHEST_HZ,
    LOWEST_HZ,
    METER_DB,
    SECONDS,
    SoundLevel,
    SoundScope,
    describe_level,
    sound_level,
)
from rtaffect.stream.source import Source
from rtaffect.view.parts import theme
from rtaffect.view.parts.layouts import column
from rtaffect.view.parts.level import level_x, paint_level
from rtaffect.view.parts.traces import paint_seconds

#: The colours of the spectrogram run over these levels, dB.
COLOUR_DB = (-90.0, -20.0)
FREQUENCIES = (100, 200, 500, 1000, 2000, 5000)
#: Height of a line with an element's level, px.
_ELEMENT_LINE = 26


class SoundPanel(QFrame):
    """Level and spectrogram of one source of sound."""

    def __init__(self, source: Source | None) -> None:
        super().__init__()
        self.setObjectName("card")
        self._source = source
        self._scope = SoundScope(source.info.rate) if source is not None else None
        self.heading = theme.label("Sound", 13, bold=True)
        self.words = theme.ElidedLabel("", 12, theme.MUTED)
        self.meter, self.elements, self.spectrogram = Meter(), ElementMeters(), Spectrogram()
        parts = (self.heading, self.words, self.meter, self.elements, (self.spectrogram, 1))
        layout = column(*parts, of=self, margins=(10, 8, 10, 6), spacing=4)
        if source is None:
            self.words.set_words("no sound in this session")
            self.meter.setVisible(False)
            self.spectrogram.setVisible(False)
            layout.addStretch(1)

    def show_elements(self, elements: Sequence[ElementPrediction]) -> None:
        """Draw the levels of voice and background, where they are predicted from."""
        self.elements.setVisible(bool(elements) and self._source is not None)
        self.elements.show_levels(elements)

    def take(self, now: float) -> None:
        """Read what is new at ``now``, s on the LSL clock, and draw."""
        if self._source is None or self._scope is None:
            return
        times, samples = self._source.buffer.tail(self._scope.wanted_s(now))
        self._scope.take(times, samples)
        level = sound_level(times, samples, now)
        self.words.set_words(f"{self._source.info.name}: {describe_level(level)}")
        self.meter.show_level(level)
        self.spectrogram.show_picture(self._scope.picture(now))


class Meter(QWidget):
    """The level as a bar, the peak as a line, and a scale in dB."""

    def __init__(self) -> None:
        super().__init__()
        self.level = SoundLevel()
        self.setFixedHeight(44)
        self.setAccessibleName("sound level, dB re full scale")

    def show_level(self, level: SoundLevel) -> None:
        """Draw ``level``."""
        if level != self.level:
            self.level = level
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Draw bar, peak, ticks and label."""
        painter = QPainter(self)
        bar = QRectF(14, 2, self.width() - 28, 12)
        paint_level(painter, bar, self.level, theme.BACKGROUND)
        painter.setFont(theme.font(11))
        for tick in range(int(METER_DB[0]), 1, 20):
            x = level_x(tick, bar)
            painter.setPen(theme.pen(theme.MUTED))
            painter.drawLine(QPointF(x, bar.bottom()), QPointF(x, bar.bottom() + 3))
            text = f"{tick}".replace("-", "\N{MINUS SIGN}")
            theme.write(painter, QRectF(x - 20, bar.bottom() + 2, 40, 14), text)
        box = QRectF(bar.left(), bar.bottom() + 15, bar.width(), 14)
        theme.write(painter, box, "level (bar) and peak (line), dB re full scale")


class ElementMeters(QWidget):
    """The level of each element's newest second as a bar, with its name and what is said of it."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: tuple[ElementPrediction, ...] = ()
        self.setFixedHeight(2 * _ELEMENT_LINE)
        self.setVisible(False)

    def show_levels(self, elements: Sequence[ElementPrediction]) -> None:
        """Draw the levels of ``elements``."""
        self.elements = tuple(elements)
        self.setFixedHeight(max(1, len(self.elements)) * _ELEMENT_LINE)
        said = ", ".join(f"{each.element} {describe_element(each)}" for each in self.elements)
        self.setAccessibleName(f"levels of the newest second, dB re full scale: {said}")
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Draw words and a bar for each element."""
        painter = QPainter(self)
        painter.setFont(theme.font(11))
        for number, each in enumerate(self.elements):
            top = number * _ELEMENT_LINE
            words = QRectF(14, top, self.width() - 28, 14)
            theme.write(painter, words, f"{each.element} {describe_element(each)}", name=theme.MUTED, align=theme.LEFT)
            # As wide as the meter above, whose scale it has.
            paint_level(painter, QRectF(14, top + 15, self.width() - 28, 6), element_level(each), theme.BACKGROUND)


class Spectrogram(QWidget):
    """Level by time and log frequency, with axes and a scale of its colours."""

    def __init__(self) -> None:
        super().__init__()
        self._image: QImage | None = None
        self.setMinimumSize(240, 150)
        self._colours = theme.strip(sequential()[None])
        self.setAccessibleName(f"spectrogram of the last {SECONDS:g} s, to {HIGHEST_HZ / 1000:g} kHz")

    def show_picture(self, picture: np.ndarray) -> None:
        """Draw ``picture`` (bands, columns), dB, lowest band first; NaN is left dark."""
        low, high = COLOUR_DB
        known = np.isfinite(picture)
        levels = np.clip((np.where(known, picture, low) - low) / (high - low), 0, 1)
        pixels = sequential()[np.round(255 * levels).astype(np.int64)]
        pixels[~known] = (15, 19, 24)
        self._image = theme.strip(pixels[::-1])
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Draw the picture, its axes and the scale."""
        painter = QPainter(self)
        painter.setFont(theme.font(11))
        area = QRectF(self.rect()).adjusted(58, 8, -16, -78)
        painter.fillRect(area, theme.colour(theme.BACKGROUND))
        if self._image is not None:
            painter.drawImage(area, self._image)
        painter.setPen(theme.pen(theme.MUTED))
        for frequency in (*FREQUENCIES, int(HIGHEST_HZ)):
            y = area.bottom() - np.log(frequency / LOWEST_HZ) / np.log(HIGHEST_HZ / LOWEST_HZ) * area.height()
            painter.drawLine(QPointF(area.left() - 4, y), QPointF(area.left(), y))
            text = f"{frequency / 1000:g}k" if frequency >= 1000 else str(frequency)
            theme.write(painter, QRectF(14, y - 8, area.left() - 20, 16), text, align=theme.RIGHT)
        paint_seconds(painter, area, SECONDS, area.bottom())
        painter.save()
        painter.translate(6, area.center().y())
        painter.rotate(-90)
        theme.write(painter, QRectF(-70, -8, 140, 16), "frequency (Hz)")
        painter.restore()
        self._paint_scale(painter, QRectF(area.left(), area.bottom() + 40, area.width(), 8))

    def _paint_scale(self, painter: QPainter, bar: QRectF) -> None:
        painter.drawImage(bar, self._colours)
        low, high = COLOUR_DB
        for tick in (low, (low + high) / 2, high):
            x = bar.left() + (tick - low) / (high - low) * bar.width()
            text = f"{tick:.0f}".replace("-", "\N{MINUS SIGN}")
            theme.write(painter, QRectF(x - 20, bar.bottom() + 1, 40, 14), text)
        theme.write(painter, QRectF(bar.left(), bar.bottom() + 14, bar.width(), 15), "dB re full scale, in each band")
