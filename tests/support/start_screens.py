"""Pictures of the start window in its modes and states: ``python -m tests.support.start_screens --out DIR``."""

from __future__ import annotations

import argparse
import datetime as dt
import os
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

if __name__ == "__main__":
    # LSL on the loopback alone; it must be configured before it is loaded.
    import tests.conftest  # noqa: F401

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
from PySide6.QtWidgets import QApplication

from rtaffect.start.choices import Choices
from rtaffect.start.start_presenter import StartPresenter
from rtaffect.view.start.window import StartWindow
from tests.support.affect import write_tiny_bundle
from tests.support.start_files import CHANNELS, PROTOCOL, bundle_in, headset, microphone, recording_in, story_in

SIZES = ((1280, 720), (1920, 1080))


def settle(window: StartWindow, until: Callable[[StartWindow], bool], most_s: float = 60.0) -> None:
    """Let the window run until ``until`` holds."""
    end = time.monotonic() + most_s
    while not until(window):
        if time.monotonic() > end:
            raise TimeoutError(f"the window did not come so far; it says {window.verdict.lines}")
        QApplication.processEvents()
        time.sleep(0.02)


def shoot(
    out: Path,
    name: str,
    choices: Choices,
    until: Callable[[StartWindow], bool],
    said: str = "",
    act: Callable[[StartWindow], object] = lambda _: None,
) -> None:
    """Write pictures of the window in both sizes once ``until`` holds, after ``act`` was done in it."""
    window = StartWindow(StartPresenter(choices, said=said, today=lambda: dt.date(2025, 11, 21)))
    window.show()
    try:
        settle(window, until)
        act(window)
        for width, height in SIZES:
            window.resize(width, height)
            for _ in range(4):
                window.tick()
                QApplication.processEvents()
            path = out / f"start-{name}-{height}.png"
            assert window.grab().save(str(path), "PNG")
            print(path)
    finally:
        window.close()
        window.deleteLater()
        QApplication.processEvents()


def ready(window: StartWindow) -> bool:
    """Return whether the session can be started and the signal is there."""
    view = window.eeg.signal.view
    shown = (
        view.signal is not None and np.isfinite(view.signal.traces.low).mean() > 0.9
    ) or window.presenter.choices.mode != "live"
    return (
        window.verdict.start.isEnabled()
        and shown
        and not any("timed" in line.text for line in window.bundle.words.lines)
    )


def affect_page(window: StartWindow) -> None:
    """Turn the card of the prediction to what is of affect."""
    window.bundle.affective.setChecked(True)


def still(window: StartWindow) -> bool:
    """Return whether nothing is waited for any more."""
    return not any(line.startswith("\N{WHITE CIRCLE}") for line in window.verdict.lines)


def start_pictures(out: Path) -> None:
    """Write all pictures into ``out``: each mode with nothing found, ready, and with problems."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary, ExitStack() as cleanup:
        folder = Path(temporary)
        own = {"RTAFFECT_CONFIG": str(folder / "config"), "RTAFFECT_CACHE": str(folder / "cache")}
        cleanup.enter_context(patch.dict(os.environ, own))
        results = str(folder / "results")
        story, sha256 = story_in(folder)
        bundle = bundle_in(folder / "podcast", sound=sha256)
        other = bundle_in(folder / "film", ("E1", "E2"), name="film")
        protocol, wrong = folder / "two-runs.toml", folder / "broken.toml"
        protocol.write_text(PROTOCOL, encoding="utf-8")
        wrong.write_text(PROTOCOL.replace('kind = "rest"', 'kind = "pause"'), encoding="utf-8")
        shoot(out, "live-nothing", Choices(folder=results), still)
        shoot(out, "replay-nothing", Choices(mode="replay", folder=results, sound="none"), still)
        shoot(out, "demo-nothing", Choices(mode="demo"), still)
        recording = recording_in(folder)
        base = Choices(
            participant="P07", protocol=str(protocol), folder=results, bundle=str(bundle), stimulus=str(story)
        )
        _others(out, base, str(recording), str(other), str(wrong))
        muse = headset("Muse", ("TP9", "AF7", "AF8", "TP10"), 256.0, with_description=False)
        for sender in (headset("ANT Neuro", CHANNELS, 500.0), muse, microphone()):
            cleanup.enter_context(sender)
        _live(out, base, str(other), str(wrong))


def _others(out: Path, base: Choices, recording: str, other: str, wrong: str) -> None:
    message = replace(base, mode="replay", recording=recording, sound="none", against="auto")
    shoot(out, "replay-ready", message, ready)
    shoot(out, "replay-problems", replace(message, bundle=other, speed="fast", protocol=wrong, sound="stimulus"), still)
    shoot(out, "demo-ready", replace(base, mode="demo"), ready)
    shoot(out, "demo-affect", replace(base, mode="demo"), ready, act=affect_page)
    shoot(
        out, "demo-problems", replace(base, mode="demo", protocol=wrong, participant="P 7", speed="0", screen=3), still
    )


def _live(out: Path, base: Choices, other: str, wrong: str) -> None:
    heard = replace(
        base, sound="stimulus", heard_by="stream", sound_stream="name=Room microphone", streams=("name=ANT Neuro",)
    )
    shoot(out, "live-ready", heard, ready)
    shoot(out, "live-channels", heard, ready, act=lambda window: window.eeg.pick.setChecked(True))
    affect = str(write_tiny_bundle(Path(base.folder) / "affect", CHANNELS[:6]))
    read = replace(heard, affect=affect, affect_rest_s="60")
    shoot(out, "live-affect", read, ready, act=affect_page)
    shoot(out, "live-more", read, ready, act=lambda window: window.bundle.more.setChecked(True))
    failed = "stream 'ANT Neuro' on lab-2 was found but cannot be opened; restart the device's LSL output"
    bad = replace(heard, streams=None, bundle=other, protocol=wrong, participant="P 7", sound="file", screen=2)

    def message(window: StartWindow) -> bool:
        there = window.eeg.signal.view.signal
        shown = there is not None and there.traces.known
        return still(window) and shown and len(window.eeg.table.rows) > 1

    shoot(out, "live-problems", bad, message, failed)


def main() -> None:
    """Write all pictures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, required=True)
    QApplication.instance() or QApplication(["rtaffect"])
    start_pictures(parser.parse_args().out)


if __name__ == "__main__":
    main()
