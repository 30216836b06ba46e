"""Signals: raw traces, the sound's level and spectrogram, and quality on heads."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import pytest
from pylsl import local_clock
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QImage, QPainter
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from rtaffect.present.sound_state import (
    BANDS,
    COLUMNS,
    FLOOR_DB,
    HIGHEST_HZ,
    HOP_S,
    LOWEST_HZ,
    SoundLevel,
    SoundScope,
    describe_level,
    sound_level,
)
from rtaffect.present.trace_state import TraceScope, lane_height, line_of, stepped
from rtaffect.sources.recorded import ArraySource
from rtaffect.start.background import NetworkWatch
from rtaffect.start.showing import Previews
from rtaffect.stream.source import StreamInfo
from rtaffect.view import Presenter
from rtaffect.view.operator.quality_heads import QualityHeads, paint_mark
from rtaffect.view.operator.sound import SoundPanel
from rtaffect.view.parts.traces import named_lanes, traces_path
from rtaffect.view.start.signal import LevelMeter
from tests.support.fake_feedback import PEOPLE, fake_session, fake_sources, region_rows
from tests.support.view_windows import Make, activate, check_nothing_left, windows

RATE = 256.0


@pytest.fixture(autouse=True)
def nothing_left(qapp: QApplication) -> Iterator[None]:
    """Fail a test that leaves a window or a thread behind."""
    yield from check_nothing_left(qapp)


@pytest.fixture
def make(qtbot: QtBot) -> Iterator[Make]:
    """Build windows; see :func:`tests.support.view_windows.windows`."""
    yield from windows(qtbot)


def eeg(seconds: float = 12.0, channels: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    n = int(seconds * RATE)
    return 1000.0 + np.arange(n) / RATE, (2e-5 * rng.standard_normal((n, channels))).astype(np.float32)


def test_columns_hold_the_least_and_the_largest_value() -> None:
    times, samples = eeg()
    scope = TraceScope(3, 100)
    scope.take(times, samples)
    found = scope.traces(1012.0)
    assert (found.start, found.width_s) == (pytest.approx(1002.1), pytest.approx(0.1))
    whole = slice(0, 99)
    for column in range(99):
        begin = found.start + 0.1 * column
        inside = 1e6 * samples[(np.floor(times / 0.1) == round(begin / 0.1))].astype(np.float64)
        middle = (inside.min(axis=0) + inside.max(axis=0)) / 2
        np.testing.assert_allclose(found.high[:, column] - found.low[:, column], np.ptp(inside, axis=0))
        shift = (found.high[:, column] + found.low[:, column]) / 2 - middle
        assert np.abs(shift).max() < 20, "only the channel's own line is taken off"
    assert np.isfinite(found.low[:, whole]).all()


@pytest.mark.parametrize("chunk", [7, 64, 500])
def test_chunks_make_no_difference(chunk: int) -> None:
    times, samples = eeg()
    whole, parts = TraceScope(3, 100), TraceScope(3, 100)
    whole.take(times, samples)
    for at in range(chunk, len(times) + chunk, chunk):
        begin = max(0, min(at, len(times)) - int(parts.wanted_s(times[min(at, len(times)) - 1]) * RATE) - 1)
        parts.take(times[begin:at], samples[begin:at])
    for one, other in zip(
        dataclasses.astuple(whole.traces(1012.0)), dataclasses.astuple(parts.traces(1012.0)), strict=True
    ):
        np.testing.assert_allclose(one, other)


def test_a_gap_stays_empty_and_old_columns_leave() -> None:
    times, samples = eeg(6.0)
    scope = TraceScope(3, 100)
    scope.take(times, samples)
    late = times[:256] + 9.0
    scope.take(late, samples[:256])
    found = scope.traces(float(late[-1]))
    at = found.start + found.width_s * np.arange(100)
    empty = (at > 1006.05) & (at < 1008.9)
    assert np.isnan(found.low[:, empty]).all()
    assert np.isfinite(found.low[:, at < 1005.8]).all()
    assert np.isnan(scope.traces(1060.0).low).all()


def test_each_trace_stands_about_its_own_line() -> None:
    x = np.linspace(0, 1, 50)
    values = np.stack([3 + 2 * x, -5 - 7 * x])
    np.testing.assert_allclose(line_of(values), values)
    values[0, 10:20] = np.nan
    np.testing.assert_allclose(line_of(values)[0], 3 + 2 * x)
    assert (line_of(np.full((1, 5), np.nan)) == 0).all()


def test_the_scale_fits_and_does_not_flicker() -> None:
    times, samples = eeg()
    scope = TraceScope(3, 100)
    scope.take(times, samples)
    traces = scope.traces(1012.0)
    lane = lane_height(traces, None)
    assert lane == 500.0
    louder = dataclasses.replace(traces, low=1.5 * traces.low, high=1.5 * traces.high)
    assert lane_height(louder, lane) == lane
    loud = dataclasses.replace(traces, low=9 * traces.low, high=9 * traces.high)
    assert lane_height(loud, lane) == 2000.0
    silent = dataclasses.replace(traces, low=0 * traces.low, high=0 * traces.high)
    assert (lane_height(silent, None), lane_height(silent, 50.0)) == (100.0, 50.0)
    assert [stepped(200.0, steps) for steps in (-1, 1, 2, 99)] == [100.0, 500.0, 1000.0, 5e6]


def test_poor_channels_are_named_first() -> None:
    poor = np.zeros(64, np.bool_)
    poor[[9, 10]] = True
    named = named_lanes(64, 6.5, poor)
    assert 9 in named
    assert 10 not in named, "there is no room for both"
    assert np.diff(named).min() * 6.5 >= 10.5
    assert named_lanes(4, 40.0, poor[:4]) == [0, 1, 2, 3]


def test_traces_stay_near_their_lanes() -> None:
    times, samples = eeg()
    samples[:, 1] *= 500
    scope = TraceScope(3, 100)
    scope.take(times, samples)
    area = QRectF(50, 10, 500, 300)
    boxes = [traces_path(scope.traces(1012.0), np.array([channel]), area, 200.0).boundingRect() for channel in range(3)]
    for box, middle in zip(boxes, (60, 160, 260), strict=True):
        assert (box.left() >= 50, box.right() <= 550) == (True, True)
        assert box.center().y() == pytest.approx(middle, abs=15)
    assert boxes[0].height() < 100
    assert boxes[1].height() == pytest.approx(200), "what leaves its lane is cut"


def tone(frequency: float, level: float = 1.0, rate: float = 48000.0, seconds: float = 10.5) -> tuple:
    t = np.arange(int(seconds * rate)) / rate
    return 1000.0 + t, (level * np.sin(2 * np.pi * frequency * t)).astype(np.float32)[:, None]


@pytest.mark.parametrize("frequency", [130.0, 1000.0, 6500.0])
def test_a_tone_stands_at_its_frequency_and_level(frequency: float) -> None:
    edges = np.geomspace(LOWEST_HZ, HIGHEST_HZ, BANDS + 1)
    for level, expected in ((1.0, 0.0), (0.1, -20.0)):
        scope = SoundScope(48000.0)
        scope.take(*tone(frequency, level))
        picture = scope.picture(1010.0)
        column = picture[:, COLUMNS // 2]
        assert edges[np.argmax(column)] <= frequency <= edges[np.argmax(column) + 1]
        total = 10 * np.log10((10 ** (column / 10)).sum())
        assert total == pytest.approx(expected, abs=1.0)
        found = sound_level(*tone(frequency, level), 1010.5)
        assert found.rms_db == pytest.approx(expected, abs=0.05)
        assert found.peak_db == pytest.approx(expected, abs=0.05)
        assert found.clipped is (level == 1.0)


@pytest.mark.parametrize("chunk", [1000, 4800, 100000])
def test_the_spectrogram_does_not_depend_on_chunks(chunk: int) -> None:
    times, samples = tone(700.0, 0.3, 16000.0)
    whole, parts = SoundScope(16000.0), SoundScope(16000.0)
    whole.take(times, samples)
    for at in range(chunk, len(times) + chunk, chunk):
        end = min(at, len(times))
        begin = max(0, end - int(16000 * parts.wanted_s(times[end - 1])) - chunk)
        parts.take(times[begin:end], np.repeat(samples[begin:end], 2, axis=1))
    np.testing.assert_allclose(whole.picture(1010.0), parts.picture(1010.0), atol=1e-9)


def test_missing_sound_is_empty_and_silence_is_dark() -> None:
    times, samples = tone(700.0, 0.3, 16000.0)
    there = (times < 1004) | (times > 1006)
    scope = SoundScope(16000.0)
    scope.take(times[there], samples[there])
    picture = scope.picture(1010.0)
    column = COLUMNS - 1 - round((1010.0 - 1005.0) / HOP_S)
    assert np.isnan(picture[:, column]).all()
    assert np.isfinite(picture[:, column - 40]).all()
    assert np.isnan(scope.picture(1030.0)).all()
    silent = SoundScope(16000.0)
    silent.take(times, 0 * samples)
    assert (silent.picture(1010.0)[:, 100] == FLOOR_DB).all()
    assert sound_level(times, 0 * samples, 1010.5).rms_db == FLOOR_DB
    low = SoundScope(8000.0)
    low.take(*tone(700.0, 0.3, 8000.0))
    assert np.isnan(low.picture(1010.0)[-1]).all(), "above half the rate there is nothing to be known"
    empty = SoundScope(16000.0)
    empty.take(np.empty(0), np.empty((0, 1), np.float32))
    assert np.isnan(empty.picture(1010.0)).all()


def test_the_level_is_of_what_is_there_now() -> None:
    times, samples = tone(1000.0, 0.1)
    assert not sound_level(times, samples, times[-1] + 2.5).known
    assert not sound_level(np.empty(0), np.empty((0, 1), np.float32), 1010.0).known
    assert not sound_level(times, np.full_like(samples, np.nan), 1010.5).known
    samples[-2000:-1900] = np.nan
    assert sound_level(times, samples, 1010.5).rms_db == pytest.approx(-20.0, abs=0.05)
    samples[-48000] = 1.0
    assert sound_level(times, samples, 1010.5).clipped, "a short peak stays for two seconds"
    samples[-48000] = 0.0
    one = np.column_stack([samples[:, 0], np.where(times < 1010.4, 0.0, 1.0)])
    assert sound_level(times, one, 1010.5).clipped, "one channel that is cut off is told, whatever the others do"


@pytest.mark.parametrize(("amplitude", "short"), [(1.0, "\N{BLACK SQUARE} clipped"), (0.1, "\N{MINUS SIGN}20 dB")])
def test_both_windows_say_the_same_of_one_sine(qtbot: QtBot, amplitude: float, short: str) -> None:
    _, samples = tone(1000.0, amplitude)
    begun = local_clock() - 10.0
    info = StreamInfo("mic", "audio", 48000.0, ("left", "right"), "simulated")
    source = ArraySource(info, np.repeat(samples, 2, axis=1), begun)
    source.advance(begun + 10.0)
    network = NetworkWatch()
    panel, previews, meter = SoundPanel(source), Previews(network), LevelMeter()
    qtbot.addWidget(panel)
    qtbot.addWidget(meter)
    try:
        previews.room.preview.show("one", lambda: source)
        qtbot.waitUntil(lambda: previews.room.preview.shown.source is not None)
        level, _ = previews.loudness()
    finally:
        previews.stop()
        network.stop()
    assert level is not None
    panel.take(local_clock())
    meter.show_level(level)
    assert dataclasses.astuple(level) == pytest.approx(dataclasses.astuple(panel.meter.level))
    assert level.rms_db == pytest.approx(20 * np.log10(amplitude), abs=0.01)
    assert meter.words == short
    assert describe_level(level) in panel.words.words
    assert ("clipped" in panel.words.words) is ("clipped" in meter.words) is (amplitude == 1.0)


def test_levels_in_words() -> None:
    assert describe_level(SoundLevel(-22.4, -9.1, False)) == "\N{MINUS SIGN}22 dB, peak \N{MINUS SIGN}9 dB"
    assert describe_level(SoundLevel(-3.0, 0.0, True)).endswith("clipped, turn it down")
    assert describe_level(SoundLevel(-80.0, -70.0, False)).endswith("next to silence")
    assert describe_level(SoundLevel()) == "no samples now"


def test_raw_traces_are_shown_when_they_are_asked_for(make: Make, qtbot: QtBot) -> None:
    present = [1040.4]
    sources = fake_sources(PEOPLE[:2], until=1040.0, ahead=5.0)
    window = activate(make(40, people=PEOPLE[:2], now=lambda: present[0], sources=sources), qtbot)
    page = window.signals
    qtbot.keyClick(window, Qt.Key.Key_R)
    assert window.pages.currentWidget() is page
    assert (page.raw, page.traces.isVisible(), page.heading.text()) == (True, True, PEOPLE[0])
    window.tick()
    quiet = page.traces.grab().toImage()
    assert "from lane to lane 100 \N{MICRO SIGN}V" in page.words.words
    qtbot.keyClick(window, Qt.Key.Key_H)
    window.tick()
    assert page.heading.text() == PEOPLE[1]
    humming = page.traces.grab().toImage()
    assert humming != quiet
    for source in sources:
        source.advance(1042.0)
    present[0] = 1042.0
    window.tick()
    assert page.traces.grab().toImage() != humming
    for key, lane in ((Qt.Key.Key_Plus, "50 "), (Qt.Key.Key_Minus, "100 "), (Qt.Key.Key_Minus, "200 ")):
        qtbot.keyClick(window, key)
        assert f"from lane to lane {lane}" in page.words.words
    assert "0 finds it again" in page.words.words
    qtbot.keyClick(window, Qt.Key.Key_0)
    present[0] = 1042.5
    window.tick()
    assert "change it" in page.words.words
    qtbot.keyClick(window, Qt.Key.Key_R)
    assert page.heads.isVisible()
    assert not page.traces.isVisible()


def test_reading_for_the_display_loses_the_engine_nothing(make: Make) -> None:
    sources = fake_sources(PEOPLE[:1], until=1040.0)
    window = make(40, people=PEOPLE[:1], sources=sources, page=2)
    window.signals.switch_raw()
    for _ in range(3):
        window.tick()
    for source in sources:
        assert source.buffer.overruns == 0
        assert len(source.buffer.read(0, 1e9).times) == source.buffer.received


def test_the_sound_moves_on(make: Make) -> None:
    present = [1040.0]
    sources = fake_sources(PEOPLE[:1], until=1040.0, ahead=3.0)
    window = make(40, people=PEOPLE[:1], now=lambda: present[0], sources=sources, page=2)
    sound = window.signals.sound
    assert sound.words.words.startswith("microphone: \N{MINUS SIGN}")
    before = sound.spectrogram.grab().toImage()
    window.tick()
    assert sound.spectrogram.grab().toImage() == before
    present[0] = 1042.0
    sources[-1].advance(1042.0)
    window.tick()
    assert sound.spectrogram.grab().toImage() != before


def test_what_is_not_there_is_said(make: Make) -> None:
    window = make(40, page=2)
    assert window.signals.sound.words.words == "no sound in this session"
    assert not window.signals.sound.meter.isVisible()
    window.signals.switch_raw()
    window.tick()
    assert "not at hand" in window.signals.words.words
    empty = make(0, page=2, sources=fake_sources(PEOPLE[:2], until=1000.0))
    empty.signals.switch_raw()
    empty.tick()
    assert empty.signals.heading.text() == PEOPLE[0], "signals can be looked at before the first step"
    assert empty.signals.people == PEOPLE[:2]


@pytest.mark.parametrize("count", [1, 2, 3, 8, 9, 20])
def test_each_person_has_a_head(qtbot: QtBot, count: int) -> None:
    people = tuple(f"headset {number}" for number in range(count))
    latest = fake_session(20, people=people)[-1]
    heads = QualityHeads()
    qtbot.addWidget(heads)
    heads.resize(560, 420)
    heads.show()
    heads.show_step(latest, count - 1, None)
    cells = heads.cells()
    assert count - 1 in cells
    assert len(cells) == (count if count <= 8 else count % 8)
    boxes = list(cells.values())
    assert all(heads.rect().adjusted(-1, -1, 1, 1).contains(box.toRect()) for box in boxes)
    assert not any(a.adjusted(1, 1, -1, -1).intersects(b) for i, a in enumerate(boxes) for b in boxes[:i])
    person = next(iter(cells))
    with qtbot.waitSignal(heads.chosen) as chosen:
        qtbot.mouseClick(heads, Qt.MouseButton.LeftButton, pos=cells[person].center().toPoint())
    assert chosen.args == [person]


def test_marks_differ_in_shape_and_not_in_colour_alone() -> None:
    looks = []
    for quality in (1.0, 0.7, 0.2, float("nan")):
        image = QImage(40, 40, QImage.Format.Format_ARGB32)
        image.fill(0)
        painter = QPainter(image)
        paint_mark(painter, QPointF(20, 20), 12.0, quality)
        painter.end()
        looks.append(np.array([[image.pixelColor(x, y).alpha() > 0 for x in range(40)] for y in range(40)]))
    good, partly, poor, unknown = looks
    assert good.sum() < 0.85 * poor.sum(), "what is poor is larger"
    assert (good ^ partly).sum() > 0.15 * good.sum()
    assert (partly ^ poor).sum() > 0.15 * partly.sum()
    assert not unknown[20, 20]


def test_quality_of_many_people_says_whom_it_shows(make: Make, qtbot: QtBot) -> None:
    people = tuple(f"headset {number}" for number in range(9))
    window = activate(make(20, people=people, rows=region_rows(), page=2), qtbot)
    assert window.signals.heading.text() == "Signal quality, 1 to 8 of 9"
    for _ in range(8):
        qtbot.keyClick(window, Qt.Key.Key_H)
    assert window.signals.heading.text() == "Signal quality, 9 to 9 of 9"
    presenter = Presenter()
    other = make(20, people=people, presenter=presenter, page=2)
    other.signals.choose(8)
    for feedback in fake_session(12, people=people[:2]):
        presenter.add(feedback)
    other.tick()
    assert other.signals.person == 1
    assert len(other.signals.heads.cells()) == 2
