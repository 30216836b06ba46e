"""The operator's window and the participant's view are never on the same screen."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QWidget

from rtaffect.present.participant_state import ParticipantPresenter, ScreenInfo, operators_screen
from rtaffect.present.session_presenter import Presenter
from rtaffect.view.parts.screens import show_fitting
from rtaffect.view.show import run_window


def test_the_operators_screen_is_another_one_and_the_primary_if_it_can_be() -> None:
    there = [ScreenInfo(index=n, name=f"S{n}", width=1280, height=720, primary=n == 0) for n in range(3)]
    chosen = [operators_screen(n, there) for n in range(3)]
    assert [screen.index for screen in chosen if screen is not None] == [1, 0, 0]
    assert operators_screen(0, there[:1]) is None


@pytest.mark.parametrize("participants", [0, 1])
def test_the_window_opens_on_the_other_screen(participants: int, tmp_path: Path) -> None:
    shape = {"y": 0, "logicalDpi": 96, "logicalBaseDpi": 96, "dpr": 1}
    screens = [
        {"name": "Left", "x": 0, "width": 1280, "height": 720, **shape},
        {"name": "Right", "x": 1280, "width": 1920, "height": 1080, **shape},
    ]
    config = tmp_path / "screens.json"
    config.write_text(json.dumps({"synchronousWindowSystemEvents": False, "screens": screens}))
    env = os.environ | {"QT_QPA_PLATFORM": f"offscreen:configfile={config}"}
    command = [sys.executable, "-m", "tests.view.test_operators_screen", str(participants)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found == {"SessionWindow": 1 - participants, "ParticipantWindow": participants}


@pytest.mark.parametrize(("size", "maximised"), [((1280, 720), True), ((1280, 760), True), ((1366, 800), False)])
def test_a_window_with_its_frame_fits_its_screen(size: tuple[int, int], maximised: bool, tmp_path: Path) -> None:
    shape = {"x": 0, "y": 0, "width": size[0], "height": size[1], "logicalDpi": 96, "logicalBaseDpi": 96, "dpr": 1}
    config = tmp_path / "screens.json"
    config.write_text(json.dumps({"synchronousWindowSystemEvents": False, "screens": [{"name": "One", **shape}]}))
    env = os.environ | {"QT_QPA_PLATFORM": f"offscreen:configfile={config}"}
    command = [sys.executable, "-m", "tests.view.test_operators_screen", "fits"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) is maximised


def fits() -> bool:
    """Show a window of the usual size, and return whether it fills the screen."""
    application = QApplication([])
    window = QWidget()
    window.resize(1280, 720)
    show_fitting(window)
    application.processEvents()
    return window.isMaximized()


def child(participants: int) -> dict[str, int]:
    """Open both, and return on which screen each of them lies."""
    application, found = QApplication([]), {}

    def look() -> None:
        windows = [each for each in application.topLevelWidgets() if each.isVisible()]
        for window in windows:
            middle = window.frameGeometry().center()
            lies = [number for number, s in enumerate(application.screens()) if s.geometry().contains(middle)]
            found[type(window).__name__] = lies[0]
        next(each for each in windows if type(each).__name__ == "SessionWindow").close()

    QTimer.singleShot(500, look)
    options = {"on_close": lambda: None, "now": lambda: 0.0, "title": "test"}
    run_window(Presenter(window_s=10), participant=ParticipantPresenter(), screen=participants, **options)
    return found


if __name__ == "__main__":
    print(json.dumps(fits() if sys.argv[1] == "fits" else child(int(sys.argv[1]))))
