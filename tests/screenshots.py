"""Pictures of the display in each of its states: ``python -m tests.screenshots --out DIR``."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtWidgets import QApplication

from rtaffect.view.presenter import Presenter
from rtaffect.view.window import SessionWindow, grab
from tests.fake_feedback import CHANNELS, PEOPLE, FakeRows, component_rows, fake_session, region_rows

SMALLEST = (1180, 660)
BANNER = "synthetic participants: a demonstration, not people"


def picture(
    path: Path,
    *,
    size: tuple[int, int] = (1280, 720),
    steps: int = 0,
    rows: tuple[str, ...] | FakeRows = CHANNELS,
    people: tuple[str, ...] = PEOPLE,
    lost: str | None = None,
    banner: str | None = None,
    late_s: float = 0.4,
    chosen: int = 8,
    ended: str | None = None,
) -> None:
    """Write one picture of the window after ``steps`` steps."""
    presenter = Presenter()
    for feedback in fake_session(steps, rows=rows, people=people, lost=lost):
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
    picture(out / "smallest.png", steps=284, size=SMALLEST, banner=BANNER)
    picture(out / "channels-64.png", steps=284, rows=region_rows().channels, chosen=30)
    picture(out / "components.png", steps=284, rows=component_rows(), chosen=0)
    wide, narrow, pair = region_rows(64), region_rows(32), PEOPLE[:2]
    region, group = wide.rows.index("rostralanteriorcingulate-lh"), wide.rows.index("limbic")
    picture(out / "regions.png", steps=284, rows=wide, people=pair, banner=BANNER, chosen=0)
    picture(out / "regions-region.png", steps=284, rows=wide, people=pair, chosen=region)
    picture(out / "regions-four.png", steps=284, rows=wide, lost=PEOPLE[1], chosen=group)
    picture(out / "regions-32.png", steps=284, rows=narrow, people=pair, chosen=2)
    picture(out / "regions-warming-up.png", steps=6, rows=wide, people=pair, chosen=region)
    picture(out / "regions-smallest.png", steps=284, rows=wide, people=pair, size=SMALLEST, chosen=region)
    picture(out / "regions-1920.png", steps=284, rows=wide, people=pair, size=(1920, 1080), chosen=group)
    application.processEvents()


if __name__ == "__main__":
    main()
