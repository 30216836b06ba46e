"""The window of the sound check: a tone whose level is set by ear, and the measurement of how late sound is heard."""

from __future__ import annotations

import threading
from dataclasses import replace

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import QMainWindow, QSlider, QWidget

from rtaffect.checks.level_tone import LevelTone
from rtaffect.checks.sound_check import SoundCheckPlan, check_sound, explain, keep, level_for, level_set
from rtaffect.common.errors import RtaffectError, at_terminal
from rtaffect.common.worker import Worker
from rtaffect.plan.kept_checks import LEAST_DB, KeptChecks, SoundCheck, age_of
from rtaffect.run.live_sound import device_of
from rtaffect.sources.sound_devices import choose_sound_device
from rtaffect.view.parts import theme
from rtaffect.view.parts.layouts import column, row

#: Milliseconds between two looks at what is going on.
TICK_MS = 50
#: By how much Page Up and Page Down change the level, dB.
PAGE_DB = 6


class SoundCheckWindow(QMainWindow):
    """Tone, level and measurement, by keys alone or by the mouse.

    Arrow keys change the level by 1 dB, Page Up and Down by 6; T begins and ends the tone, M measures, K keeps the
    level and closes, Esc closes and leaves the level as it was. What was measured is kept at once.

    Parameters
    ----------
    plan
        Devices and number of clicks; its level stands in the slider at first, or else that which was set last.

    Raises
    ------
    SoundError
        If there is no such device.

    Attributes
    ----------
    found : SoundCheck or None
        What was measured last.
    """

    closed = Signal()

    def __init__(self, plan: SoundCheckPlan) -> None:
        super().__init__()
        self._plan = plan
        self.found: SoundCheck | None = None
        self._device = choose_sound_device(device_of(plan.speaker), "output")
        self.tone: LevelTone | None = None
        self._stop, self._said = threading.Event(), ""
        self._news: tuple[SoundCheck | None, str] | None = None
        self._worker = Worker("sound check", self._measure)
        self.setWindowTitle("rtaffect \N{EN DASH} sound check")
        self.setStyleSheet(theme.style_sheet("display", "start", "checks"))
        self._build()
        by_act = ((self.switch_tone, "T"), (self.measure, "M"), (self.keep_level, "K"))
        for act, *keys in (*by_act, (self.close, "Escape", "Ctrl+W")):
            for key in keys:
                QShortcut(QKeySequence(key), self, act)
        self.slider.setFocus()
        self.timer = QTimer(self)
        self.timer.timeout.connect(self.tick)
        self.timer.start(TICK_MS)

    def _build(self) -> None:
        kept, device = KeptChecks(), self._device
        before = kept.sound_of(device.name, device.host_api)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setAccessibleName("level, dB")
        self.slider.setRange(round(LEAST_DB), 0)
        self.slider.setPageStep(PAGE_DB)
        self.slider.setValue(round(level_for(device, self._plan.level_db, kept)))
        self.slider.valueChanged.connect(self._set_level)
        self.level = theme.label("", 26, bold=True)
        self.level.setMinimumWidth(140)
        self.tone_button = theme.button("Test tone  T", "play a tone, or end it")
        self.measure_button = theme.button("Measure how late it is heard  M", "play clicks and hear them")
        self.keep_button = theme.button("Keep the level  K", "keep the level for the sessions of this device")
        self.keep_button.setObjectName("go")
        acts = ((self.tone_button, self.switch_tone), (self.measure_button, self.measure))
        for each, act in (*acts, (self.keep_button, self.keep_level)):
            each.clicked.connect(act)
        self.words = theme.label("", 14)
        self.words.setWordWrap(True)
        self.message = theme.label(kept.note, 13, theme.NOTICE)
        self.message.setWordWrap(True)
        if before is not None:
            self._show(before, f"{age_of(before.at, level_set(device, 0.0).at)}: ")
        body = QWidget()
        body.setObjectName("body")
        hint = "Arrow keys change it by 1 dB, Page Up and Down by 6: sounds are played so much softer than their files"
        parts = (
            theme.label("Sound check", 20, bold=True),
            theme.label(f"plays on {device.name} ({device.host_api})", 13, theme.MUTED),
            row(self.level, (self.slider, 1), spacing=14),
            theme.label(hint, 12, theme.MUTED),
            self.words,
            self.message,
        )
        buttons = row(self.tone_button, self.measure_button, (QWidget(), 1), self.keep_button, spacing=10)
        column(*parts, (QWidget(), 1), buttons, of=body, margins=(20, 16, 20, 16), spacing=12)
        self.setCentralWidget(body)
        self.setMinimumSize(760, 380)
        self.resize(900, 420)
        self._set_level(self.slider.value())

    def _set_level(self, level: int) -> None:
        theme.set_text(self.level, f"{level} dB")
        if self.tone is not None:
            self.tone.level_db = float(level)

    def switch_tone(self) -> None:
        """Begin the tone, or end it; not while clicks are played."""
        if self._worker.running:
            return
        if self.tone is not None:
            self._end_tone()
            return
        try:
            self.tone = LevelTone(device_of(self._plan.speaker), float(self.slider.value()))
        except RtaffectError as error:
            theme.set_text(self.message, at_terminal(error.message))
            return
        theme.set_text(self.message, "")
        self.tone_button.setText("End the tone  T")

    def _end_tone(self) -> None:
        if self.tone is not None:
            self.tone.stop()
            self.tone = None
        self.tone_button.setText("Test tone  T")

    def measure(self) -> None:
        """Play the clicks at the level that is set, and hear them; again: end that."""
        if self._worker.running:
            self._stop.set()
            return
        self._end_tone()
        self._stop, self._news = threading.Event(), None
        self._asked = replace(self._plan, level_db=float(self.slider.value()))
        theme.set_text(self.message, "")
        self.measure_button.setText("End measuring  M")
        self.slider.setEnabled(False)
        self._worker.start()

    def _measure(self) -> None:
        """Measure; on the worker's thread."""
        try:
            self._news = check_sound(self._asked, self._say, self._stop), ""
        except RtaffectError as error:
            self._news = None, at_terminal(error.message)

    def _say(self, words: str) -> None:
        self._said = words

    def tick(self) -> None:
        """Show what is going on."""
        if self.tone is not None and self.tone.over:
            self._end_tone()
        if not self._worker.running:
            return
        theme.set_text(self.words, f"measuring: {self._said}")
        if self._news is None:
            return
        (found, trouble), self._news = self._news, None
        self._worker.stop()
        self.measure_button.setText("Measure how late it is heard  M")
        self.slider.setEnabled(True)
        self.slider.setFocus()
        theme.set_text(self.words, "" if found is None else self.words.text())
        if found is not None:
            self.found, trouble = found, keep(found)
            self._show(found)
        theme.set_text(self.message, trouble)

    def _show(self, found: SoundCheck, before: str = "") -> None:
        theme.set_text(self.words, before + "\n".join(explain(found)))

    def keep_level(self) -> None:
        """Keep the level for the sessions of this device, and close."""
        if trouble := keep(level_set(self._device, float(self.slider.value()))):
            theme.set_text(self.message, trouble)
            return
        self.close()

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802
        """End tone and measurement, and let go of the devices."""
        self.timer.stop()
        self._end_tone()
        self._stop.set()
        self._worker.stop()
        super().closeEvent(event)
        self.closed.emit()
