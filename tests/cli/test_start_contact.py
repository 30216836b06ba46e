"""From the start window into the contact check, back, and on into the session."""

from __future__ import annotations

import os

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from pathlib import Path

import pytest
from click.testing import CliRunner
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from rtaffect.checks import contact_check
from rtaffect.checks.contact_check import CheckState
from rtaffect.cli import contact as command
from rtaffect.cli import start
from rtaffect.common.errors import RtaffectError, SettingsError
from rtaffect.common.terminal import Terminal
from rtaffect.observed.contact import HeadsetContact
from rtaffect.plan.conflicts import check_plan
from rtaffect.plan.session_plan import SessionPlan
from rtaffect.run import remote
from rtaffect.start.choices import Choices, plan_of
from rtaffect.start.start_presenter import StartPresenter
from rtaffect.view.start import contact
from rtaffect.view.start.contact import ContactOutcome
from rtaffect.view.start.window import Started, StartWindow

LIVE = Choices(mode="live", streams=("name=Muse-A",), sound="none")


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RTAFFECT_CONFIG", str(tmp_path / "config"))


def test_a_key_leaves_the_start_window_for_the_check_of_the_ticked_headsets(qtbot: QtBot) -> None:
    window = StartWindow(StartPresenter(LIVE))
    qtbot.addWidget(window)
    window.show()
    with qtbot.waitActive(window):
        window.activateWindow()
    assert window.verdict.check.isVisible()
    qtbot.keyClick(window, Qt.Key.Key_K, Qt.KeyboardModifier.ControlModifier)
    assert window.started is not None
    assert window.started.checks
    assert window.started.plan.eeg.streams == ("name=Muse-A",)
    assert not window.isVisible()


def test_a_demo_has_no_contact_to_check(qtbot: QtBot) -> None:
    window = StartWindow(StartPresenter(Choices(mode="demo")))
    qtbot.addWidget(window)
    window.check_contact()
    assert window.started is None
    assert window.verdict.check.isHidden()
    window.close()


@pytest.mark.parametrize("may_start", [True, False])
def test_the_check_goes_back_to_the_start_or_on_with_what_it_found(
    qapp: QApplication, monkeypatch: pytest.MonkeyPatch, may_start: bool
) -> None:
    found = (HeadsetContact("A", 1.0, ()),)
    outcomes = [ContactOutcome(False, CheckState()), ContactOutcome(True, CheckState(contacts=found))]
    chosen, asked, ran = [], [], []
    answers = [Started(plan_of(LIVE), LIVE, checks=True, may_start=may_start)] * 2 + [None]

    def choose(choices: Choices, message: str, plan_file: object) -> Started | None:
        chosen.append(choices)
        return answers.pop(0)

    def run_contact(watch: object, *, starts: bool, back: str) -> ContactOutcome:
        asked.append((type(watch), starts))
        return outcomes.pop(0)

    monkeypatch.setattr(start, "_try_window", lambda: None)
    monkeypatch.setattr(start, "_choose", choose)
    monkeypatch.setattr(contact, "run_contact", run_contact)
    monkeypatch.setattr(remote, "run_plan", lambda plan, console, show, checked: ran.append(checked))
    assert CliRunner().invoke(start.command, [], catch_exceptions=False).exit_code == 0
    assert asked == [(contact_check.ContactWatch, may_start)] * 2
    assert chosen[1] == LIVE, "back at the start with the same choices"
    assert ran == [found]


def test_a_plans_check_before_sessions_that_other_programs_start_is_refused() -> None:
    plan = SessionPlan.model_validate({"contact": {"check": True}, "programs": {"remote": "127.0.0.1:22345"}})
    with pytest.raises(SettingsError, match="check-contact"):
        check_plan(plan)


def test_what_does_not_go_together_is_refused_before_headsets_are_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else an operator sets electrodes right for minutes, for a session that cannot be."""
    monkeypatch.setattr(command, "ContactWatch", lambda plan: pytest.fail("headsets were looked for"))
    plan = SessionPlan.model_validate({"contact": {"check": True}, "programs": {"remote": "127.0.0.1:22345"}})
    with pytest.raises(SettingsError, match="check-contact"):
        command.contacts_before(plan, Terminal())


@pytest.mark.parametrize(
    ("part", "named"),
    [
        ({"analysis": {"bundle": "no-bundle"}}, "no-bundle"),
        ({"analysis": {"affect": "no-affect"}}, "no-affect"),
        ({"sound": {"file": "no-sound.wav"}}, "no-sound.wav"),
        ({"protocol": {"file": "no-protocol.toml"}}, "no-protocol.toml"),
        ({"results": {"out": "taken"}}, "taken"),
        ({"contact": {"settings": "no-limits.toml"}}, "no-limits.toml"),
    ],
)
def test_what_is_not_there_is_told_before_headsets_are_looked_for(
    part: dict[str, dict[str, str]], named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "ContactWatch", lambda plan: pytest.fail("headsets were looked for"))
    monkeypatch.chdir(tmp_path)
    Path("taken").mkdir()
    Path("taken", "session.toml").write_text("", encoding="utf-8")
    plan = SessionPlan.model_validate({**part, "contact": {"check": True, **part.get("contact", {})}})
    with pytest.raises(RtaffectError, match=named):
        command.contacts_before(plan, Terminal())
