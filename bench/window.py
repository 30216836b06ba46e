"""The operator's window: repaints a second, start, and memory over eight hours, against drawing everything anew."""

from __future__ import annotations

import dataclasses
import gc
import os
import subprocess
import sys
from pathlib import Path
from time import perf_counter

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
from PySide6.QtWidgets import QApplication, QWidget

from bench import Rows, interleaved, run
from rtaffect.engine.feedback import Feedback
from rtaffect.present.session_presenter import Presenter
from rtaffect.stream.buffer import SampleBuffer
from rtaffect.stream.source import StreamInfo
from rtaffect.stream.status import SourceStatus
from rtaffect.view.show import SessionWindow
from tests.support.fake_feedback import BLOCKS, fake_protocol_step, fake_session, fake_zones, region_rows

#: 64 channels, 68 regions, 8 zones, 10 groups, two people, sound.
ROWS = region_rows(64)
PEOPLE = ("Muse-1A2F", "Muse-27C0")
#: Repaints in a second of the session, as the window's timer asks for them.
TICKS = 40
PAGES = ("curves", "brain", "signals, raw traces", "agreement")
HOURS_STEPS = 8 * 3600
ORIGIN = 1000.0


class Feed:
    """A source without an end: the same second of samples again and again, with new times."""

    def __init__(self, info: StreamInfo, scale: float) -> None:
        self.info = info
        self.buffer = SampleBuffer(info.rate, len(info.channels))
        rng = np.random.default_rng(0)
        self._second = (scale * rng.standard_normal((round(info.rate), len(info.channels)))).astype(np.float32)
        self._sent = 0

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def status(self, now: float) -> SourceStatus:
        return self.buffer.status(self.info.name, self.info.kind, "ok", now)

    def advance(self, until: float) -> None:
        due, rate = int((until - ORIGIN) * self.info.rate), len(self._second)
        while self._sent < due:
            at = self._sent % rate
            n = min(rate - at, due - self._sent)
            self.buffer.push(self._second[at : at + n], ORIGIN + (self._sent + np.arange(n)) / self.info.rate)
            self._sent += n


class Bench:
    """A window whose clock is moved by hand."""

    def __init__(self, session: list[Feedback]) -> None:
        self.session = session
        self.sources = [Feed(StreamInfo(name, "eeg", 500.0, ROWS.channels, "file"), 1e-5) for name in PEOPLE]
        self.sources.append(Feed(StreamInfo("microphone", "audio", 48000.0, ("mono",), "file"), 0.1))
        self.presenter = Presenter()
        self.presenter.plan(BLOCKS)
        self.step, self.present = 0, ORIGIN
        self.window = SessionWindow(
            self.presenter,
            on_close=lambda: None,
            now=lambda: self.present,
            sources=self.sources,
            on_go=lambda: None,
            on_marker=lambda text: None,
            zones=fake_zones(),
        )
        # The window's own timer stands still: each repaint is asked for here.
        self.window.timer.stop()
        self.window.resize(1280, 720)
        self.window.show()

    def add_step(self) -> None:
        """Feed the next step: one of the session's, with a new number."""
        self.step += 1
        at = self.session[20 + self.step % (len(self.session) - 20)]
        self.present = ORIGIN + self.step
        self.presenter.add(dataclasses.replace(at, step=self.step, time=float(self.step), lsl_time=ORIGIN + self.step))
        self.presenter.add_protocol_step(fake_protocol_step(self.step))

    def paint(self, page: int | None = None) -> None:
        """Repaint, after going to another page where one is given."""
        for source in self.sources:
            source.advance(self.present)
        if page is not None:
            self.window.signals.raw = page == 2
            self.window.show_page(page)
        self.window.tick()
        QApplication.processEvents()

    def second(self, ticks: int, *, anew: bool) -> None:
        """Paint a second of the session: one step, and ``ticks`` repaints."""
        self.add_step()
        for tick in range(ticks):
            self.present = ORIGIN + self.step + tick / TICKS
            if anew:
                self.window._state = self.presenter.state()
                self.window._drawn.clear()
                self.window._show_data()
                self.window.signals._drawn_at = float("-inf")
                for widget in self.window.findChildren(QWidget):
                    widget.update()
            self.paint()

    def close(self) -> None:
        self.window.close()
        self.window.deleteLater()
        QApplication.sendPostedEvents(None, 52)  # QEvent.DeferredDelete


def measure(quick: bool) -> Rows:
    """Return a row for each page, one for the start and one for the memory."""
    application = QApplication.instance() or QApplication(["bench"])
    session = fake_session(40 if quick else 320, rows=ROWS, people=PEOPLE)
    turns = 1 if quick else 9
    rows = [_repaints(session, page, turns, 8 if quick else TICKS) for page in range(len(PAGES))]
    rows.append(_start(1 if quick else 5))
    rows.append(_memory(session, 60 if quick else HOURS_STEPS))
    application.processEvents()
    return rows


def _repaints(session: list[Feedback], page: int, turns: int, ticks: int) -> dict[str, object]:
    ours, other = Bench(session), Bench(session)
    for each in (ours, other):
        for _ in range(len(session)):
            each.add_step()
        each.paint(page)
        each.second(2, anew=False)
    seconds = interleaved(turns, lambda: ours.second(ticks, anew=False), lambda: other.second(ticks, anew=True))
    for each in (ours, other):
        each.close()
    return _row(f"{PAGES[page]}: repaints a second", ticks / seconds[0], ticks / seconds[1], seconds[1] / seconds[0])


def started(pages: int) -> float:
    """Return the seconds from nothing, with everything imported, to a painted window; ``pages`` are drawn."""
    session = fake_session(21, rows=ROWS, people=PEOPLE)
    began = perf_counter()
    application = QApplication(["bench"])
    opened = Bench(session)
    opened.add_step()
    for page in range(pages):
        opened.paint(page)
    spent = perf_counter() - began
    opened.close()
    application.processEvents()
    return spent


def _start(turns: int) -> dict[str, object]:
    """Start in processes of their own; the alternative draws all pages at once."""

    def start(pages: int) -> float:
        code = f"from bench.window import started; print(started({pages}))"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        return float(done.stdout)

    ours, other = np.median([(start(1), start(len(PAGES))) for _ in range(turns)], axis=0).tolist()
    return _row("start after the imports, s", ours, other, other / ours)


def _memory(session: list[Feedback], steps: int) -> dict[str, object]:
    """Growth of the process while ``steps`` steps are shown, page by page; the alternative keeps them all."""
    shown = Bench(session)
    began, before = perf_counter(), _megabytes()
    for number in range(steps):
        shown.add_step()
        shown.paint(number // 60 % len(PAGES) if number % 60 == 0 else None)
        if number == min(steps // 4, 1200):
            # What all pages and caches need is there by now; what comes after it is growth.
            before = _megabytes()
    grown, spent = _megabytes() - before, perf_counter() - began
    shown.close()
    before, kept = _megabytes(), []
    for number in range(steps):
        at = session[number % len(session)]
        names = ("predicted", "predicted_low", "predicted_high", "observed", "observed_each", "quality")
        kept.append(dataclasses.replace(at, **{name: getattr(at, name).copy() for name in names}))
    other = _megabytes() - before
    kept.clear()
    # Growth of less than .1 MB cannot be told from none.
    row = _row(f"{steps} steps: memory grown, MB", grown, other, max(other, 0.1) / max(grown, 0.1))
    return {**row, "steps": steps, "seconds": spent}


def _row(case: str, ours: float, other: float, ratio: float) -> dict[str, object]:
    return {"case": case, "window": ours, "other": other, "ratio": ratio}


def _megabytes() -> float:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


COLUMNS = (
    ("case", "case", ""), ("window", "window", ".3g"), ("other", "alternative", ".3g"), ("ratio", "ratio", ".1f"),
)  # fmt: skip

if __name__ == "__main__":
    run(
        "window", measure, COLUMNS,
        "64 channels, 68 regions, 8 zones, 10 groups; medians over seconds of one step and 40 repaints. Alternatives: "
        "state, page and all widgets anew at each repaint; all pages drawn at the start; all steps kept in memory",
    )  # fmt: skip
