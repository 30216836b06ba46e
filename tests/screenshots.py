"""Pictures of the display in each of its states: ``python -m tests.screenshots --out DIR``."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtWidgets import QApplication

from rtaffect.view.presenter import Presenter
from rtaffect.view.window import SessionWindow, grab
from tests.fake_feedback import CHANNELS, REGIONS, fake_session

BANNER = "synthetic participants: a demonstration, not people"


def picture(
    path: Path,
    *,
    size: tuple[int, int] = (1280, 720),
    steps: int = 0,
    rows: tuple[str, ...] = CHANNELS,
    lost: str | None = None,
    banner: str | None = None,
    late_s: float = 0.4,
    chosen: int = 8,
    ended: str | None = None,
) -> None:
    """Write one picture of the window after ``steps`` steps."""
    presenter = Presenter()
    for feedback in fake_session(steps, rows=rows, lost=lost):
        presenter.add(feedback)
    if steps:
        presenter.select(chosen)
    if ended:
        presenter.end(ended)
    window = SessionWindow(
        presenter, title="listening 1", banner=banner, on_close=lambda: None, now=lambda: 1000.0 + steps + late_s
    )
    window.resize(*size)
    window.show()
    for _ in range(3):
        window.tick()
        QApplication.processEvents()
    grab(window, path)
    window.close()
    print(path)


def main() -> None:
    """Write all pictures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, required=True)
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    application = QApplication.instance() or QApplication(["rtaffect"])
    picture(out / "no-data.png")
    picture(out / "warming-up.png", steps=6)
    picture(out / "running.png", steps=284, banner=BANNER)
    picture(out / "running-1920.png", steps=284, size=(1920, 1080))
    picture(out / "fault.png", steps=190, lost="Muse-27C0", banner=BANNER)
    picture(out / "stalled.png", steps=95, late_s=12.3)
    picture(out / "ended.png", steps=400, ended="the sound has come to its end", chosen=2)
    picture(out / "regions.png", steps=284, rows=REGIONS, banner=BANNER, chosen=30)
    picture(out / "regions-1920.png", steps=284, rows=REGIONS, size=(1920, 1080), chosen=30)
    application.processEvents()


if __name__ == "__main__":
    main()
