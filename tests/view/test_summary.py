"""The summary after a session, and the day's list over the start window, by keys."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from rtaffect.cli import start
from rtaffect.plan.session_plan import read_plan
from rtaffect.start.choices import Choices
from rtaffect.start.day import DayLine
from rtaffect.start.outcome import Outcome, outcome_of
from rtaffect.view.parts.application import discard
from rtaffect.view.start import day as day_view
from rtaffect.view.start import summary
from rtaffect.view.start.day import DayPanel
from rtaffect.view.start.summary import SummaryWindow
from rtaffect.view.start.window import Started
from tests.support.session_files import FakeBlock, write_session
from tests.support.view_windows import activate, check_nothing_left

SHORT = (FakeBlock("baseline", "Baseline", 60), FakeBlock("feedback", "Run 1", 60))


@pytest.fixture(autouse=True)
def nothing_left(qapp: QApplication) -> Iterator[None]:
    yield from check_nothing_left(qapp)


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    folder = tmp_path_factory.mktemp("s") / "P07-today"
    write_session(folder, participant="P07", blocks=SHORT, with_recording=False, with_sounds=False)
    return outcome_of(folder)


def opened(qtbot: QtBot, outcome: Outcome, *command: str) -> SummaryWindow:
    window = SummaryWindow(outcome, "P08", *([command] if command else []))
    window.show()
    activate(window, qtbot)
    return window


@pytest.mark.parametrize(("key", "wanted"), [("N", "next"), ("B", "back"), ("Escape", None)])
def test_it_says_how_it_went_and_what_next(qtbot: QtBot, outcome: Outcome, key: str, wanted: str | None) -> None:
    window = opened(qtbot, outcome)
    for card, (what, number, more) in zip(window.numbers, outcome.numbers, strict=True):
        assert card.accessibleName() == f"{what}: {number}, {more}"
    assert window.words.text().lower() == f"{outcome.words}.".lower()
    assert window.next_button.text() == "Next participant P08  N"
    _, mean = window.plot.mean.getData()
    assert len(mean) == len(outcome.mean)
    closed: list[bool] = []
    window.closed.connect(lambda: closed.append(True))
    qtbot.keyClick(window, getattr(Qt.Key, f"Key_{key}"))
    assert closed == [True]
    assert window.wanted == wanted
    discard(window)


def test_the_report_is_made_and_opened(qtbot: QtBot, outcome: Outcome, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: seen.append(url.toLocalFile()))
    code = "import sys, pathlib; pathlib.Path(sys.argv[3]).write_text('report of ' + sys.argv[1])"
    window = opened(qtbot, outcome, sys.executable, "-c", code)
    qtbot.keyClick(window, Qt.Key.Key_R)
    file = outcome.folder / "report.html"
    qtbot.waitUntil(lambda: seen == [str(file)], timeout=60_000)
    assert file.read_text() == f"report of {outcome.folder}"
    assert window.message.text() == f"the report is {file}"
    discard(window)
    failing = opened(qtbot, outcome, sys.executable, "-c", "import sys; sys.exit('rtaffect: matplotlib is missing')")
    file.unlink()
    qtbot.keyClick(failing, Qt.Key.Key_R)
    qtbot.waitUntil(lambda: failing.message.text() == "rtaffect: matplotlib is missing", timeout=60_000)
    discard(failing)


def test_after_a_session_with_a_protocol_comes_the_next_participant(
    outcome: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = read_plan(outcome.folder / "session.toml")
    plan = plan.model_copy(update={"results": plan.results.model_copy(update={"out": outcome.folder})})
    asked: list[str] = []
    for wanted, expected in (("next", "P08"), ("back", "P07"), (None, None)):
        monkeypatch.setattr(summary, "run_summary", lambda _, code, wanted=wanted: asked.append(code) or wanted)
        after = start._after(Started(plan, Choices(participant="P07", name="P07-today")))
        if expected is None:
            assert after is None
        else:
            assert (after[0].participant, after[0].name) == (expected, "")
    assert asked == ["P08"] * 3
    without = plan.model_copy(update={"protocol": plan.protocol.model_copy(update={"file": None})})
    assert start._after(Started(without, Choices())) is None
    assert len(asked) == 3


def test_the_list_of_the_day_gives_a_planned_code(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [
        DayLine("done", "P01", "09:05", "completed", "96% trusted", Path("P01-x")),
        DayLine("planned", "P02", "", "", ""),
        DayLine("planned", "P03", "", "", ""),
    ]
    monkeypatch.setattr(day_view, "day_of", lambda choices, today: (lines, "the allocation cannot be read"))
    window = QWidget()
    window.resize(1280, 720)
    panel, chosen = DayPanel(window, Choices), []
    panel.chosen.connect(chosen.append)
    window.show()
    activate(window, qtbot)
    panel.switch()
    assert panel.title.text().endswith("1 done, 2 planned")
    assert panel.trouble.text() == "the allocation cannot be read"
    assert panel.table.item(0, 3).text() == "96% trusted"
    qtbot.keyClick(panel.table, Qt.Key.Key_Down)
    qtbot.keyClick(panel.table, Qt.Key.Key_Return)
    assert chosen == ["P03"]
    assert not panel.isVisible()
    panel.switch()
    qtbot.keyClick(panel.table, Qt.Key.Key_Up)
    qtbot.keyClick(panel.table, Qt.Key.Key_Return)
    assert chosen == ["P03"], "one that is done is no choice"
    qtbot.keyClick(panel.table, Qt.Key.Key_Escape)
    assert not panel.isVisible()
    discard(window)
