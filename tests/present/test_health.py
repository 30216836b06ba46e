"""Health of the session in the operator's window."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from rtaffect.present.health import HealthItem, describe_health, size
from rtaffect.present.session_state import ViewState, resolve_headline
from rtaffect.stream.doubt import Doubt
from rtaffect.stream.status import SourceStatus
from rtaffect.view import Presenter
from tests.support.fake_feedback import PEOPLE, FakeRecording, fake_session, fake_sources
from tests.support.view_windows import Make, check_nothing_left, windows


@pytest.fixture(autouse=True)
def nothing_left(qapp: QApplication) -> Iterator[None]:
    """Fail a test that leaves a window or a thread behind."""
    yield from check_nothing_left(qapp)


@pytest.fixture
def make(qtbot: QtBot) -> Iterator[Make]:
    """Build windows; see :func:`tests.support.view_windows.windows`."""
    yield from windows(qtbot)


def state_with(*sources: SourceStatus, **changes: object) -> ViewState:
    presenter = Presenter()
    feedback = dataclasses.replace(fake_session(20)[-1], sources=sources, **changes)  # type: ignore[arg-type]
    presenter.add(feedback)
    return presenter.state()


def items(state: ViewState, elapsed: float = 0.2, recording: FakeRecording | None = None) -> dict[str, HealthItem]:
    return {item.label: item for item in describe_health(state, elapsed, recording)}


def source(name: str = "muse", **changes: object) -> SourceStatus:
    return dataclasses.replace(SourceStatus(name, "eeg", "ok", 0.1, 100, 2, 1, 0, -12.0), **changes)  # type: ignore[arg-type]


def test_figures_in_words() -> None:
    found = items(state_with(source(), source("late", age_s=0.6, drift_ppm=31.0, gaps=0, clock_jumps=0)))
    assert {label: item.text for label, item in found.items()} == {
        "newest sample": "0.8 s",
        "window's centre": "5.2 s",
        "step": "51 ms (most 51)",
        "gaps": "2, 1 clock jump, 0 dropped",
        "drift": "+31 ppm",
        "recording": "off",
    }
    assert {item.level for item in found.values()} == {"good", "idle"}
    assert "late" in found["newest sample"].hint
    assert "features 41 ms" in found["step"].hint


def test_what_is_ill_is_said_to_be() -> None:
    slow = {"eeg": 0.4, "features": 0.9}
    found = items(state_with(source(age_s=2.9, overruns=40, drift_ppm=-900.0), stage_s=slow), 0.2)
    levels = {label: item.level for label, item in found.items()}
    assert levels["newest sample"] == "bad"
    assert (levels["step"], levels["gaps"], levels["drift"]) == ("bad", "warn", "warn")
    assert found["drift"].text == "\N{MINUS SIGN}900 ppm"
    assert items(state_with(source(age_s=1.4)))["newest sample"].level == "warn"
    assert items(state_with(source()), 4.0)["window's centre"].level == "warn"


def test_what_is_not_known_is_not_made_up() -> None:
    nan = float("nan")
    found = items(state_with(source(age_s=nan, drift_ppm=nan), stage_s={}))
    assert [found[label].text for label in ("newest sample", "step", "drift")] == ["none yet", "n/a", "n/a"]
    partly = items(state_with(source(), source("mute", age_s=nan)))["newest sample"]
    assert (partly.text, partly.level) == ("0.3 s", "warn")
    assert "1 without any sample" in partly.hint
    over = items(state_with(source(), source("played", age_s=60.0, state="ended")))["newest sample"]
    assert over.text == "0.3 s", "what has ended does not age"
    assert list(items(Presenter().state())) == ["recording"]


def test_ages_are_those_of_now_where_they_are_known(make: Make) -> None:
    present = [1060.4]
    sources = fake_sources(PEOPLE[:1], until=1060.2, ahead=5.0)
    window = make(60, people=PEOPLE[:1], now=lambda: present[0], sources=sources)
    assert "newest sample 0.2 s" in window.footer.health.words
    present[0] = 1061.3
    sources[0].advance(1061.2)
    window.tick()
    assert "newest sample 1.1 s" in window.footer.health.words, "the sound is late"
    sources[1].advance(1062.0)
    window.tick()
    present[0] = 1061.5
    window.tick()
    assert "newest sample 0.3 s" in window.footer.health.words, "a source that is ahead has no age"


def test_an_age_is_that_of_the_samples_themselves() -> None:
    ahead = items(state_with(source(age_s=-0.9)), 0.2)["newest sample"]
    assert ahead.text == "\N{MINUS SIGN}0.7 s", "stamps of the future are not shown as of now"
    assert "muse is 0.7 s ahead of the clock" in ahead.hint
    assert items(state_with(source(age_s=-0.22)), 0.2)["newest sample"].text == "0.0 s"


def test_a_late_step_is_a_fault() -> None:
    words = "this step was made 2.0 s too late: its values are of the past"
    late = Doubt("late", 1020.0, float("inf"), words, "step")
    assert resolve_headline(state_with(source(), doubts=(late,)), 0.2) == ("fault", words)


def test_recordings() -> None:
    state = state_with(source())
    found = items(state, recording=FakeRecording())
    assert (found["recording"].text, found["disk"].text) == ("12.3 MB", "56.8 GB free")
    assert "recording.xdf" in found["recording"].hint
    waiting = items(state, recording=FakeRecording(pending_bytes=9_000_000))["recording"]
    assert waiting.text == "12.3 MB, 9 MB to write"
    little = items(state, recording=FakeRecording(free_bytes=900_000_000))["disk"]
    assert (little.text, little.level) == ("900 MB free", "warn")
    full = items(state, recording=FakeRecording(free_bytes=2_000, lost=512, trouble="the disk is full"))
    assert (full["recording"].text, full["recording"].level) == ("512 lost, the disk is full", "bad")
    assert (full["disk"].text, full["disk"].level) == ("2 kB free", "bad")
    assert size(2.5e12) == "2.5 TB"


def test_the_line_is_kept_up_to_date(make: Make) -> None:
    present, record, asked = [1060.2], [FakeRecording()], []

    def recording() -> FakeRecording:
        asked.append(present[0])
        return record[0]

    window = make(60, now=lambda: present[0], recording=recording)
    line = window.footer.health
    assert "newest sample 0.3 s" in line.words
    assert "recording 12.3 MB" in line.words
    for _ in range(5):
        window.tick()
    assert len(asked) == 1, "a disk is not asked at each repaint"
    record[0] = FakeRecording(lost=3, trouble="the disk is full: free some space")
    present[0] += 1.5
    window.tick()
    assert "\N{BLACK SQUARE} recording 3 lost, the disk is full: free some space" in line.words
    assert "recording: the disk is full: free some space" in window.footer.notices.text()
    assert "step 60" in window.footer.step.text()
    record[0] = FakeRecording()
    present[0] += 1.5
    window.tick()
    assert "disk is full" not in window.footer.notices.text()


@pytest.mark.parametrize("width", [1180, 1280, 1920])
def test_figures_never_lie_over_each_other(make: Make, qapp: QApplication, width: int) -> None:
    broken = FakeRecording(lost=512, free_bytes=1000, trouble="the disk is full: free some space, or stop the session")
    window = make(60, lost=PEOPLE[0], recording=lambda: broken, on_marker=print)
    window.resize(width, 720)
    qapp.processEvents()
    places = window.footer.health.places()
    assert len(places) == 7
    assert all(a.right() < b.left() for a, b in itertools.pairwise(places))
    assert places[-1].right() <= window.footer.health.width() + 1
