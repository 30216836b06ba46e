"""The participant's view: what is shown when, how it is painted, and what it does with screens, keys and the mouse."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QCloseEvent, QColor, QImage
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from rtaffect.common.errors import SettingsError
from rtaffect.present.participant_state import (
    FADE_S,
    GLIDE_S,
    STALE_S,
    Glide,
    ParticipantPresenter,
    ParticipantState,
    Picture,
    ScreenInfo,
    Show,
    Target,
    advance,
    choose_screen,
    glide,
    target_of,
)
from rtaffect.protocol.protocol_step import BlockKind, Phase, ProtocolStep, Shown
from rtaffect.view.participant.figures import BACKGROUND, LEVEL, NEUTRAL, SUCCESS, TRACK
from rtaffect.view.participant.window import REPAINT_MS, ParticipantWindow
from rtaffect.view.parts.screens import list_screens
from tests.support.waiting import no_other_threads

Make = Callable[..., ParticipantWindow]
SIZES = ((1280, 720), (1920, 1080))


def protocol_step(
    level: float | None = None,
    *,
    phase: Phase = "running",
    kind: BlockKind = "feedback",
    instruction: str = "",
    success: bool = False,
) -> ProtocolStep:
    shown = Shown(level, success=success)
    return ProtocolStep(1, 2, 3, kind, "Run", phase, 0.0, 60.0, instruction=instruction, shown=shown)


@pytest.mark.parametrize(
    ("given", "target"),
    [
        (None, Target()),
        (protocol_step(0.4, success=True), Target("", 0.4, True)),
        (protocol_step(1.7), Target("", 1.0)),
        (protocol_step(-0.2), Target("", 0.0)),
        (protocol_step(math.nan), Target()),
        (protocol_step(None), Target()),
        (protocol_step(0.4, phase="waiting", instruction=" Sit still. "), Target("Sit still.")),
        (protocol_step(0.4, phase="done", instruction="Thank you."), Target("Thank you.")),
        (protocol_step(0.4, phase="done"), Target()),
        (protocol_step(kind="rest", instruction="Close your eyes."), Target("Close your eyes.")),
        (protocol_step(0.4, instruction="Let the ring grow."), Target("", 0.4)),
        (protocol_step(kind="baseline", instruction="Listen."), Target("Listen.")),
        (protocol_step(kind="transfer"), Target()),
    ],
)
def test_what_is_shown_when(given: ProtocolStep | None, target: Target) -> None:
    assert target_of(given) == target


def test_an_old_level_is_not_shown_and_an_old_instruction_is() -> None:
    assert target_of(protocol_step(0.4), STALE_S).level == 0.4
    assert target_of(protocol_step(0.4), STALE_S + 0.01) == Target()
    assert target_of(protocol_step(phase="waiting", instruction="Sit still."), 600.0).text == "Sit still."


levels = st.floats(0, 1)
waits = st.floats(0, 3)


@given(st.lists(st.tuples(levels, waits), min_size=1, max_size=12), levels)
def test_a_glide_stays_in_the_range_of_its_targets(way: list[tuple[float, float]], start: float) -> None:
    at = Glide(start)
    for target, seconds in way:
        at = glide(at, target, seconds)
        seen = [start, *(level for level, _ in way)]
        assert min(seen) - 1e-9 <= at.value <= max(seen) + 1e-9


@given(levels, levels, waits, st.lists(st.floats(0.01, 1), max_size=5))
def test_any_division_of_time_gives_the_same_picture(
    start: float, end: float, seconds: float, cuts: list[float]
) -> None:
    begun = advance(Picture(level=Glide(start)), Target("", end, success=True), 0.3)
    whole = advance(begun, Target("Sit still.", end), seconds)
    parts, left = begun, seconds
    for cut in cuts:
        parts = advance(parts, Target("Sit still.", end), cut * left)
        left -= cut * left
    parts = advance(parts, Target("Sit still.", end), left)
    assert parts.text == whole.text
    assert parts.opacity == pytest.approx(whole.opacity, abs=1e-9)
    for name in ("level", "presence", "success"):
        assert getattr(parts, name).value == pytest.approx(getattr(whole, name).value, abs=1e-9)


def test_a_glide_lies_its_lag_behind_and_begins_softly() -> None:
    times = np.linspace(0, 12, 12001)
    course = np.array([glide(Glide(), 1.0, t).value for t in times])
    assert np.trapezoid(1 - course, times) == pytest.approx(GLIDE_S, abs=1e-3)
    assert (np.diff(course) > 0).all()
    assert course[25] < 0.005, "a first repaint moves little"


class Watch:
    """Looks at a presenter 50 times a second."""

    def __init__(self, show: Show = "ring") -> None:
        self.presenter, self.time = ParticipantPresenter(show), 100.0

    def see(self, seconds: float, shown: ProtocolStep | None = None) -> list[ParticipantState]:
        if shown is not None:
            self.presenter.add(shown)
        seen = []
        for _ in range(round(seconds * 50)):
            seen.append(self.presenter.state(self.time))
            self.time += 0.02
        return seen


def test_before_the_first_moment_all_is_neutral() -> None:
    assert Watch("bar").see(0.1)[-1] == ParticipantState("bar")


def test_the_first_level_appears_where_it_is_and_the_next_is_reached_smoothly() -> None:
    watch = Watch()
    watch.see(1.0)
    first = watch.see(1.0, protocol_step(0.6))
    assert {state.level for state in first} == {0.6}
    assert first[0].presence == 0.0
    assert (np.diff([state.presence for state in first]) >= 0).all()
    for _ in range(3):
        second = watch.see(1.0, protocol_step(0.2))
    course = [state.level for state in second]
    assert course[-1] == pytest.approx(0.2, abs=0.01)
    assert second[-1].presence == pytest.approx(1.0, abs=0.01)
    whole = np.abs(np.diff([state.level for state in [*first, *second]])).max()
    assert whole < 0.4


def test_a_level_never_jumps_while_levels_come() -> None:
    watch, seen = Watch(), []
    for level in (0.1, 0.9, 0.0, 1.0, 1.0, 0.3):
        seen += watch.see(1.0, protocol_step(level))
    assert np.abs(np.diff([state.level for state in seen])).max() < 0.025


def test_a_level_is_as_old_as_its_values_however_new_it_is_here() -> None:
    """Steps that come in a burst after a hiccup."""
    time = [1000.0]
    presenter = ParticipantPresenter(age=lambda step: time[0] - step)
    old, new = (dataclasses.replace(protocol_step(0.8), step=step) for step in (995, 1000))
    presenter.add(old)
    assert all(presenter.state(0.1 * i).presence == 0.0 for i in range(10)), "five seconds old: neutral"
    presenter.add(new)
    assert [presenter.state(1.0 + 0.1 * i).presence for i in range(20)][-1] > 0.9
    time[0] += 4.0
    assert [presenter.state(3.0 + 0.1 * i).presence for i in range(20)][-1] < 0.1


def test_each_step_is_noted_once_when_it_is_on_the_screen(qtbot: QtBot) -> None:
    seen: list[int] = []
    presenter = ParticipantPresenter(on_seen=seen.append)
    window = ParticipantWindow(presenter, preview=True)
    qtbot.addWidget(window)
    window.start()
    for step, level in ((1, 0.5), (2, 0.5), (3, None), (4, 0.9)):
        presenter.add(dataclasses.replace(protocol_step(level), step=step))
        qtbot.waitUntil(lambda step=step: step in seen)
    assert seen == [1, 2, 3, 4]
    window.close()


def test_the_neutral_state_keeps_the_level_while_it_fades_and_then_forgets_it() -> None:
    watch = Watch()
    for _ in range(4):
        watch.see(1.0, protocol_step(0.8, success=True))
    fading = watch.see(4.0, protocol_step(None))
    assert {state.level for state in fading} == {0.8}
    assert (fading[-1].presence, fading[-1].success) == (pytest.approx(0, abs=0.01), pytest.approx(0, abs=0.01))
    assert {state.level for state in watch.see(0.5, protocol_step(0.1))} == {0.1}


def test_when_moments_stop_the_view_becomes_neutral() -> None:
    watch = Watch()
    watch.see(STALE_S, protocol_step(0.8))
    assert watch.see(0.1)[0].presence > 0.9
    assert watch.see(4.0)[-1].presence < 0.01
    assert watch.see(3.0, protocol_step(0.8))[-1].presence > 0.9


def test_an_instruction_replaces_the_figure_after_it_has_faded() -> None:
    watch = Watch()
    watch.see(1.0, protocol_step(0.5))
    seen = watch.see(1.0, protocol_step(phase="waiting", instruction="Sit still."))
    texts = [state.text for state in seen]
    change = texts.index("Sit still.")
    assert set(texts[:change]) == {""}
    assert set(texts[change:]) == {"Sit still."}
    assert change == pytest.approx(FADE_S * 50, abs=1)
    assert seen[change].opacity < 0.1
    assert seen[-1].opacity == 1.0
    other = watch.see(1.0, protocol_step(phase="waiting", instruction="Begin."))
    assert [text for text, _ in itertools.groupby(state.text for state in other)] == ["Sit still.", "Begin."]


def test_a_state_that_stands_still_is_equal_to_itself() -> None:
    watch = Watch()
    for _ in range(12):
        seen = watch.see(1.0, protocol_step(0.5))
    assert len(set(seen)) == 1


def test_screens_are_chosen_by_number_and_missing_ones_named() -> None:
    there = [ScreenInfo(0, "eDP-1", 1920, 1200, primary=True), ScreenInfo(1, "HDMI-1", 1280, 720)]
    assert choose_screen(1, there).name == "HDMI-1"
    with pytest.raises(
        SettingsError, match=r"screen 2 .* does not exist; there are: 0: eDP-1 \(1920 x 1200, primary\); 1"
    ):
        choose_screen(2, there)
    with pytest.raises(
        SettingsError, match=r"screen 0 is the only one .* connect a second screen .* or take the preview"
    ):
        choose_screen(0, there[:1])
    with pytest.raises(SettingsError, match="there are: none"):
        choose_screen(0, [])


@pytest.mark.parametrize(
    ("name", "serial", "same"),
    [("HDMI-1", "", True), ("DP-2", "", False), ("DP-2", "A1", True), ("HDMI-1", "B2", False)],
)
def test_a_screen_is_known_again(name: str, serial: str, same: bool) -> None:
    home = ScreenInfo(1, "HDMI-1", 1920, 1080, serial="A1")
    assert ScreenInfo(0, name, 1280, 720, serial=serial).same_as(home) == same


@pytest.fixture(autouse=True)
def nothing_left(qapp: QApplication) -> Iterator[None]:
    """Fail a test that leaves a window or a thread behind."""
    widgets, threads = set(map(id, qapp.topLevelWidgets())), set(threading.enumerate())
    yield
    qapp.processEvents()
    qapp.sendPostedEvents(None, 52)  # QEvent.DeferredDelete
    assert [w for w in qapp.topLevelWidgets() if id(w) not in widgets] == []
    no_other_threads(threads)


@pytest.fixture
def make(qtbot: QtBot) -> Iterator[Make]:
    made: list[ParticipantWindow] = []

    def build(show: Show = "ring", size: tuple[int, int] = SIZES[0], **options: object) -> ParticipantWindow:
        window = ParticipantWindow(ParticipantPresenter(show), preview=True, **options)  # type: ignore[arg-type]
        made.append(window)
        window.resize(*size)
        window.start()
        qtbot.waitExposed(window)
        return window

    yield build
    for window in made:
        window.close()
        window.deleteLater()


def grabbed(window: ParticipantWindow, **state: object) -> QImage:
    window.state = ParticipantState(window.state.show, **state)  # type: ignore[arg-type]
    return window.grab().toImage()


def seen_at(image: QImage, x: float, y: float) -> str:
    """Return the colour at a place that is ``x`` and ``y`` shorter sides from the middle, y upwards."""
    side = min(image.width(), image.height())
    return image.pixelColor(round(image.width() / 2 + x * side), round(image.height() / 2 - y * side)).name()


@pytest.mark.parametrize("size", SIZES)
def test_the_ring_fills_clockwise_from_the_top(make: Make, size: tuple[int, int]) -> None:
    window = make(size=size)
    places = {"right": (0.17, 0.0), "below": (0.0, -0.17), "left": (-0.17, 0.0)}
    for level, full in ((0.0, ""), (0.3, "right"), (0.6, "right below"), (1.0, "right below left")):
        image = grabbed(window, level=level, presence=1.0)
        assert seen_at(image, 0.0, 0.17) == LEVEL, "the bead, at level 0 too"
        assert {name: seen_at(image, *place) for name, place in places.items()} == {
            name: LEVEL if name in full else TRACK for name in places
        }
    neutral = grabbed(window)
    assert [seen_at(neutral, *place) for place in ((0.0, 0.17), *places.values())] == [NEUTRAL] * 4
    assert seen_at(neutral, 0.178, 0.0) == BACKGROUND, "thinner than the ring that has a level"


@pytest.mark.parametrize("size", SIZES)
def test_the_bar_fills_from_below(make: Make, size: tuple[int, int]) -> None:
    window = make("bar", size)
    heights = (-0.18, -0.08, 0.08, 0.18)
    for level, full in ((0.0, 1), (0.5, 2), (1.0, 4)):
        image = grabbed(window, level=level, presence=1.0)
        assert [seen_at(image, 0.0, y) for y in heights] == [LEVEL] * full + [TRACK] * (4 - full)
    neutral = grabbed(window)
    assert [seen_at(neutral, 0.0, y) for y in heights] == [NEUTRAL] * 4
    assert seen_at(neutral, 0.02, 0.0) == BACKGROUND


@pytest.mark.parametrize("show", ["ring", "bar"])
def test_success_has_another_colour_and_a_light_around(make: Make, show: Show) -> None:
    window = make(show)
    x = 0.17 if show == "ring" else 0.0
    beside = x + (0.03 if show == "ring" else 0.045)
    plain, success = (grabbed(window, level=0.8, presence=1.0, success=share) for share in (0.0, 1.0))
    assert (seen_at(plain, x, 0), seen_at(success, x, 0)) == (LEVEL, SUCCESS)
    assert seen_at(plain, beside, 0) == BACKGROUND
    assert QColor(seen_at(success, beside, 0)).lightness() > QColor(BACKGROUND).lightness()
    assert QColor(SUCCESS).lightness() > QColor(LEVEL).lightness() + 20, "told apart without colour"


def pixels(image: QImage) -> np.ndarray:
    image = image.convertToFormat(QImage.Format.Format_RGB32)
    return np.frombuffer(image.constBits(), np.uint32).reshape(image.height(), image.width()).copy()


@pytest.mark.parametrize("show", ["ring", "bar", "tone"])
def test_there_is_nothing_else(make: Make, show: Show) -> None:
    window = make(show)
    for state in ({}, {"level": 0.0, "presence": 1.0}, {"level": 1.0, "presence": 1.0, "success": 1.0}):
        image = pixels(grabbed(window, **state))
        outside = np.ones(image.shape, np.bool_)
        middle, across = image.shape[0] // 2, image.shape[1] // 2
        outside[middle - 210 : middle + 210, across - 210 : across + 210] = False
        assert set(image[outside].tolist()) == {QColor(BACKGROUND).rgb()}
    lit = (image != QColor(BACKGROUND).rgb()).sum()
    assert 50 < lit < 500 if show == "tone" else lit > 5000
    assert not window.children() or {type(child).__name__ for child in window.children()} == {"QTimer"}


def test_a_tone_is_accompanied_by_the_same_cross_whatever_the_level(make: Make) -> None:
    window = make("tone")
    states = ({}, {"level": 0.2, "presence": 1.0}, {"level": 0.9, "presence": 1.0, "success": 1.0})
    first, *others = (pixels(grabbed(window, **state)) for state in states)
    assert all((first == other).all() for other in others)


@pytest.mark.parametrize("text", ["Listen to the story.", "A long instruction. " * 60, "One.\n\nTwo."])
def test_an_instruction_stands_alone_in_the_middle_and_fits(make: Make, text: str) -> None:
    image = pixels(grabbed(make(), text=text.strip(), level=0.5, presence=1.0))
    lit = np.argwhere(image != QColor(BACKGROUND).rgb())
    (top, left), (bottom, right) = lit.min(axis=0), lit.max(axis=0)
    height, width = image.shape
    assert top > 0.05 * height
    assert bottom < 0.95 * height
    assert (left + right) / 2 == pytest.approx(width / 2, abs=0.02 * width)
    assert (top + bottom) / 2 == pytest.approx(height / 2, abs=0.03 * height)
    assert QColor(LEVEL).rgb() not in image


def test_it_follows_the_presenter_and_rests_when_nothing_moves(make: Make, qtbot: QtBot) -> None:
    assert 1000 / REPAINT_MS >= 40
    window = make()
    assert window.timer.interval() == REPAINT_MS
    presenter = window._presenter
    presenter.add(protocol_step(0.7))
    qtbot.waitUntil(lambda: window.frames >= 10 and window.state.presence > 0.3)
    assert window.state.level == 0.7
    presenter.add(protocol_step(phase="waiting", instruction="Sit still."))
    qtbot.waitUntil(lambda: window.state.text == "Sit still." and window.state.opacity == 1.0)


def test_no_repaint_without_a_change(qtbot: QtBot) -> None:
    times = itertools.count(0.0, 0.016)
    window = ParticipantWindow(ParticipantPresenter(), preview=True, now=lambda: next(times))
    qtbot.addWidget(window)
    for _ in range(100):
        window.tick()
    assert window.frames == 0
    window._presenter.add(protocol_step(0.5))
    for _ in range(100):
        window.tick()
    assert window.frames > 60


def test_keys_and_clicks_do_nothing_and_the_operator_keeps_the_keyboard(make: Make, qtbot: QtBot) -> None:
    window = make()
    assert window.windowFlags() & Qt.WindowType.WindowDoesNotAcceptFocus
    assert window.testAttribute(Qt.WidgetAttribute.WA_ShowWithoutActivating)
    assert window.focusPolicy() == Qt.FocusPolicy.NoFocus
    for key in (Qt.Key.Key_Escape, Qt.Key.Key_Q, Qt.Key.Key_Space):
        qtbot.keyClick(window, key)
    qtbot.mouseClick(window, Qt.MouseButton.LeftButton, pos=QPoint(5, 5))
    assert window.isVisible()
    assert window.timer.isActive()


def test_the_preview_can_be_closed(make: Make, qtbot: QtBot) -> None:
    window = make()
    with qtbot.waitSignal(window.closed):
        window.windowHandle().close()
    asked = Asked()
    window.closeEvent(asked)
    assert asked.isAccepted()
    assert not window.isVisible()
    assert not window.timer.isActive()


def test_the_only_screen_is_left_to_the_operator(qapp: QApplication) -> None:
    assert [screen.index for screen in list_screens()] == [0]
    with pytest.raises(SettingsError, match="screen 0 is the only one"):
        ParticipantWindow(ParticipantPresenter(), screen=0)
    with pytest.raises(SettingsError, match="screen 1 for the participant does not exist"):
        ParticipantWindow(ParticipantPresenter(), screen=1)


def test_on_two_screens_it_fills_its_own_and_comes_back_with_it(tmp_path: Path) -> None:
    shape = {"y": 0, "logicalDpi": 96, "logicalBaseDpi": 96, "dpr": 1}
    screens = [
        {"name": "Operator", "x": 0, "width": 1280, "height": 720, **shape},
        {"name": "Participant", "x": 1280, "width": 1920, "height": 1080, **shape},
    ]
    config = tmp_path / "screens.json"
    config.write_text(json.dumps({"synchronousWindowSystemEvents": False, "screens": screens}))
    env = os.environ | {"QT_QPA_PLATFORM": f"offscreen:configfile={config}"}
    command = [sys.executable, "-W", "error", "-m", "tests.view.test_participant"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    message = json.loads(done.stdout)
    home = [1280, 0, 1920, 1080]
    assert message["opened"] == [home, True, True]
    assert message["asked by the desktop to close"] == message["opened"]
    assert message["without its screen"][1] is False
    assert message["another screen"][1] is False
    assert message["back"] == message["opened"]
    assert message["cursor"] == "BlankCursor"
    assert message["flags"] == [True, True, True]
    gone, back = message["troubles"]
    assert "screen (1: Participant (1920 x 1080)) is gone" in gone
    assert "comes back by itself" in gone
    assert back == ""
    assert message["closed"] == [False, False]


class Asked(QCloseEvent):
    """A close that the desktop asks for; Qt without a screen knows no desktop."""

    def spontaneous(self) -> bool:
        return True


def child() -> dict[str, object]:
    """Open the view on the second of two screens, which goes away and comes back; Qt's own signals say so."""
    application, troubles = QApplication([]), []
    ParticipantWindow(ParticipantPresenter(), screen=1).close()
    window = ParticipantWindow(ParticipantPresenter(), screen=1)
    window.troubled.connect(troubles.append)
    own, other = application.screens()[1], application.screens()[0]

    def now() -> list[object]:
        application.processEvents()
        place = window.geometry()
        return [[place.x(), place.y(), place.width(), place.height()], window.isVisible(), window.isFullScreen()]

    window.start()
    message: dict[str, object] = {"opened": now()}
    asked = Asked()
    window.closeEvent(asked)
    assert not asked.isAccepted()
    message["asked by the desktop to close"] = now()
    application.screenRemoved.emit(other)
    assert not troubles
    application.screenRemoved.emit(own)
    message["without its screen"] = now()
    application.screenAdded.emit(other)
    message["another screen"] = now()
    application.screenAdded.emit(own)
    message["back"] = now()
    message["cursor"] = window.cursor().shape().name
    wanted = (Qt.WindowType.FramelessWindowHint, Qt.WindowType.WindowStaysOnTopHint)
    message["flags"] = [bool(window.windowFlags() & flag) for flag in (*wanted, Qt.WindowType.WindowDoesNotAcceptFocus)]
    window.close()
    window.close()
    application.screenRemoved.emit(own)
    return message | {"troubles": troubles, "closed": [window.isVisible(), window.timer.isActive()]}


if __name__ == "__main__":
    print(json.dumps(child()))
