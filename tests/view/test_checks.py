"""The windows of the checks by keys alone: level and tone, what was measured, and flashes that a photodiode sees."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMainWindow
from pytestqt.qtbot import QtBot

from rtaffect.checks.light_check import LightCheckPlan
from rtaffect.checks.sound_check import SoundCheckPlan
from rtaffect.common.errors import SoundError
from rtaffect.plan.kept_checks import KeptChecks, SoundCheck
from rtaffect.sources.sound_devices import SoundDevice
from rtaffect.start.choices import Choices
from rtaffect.start.start_presenter import StartPresenter
from rtaffect.view.checks import sound as sound_window
from rtaffect.view.checks.light import LightCheckWindow
from rtaffect.view.checks.sound import SoundCheckWindow
from rtaffect.view.start.window import StartWindow
from tests.support.view_windows import activate

DEVICE = SoundDevice(0, "Headphones", "ALSA", 0, 2, 48_000.0, 0.01, 0.01, True, True)
SIZES = [(1280, 720), (1920, 1080)]
KEY = Qt.Key


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RTAFFECT_CONFIG", str(tmp_path / "config"))
    monkeypatch.setattr(sound_window, "choose_sound_device", lambda *_: DEVICE)


class Tone:
    """Stands for what plays the tone."""

    made: ClassVar[list[Tone]] = []

    def __init__(self, device: object, level_db: float) -> None:
        self.level_db, self.over, self.stopped = level_db, False, False
        Tone.made.append(self)

    def stop(self) -> None:
        self.stopped = True


def opened(window: QMainWindow, qtbot: QtBot) -> None:
    """Show a window that keys come to."""
    qtbot.addWidget(window)
    window.show()
    activate(window, qtbot)


def press(widget: object, *keys: Qt.Key) -> None:
    for key in keys:
        QTest.keyClick(widget, key)


def test_the_level_is_set_by_keys_heard_at_once_and_kept(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sound_window, "LevelTone", Tone)
    window = SoundCheckWindow(SoundCheckPlan())
    opened(window, qtbot)
    press(window, KEY.Key_T)
    press(window.slider, KEY.Key_PageDown, KEY.Key_PageDown, KEY.Key_Left, KEY.Key_Left, KEY.Key_Right)
    assert window.level.text() == "-13 dB"
    assert Tone.made[-1].level_db == -13.0
    press(window, KEY.Key_K)
    assert Tone.made[-1].stopped
    assert not window.isVisible()
    level = KeptChecks().level_of("Headphones", "ALSA")
    assert level is not None
    assert level.level_db == -13.0
    again = SoundCheckWindow(SoundCheckPlan())
    opened(again, qtbot)
    press(again.slider, KEY.Key_Home)
    press(again, KEY.Key_Escape)
    assert KeptChecks().level_of("Headphones", "ALSA") == level


def test_what_is_measured_is_shown_and_kept(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    found = SoundCheck(
        at=datetime.now(UTC), speaker="Headphones", host_api="ALSA", capture="Loopback", latency_ms=21.5, low_ms=21.0,
        high_ms=22.0, clicks=20, found=19, level_db=-20.0,
    )  # fmt: skip
    asked: list[SoundCheckPlan] = []
    monkeypatch.setattr(sound_window, "check_sound", lambda plan, *_: (asked.append(plan), found)[1])
    window = SoundCheckWindow(SoundCheckPlan(level_db=-20.0, capture="Loop"))
    opened(window, qtbot)
    press(window, KEY.Key_M)
    qtbot.waitUntil(lambda: window.found is not None)
    assert "heard 21.5 ms after its time" in window.words.text()
    assert (asked[0].level_db, asked[0].capture) == (-20.0, "Loop")
    assert KeptChecks().sound_of("Headphones", "ALSA") == found
    for size in SIZES:
        window.resize(*size)
        assert all(window.rect().contains(each.geometry()) for each in (window.keep_button, window.words))


def test_a_device_that_cannot_be_opened_is_told_in_the_window(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> SoundCheck:
        raise SoundError("sound device 1: Loopback cannot be opened")

    monkeypatch.setattr(sound_window, "check_sound", fails)
    window = SoundCheckWindow(SoundCheckPlan())
    opened(window, qtbot)
    press(window, KEY.Key_M)
    qtbot.waitUntil(lambda: "cannot be opened" in window.message.text())
    assert window.slider.isEnabled()
    assert KeptChecks().sound_of("Headphones", "ALSA") is None


def test_flashes_are_seen_by_a_photodiode_that_is_simulated(qtbot: QtBot) -> None:
    window = LightCheckWindow(LightCheckPlan(simulate_ms=40.0, simulate_misses=4, flashes=10))
    opened(window, qtbot)
    press(window, KEY.Key_Return)
    qtbot.waitUntil(lambda: window.square is not None)
    assert window.square is not None
    area, place = window.square.rect(), window.square.place()
    assert place.height() == pytest.approx(0.08 * area.height(), abs=1)
    assert (place.left(), place.bottom()) == (0, pytest.approx(area.height(), abs=1))
    qtbot.waitUntil(lambda: window.found is not None)
    found = window.found
    assert found is not None
    assert found.why == ""
    assert found.latency_ms == pytest.approx(40.0, abs=3.0)
    assert (found.flashes, found.missed) == (10, 2)
    assert "simulated" in window.message.text()
    assert KeptChecks().light_of(found.screen) is None


def test_flashing_that_is_ended_finds_nothing(qtbot: QtBot) -> None:
    window = LightCheckWindow(LightCheckPlan(simulate_ms=40.0))
    opened(window, qtbot)
    press(window, KEY.Key_Return)
    qtbot.waitUntil(lambda: window.square is not None)
    press(window.square, KEY.Key_Escape)
    qtbot.waitUntil(lambda: "nothing was found" in window.message.text())
    assert window.found is None
    assert window.isVisible()


def test_a_stream_that_is_not_named_is_asked_for(qtbot: QtBot) -> None:
    window = LightCheckWindow(LightCheckPlan())
    opened(window, qtbot)
    press(window, KEY.Key_Return)
    qtbot.waitUntil(lambda: "name it" in window.message.text())
    assert window.go.isEnabled()


def test_the_start_window_opens_both_for_its_devices(qtbot: QtBot) -> None:
    window = StartWindow(StartPresenter(Choices(speaker="Headphones", sound="device", device="Loop")))
    opened(window, qtbot)
    for key, kind in ((KEY.Key_F6, SoundCheckWindow), (KEY.Key_F7, LightCheckWindow)):
        activate(window, qtbot)
        press(window, key)
        check = window.checks.window
        assert isinstance(check, kind)
        assert not window.timer.isActive()
        if isinstance(check, SoundCheckWindow):
            assert (check._plan.speaker, check._plan.capture) == ("Headphones", "Loop")
        activate(check, qtbot)
        press(check, KEY.Key_Escape)
        assert window.checks.window is None
        assert window.timer.isActive()
    window.close()
