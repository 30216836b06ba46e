"""The command ``start``: window, session, and the window again where the session failed."""

from __future__ import annotations

import os

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication

from rtaffect.cli.start import command
from rtaffect.common.errors import RtaffectError, StreamError, under
from rtaffect.plan.session_plan import SessionPlan, read_plan, write_plan
from rtaffect.run import remote
from rtaffect.start.memory import memory_file, recall
from rtaffect.view.start.window import StartWindow


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RTAFFECT_CONFIG", str(tmp_path / "config"))


def plan_in(folder: Path) -> Path:
    """Write the plan of a demo that can be started."""
    plan = {"mode": "demo", "participant": "P07", "results": {"out": str(folder / "results" / "P07-1")}}
    write_plan(SessionPlan.model_validate(plan), folder / "demo.toml")
    return folder / "demo.toml"


def answer(acts: list[Callable[[StartWindow], object]]) -> QTimer:
    """Do one act in each start window that opens, as soon as its session can be started."""
    timer, seen = QTimer(), []

    def look() -> None:
        for window in QApplication.topLevelWidgets():
            ready = isinstance(window, StartWindow) and window.isVisible() and window.verdict.start.isEnabled()
            if ready and window not in seen:
                seen.append(window)
                acts.pop(0)(window)

    timer.timeout.connect(look)
    timer.start(20)
    return timer


def test_a_session_that_fails_comes_back_to_the_window(qapp, tmp_path, monkeypatch):
    ran, shown = [], []

    def run_plan(plan: SessionPlan, console: object, show: object, checked: object) -> None:
        ran.append((plan, [w for w in QApplication.topLevelWidgets() if w.isVisible()]))
        if len(ran) == 1:
            raise StreamError(f"no LSL stream answered; name it {under('eeg')}")

    # The session itself is tested elsewhere: here it only fails, then succeeds.
    monkeypatch.setattr(remote, "run_plan", run_plan)

    def look(window: StartWindow) -> None:
        window.tick()
        shown.append((window.message.text(), window.presenter.choices, window.windowTitle()))
        window.begin()

    timer = answer([look, look])
    path = plan_in(tmp_path)
    written = path.read_bytes()
    done = CliRunner().invoke(command, ["--plan", str(path)], catch_exceptions=False)
    timer.stop()
    assert done.exit_code == 0
    assert [plan for plan, _ in ran] == [read_plan(path)] * 2
    assert [windows for _, windows in ran] == [[], []]
    assert [message for message, *_ in shown] == ["", "No LSL stream answered; name it under 'EEG streams'"]
    assert shown[0][1] == shown[1][1]
    assert "demo.toml" in shown[1][2]
    assert path.read_bytes() == written
    assert recall()[0].mode == "demo"


def test_a_plan_that_was_saved_in_the_window_is_what_runs(qapp, tmp_path, monkeypatch):
    saved, ran = tmp_path / "saved.toml", []
    monkeypatch.setattr(remote, "run_plan", lambda plan, *_: ran.append((plan, read_plan(saved))))

    def act(window: StartWindow) -> None:
        window.write(saved)
        window.results.seconds.setText("60")
        window.begin()

    timer = answer([act])
    memory_file().parent.mkdir()
    memory_file().write_text(f'format = 1\nmode = "demo"\nfolder = "{tmp_path.as_posix()}"\n', encoding="utf-8")
    assert CliRunner().invoke(command, [], catch_exceptions=False).exit_code == 0
    timer.stop()
    ((plan, on_disk),) = ran
    assert plan == on_disk
    assert plan.results.seconds == 60


def test_a_closed_window_runs_nothing(qapp, tmp_path, monkeypatch):
    monkeypatch.setattr(remote, "run_plan", lambda *_: pytest.fail("a session ran"))
    timer = answer([lambda window: window.close()])
    assert CliRunner().invoke(command, ["--plan", str(plan_in(tmp_path))], catch_exceptions=False).exit_code == 0
    timer.stop()


def test_a_plan_that_cannot_be_read_is_one_line(tmp_path):
    (tmp_path / "odd.toml").write_text("mode = 7")
    with pytest.raises(RtaffectError, match=r"odd\.toml: mode = 7: expected") as error:
        CliRunner().invoke(command, ["--plan", str(tmp_path / "odd.toml")], catch_exceptions=False)
    assert "\n" not in str(error.value)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere there always is a screen")
def test_without_a_screen_it_says_what_to_use_instead(monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(RtaffectError, match=r"no screen .*`rtaffect live --session FILE`"):
        CliRunner().invoke(command, [], catch_exceptions=False)


def test_without_qt_it_says_what_to_install_or_use_instead():
    code = (
        "import sys; sys.modules['PySide6'] = None\nfrom rtaffect.cli.start import command\n"
        "from rtaffect.common.errors import RtaffectError\n"
        "try: command(standalone_mode=False, args=[])\nexcept RtaffectError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.count("\n") == 1
    assert 'PySide6, which is not installed: pip install "rtaffect[view]"' in done.stdout
    assert "`rtaffect live --session FILE`" in done.stdout
