"""Ctrl-C ends the start window, whenever it comes."""

from __future__ import annotations

import os

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import signal
from pathlib import Path

import pytest
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication

from rtaffect.start.choices import Choices
from rtaffect.view.start import run
from rtaffect.view.start.window import StartWindow


@pytest.mark.parametrize("when", ["while it is made", "while it is there"])
def test_ctrl_c_closes_the_start_window(
    qapp: QApplication, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    monkeypatch.setenv("RTAFFECT_CONFIG", str(tmp_path))

    class Interrupted(StartWindow):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments)
            if when == "while it is made":
                signal.raise_signal(signal.SIGINT)
            else:
                QTimer.singleShot(50, lambda: signal.raise_signal(signal.SIGINT))

    monkeypatch.setattr(run, "StartWindow", Interrupted)
    assert run.run_start(Choices()) is None
