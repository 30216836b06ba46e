"""Live sessions that are asked to end by signals, or lose their folder: always in order, with all that came."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import pyxdf

from rtaffect.common.errors import NotKeptError, SettingsError
from rtaffect.common.signals import Ending, ending_signals
from rtaffect.plan.session_folder import open_session
from rtaffect.record import recorder
from rtaffect.run.running import RunningSession
from rtaffect.simulation.headset import SimulatedHeadset
from tests.cli.test_commands import ROOT, run
from tests.support.waiting import wait_for

RATE = 250.0


@pytest.fixture(scope="module")
def headset() -> Iterator[str]:
    """The name of a headset that sends for as long as the tests take."""
    name = f"cap-{uuid.uuid4().hex[:6]}"
    samples = np.random.default_rng(3).normal(0, 1e-5, (round(240 * RATE), 4))
    with SimulatedHeadset(name, name, samples, RATE, ("Fz", "Cz", "Pz", "Oz")):
        yield name


def steps_in(folder: Path) -> int:
    table = folder / "quality.tsv"
    return table.read_text(encoding="utf-8").count("\n") // 4 if table.exists() else 0


def ended_in_order(folder: Path) -> None:
    session = open_session(folder)
    assert session.ran["outcome"] == "stopped by the user"
    assert "ended" in session.ran
    assert [e["name"] for e in session.table("events.tsv")][-1] == "session/end"
    streams, _ = pyxdf.load_xdf(folder / "recording.xdf")
    assert all(stream["footer"] for stream in streams)
    steps = [line["step"] for line in session.table("timing.tsv")]
    assert len(steps) == session.ran["steps"] == steps_in(folder)


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has no such signals")
@pytest.mark.parametrize(("name", "window"), [("SIGTERM", False), ("SIGHUP", True)])
def test_signals_end_a_session_as_ctrl_c_does(headset: str, tmp_path: Path, name: str, window: bool) -> None:
    out = tmp_path / "out"
    command = [sys.executable, ROOT / "launch.py", "live", "--eeg", headset, "--no-outlet", "--out", out]
    env = os.environ | {"PYTHONPATH": str(ROOT), "QT_QPA_PLATFORM": "offscreen"}
    with subprocess.Popen(
        [*command, *([] if window else ["--headless"])], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env
    ) as program:
        try:
            wait_for(lambda: steps_in(out) >= 2, 60.0)
            program.send_signal(getattr(signal, name))
            output = program.communicate(timeout=30)[0].decode()
        finally:
            program.kill()
    assert program.returncode == 0, output
    ended_in_order(out)
    painted = [line["painted_s"] for line in open_session(out).table("timing.tsv")]
    assert any(cell != "n/a" for cell in painted) == window
    assert all(0 < float(cell) < 60 for cell in painted if cell != "n/a")


def test_a_second_signal_leaves_off_what_is_being_done(headset: str, tmp_path: Path, monkeypatch) -> None:
    """Here a step that never ends: the files are closed all the same."""
    out = tmp_path / "out"
    work = RunningSession.work

    def stuck(self: RunningSession, *shown) -> str:
        def hang(feedback) -> None:
            if feedback.step == 2:
                os.kill(os.getpid(), signal.SIGTERM)
                threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGTERM)).start()
                deadline = time.monotonic() + 60
                while time.monotonic() < deadline:
                    time.sleep(0.05)

        return work(self, *shown, hang)

    monkeypatch.setattr(RunningSession, "work", stuck)
    begin = time.monotonic()
    result = run("live", "--eeg", headset, "--headless", "--no-outlet", "--out", out)
    assert result.exit_code == 0, result.output
    assert time.monotonic() - begin < 50
    session = open_session(out)
    assert session.ran["outcome"] == "stopped by the user"
    assert [e["name"] for e in session.table("events.tsv")][-1] == "session/end"
    assert all(stream["footer"] for stream in pyxdf.load_xdf(out / "recording.xdf")[0])


def test_a_session_without_its_folder_goes_on_and_says_so_at_the_end(headset: str, tmp_path: Path) -> None:
    out, at = tmp_path / "out", []

    def remove() -> None:
        wait_for(lambda: steps_in(out) >= 2, 30.0)
        at.append(steps_in(out))
        shutil.rmtree(out)

    thread = threading.Thread(target=remove)
    thread.start()
    result = run("live", "--eeg", headset, "--headless", "--no-outlet", "--seconds", "6", "--out", out)
    thread.join()
    there = tmp_path / "out-rescued"
    assert isinstance(result.exception, NotKeptError), result.output
    assert result.exception.status == 3
    assert f"the session goes on in {there}" in str(result.exception)
    lines = result.output.splitlines()
    told = [line for line in lines if line.startswith("step") and str(there) in line]
    assert len(told) >= 6 - at[0] - 2, "within two steps, and until the end"
    assert any(line.startswith("error: ") and str(there) in line for line in lines), "and in the log"
    session = open_session(there)
    assert (session.ran["outcome"], session.ran["steps"]) == ("completed", 6)
    assert steps_in(there) == 6
    (eeg,) = [s for s in pyxdf.load_xdf(there / "recording.xdf")[0] if s["info"]["name"][0] == headset]
    stamps = eeg["time_stamps"]
    assert stamps[-1] - stamps[0] > 6.0
    assert np.all(np.abs(np.diff(stamps) - 1 / RATE) < 0.002), "not a sample is missing"


def test_a_disk_that_is_full_at_the_start_leaves_room_for_the_next_try(
    headset: str, tmp_path: Path, monkeypatch
) -> None:
    def full(path: Path) -> None:
        raise SettingsError(f"disk {path} is full; free space, or choose another folder")

    out = tmp_path / "out"
    with monkeypatch.context() as disk:
        disk.setattr(recorder, "make_recording", full)
        result = run("live", "--eeg", headset, "--headless", "--no-outlet", "--seconds", "1", "--out", out)
    assert "is full" in str(result.exception)
    assert not out.exists()
    result = run("live", "--eeg", headset, "--headless", "--no-outlet", "--seconds", "1", "--out", out)
    assert result.exit_code == 0, result.output
    assert steps_in(out) == 1


def test_the_first_signal_asks_and_the_second_interrupts() -> None:
    ending = Ending(threading.Event())
    with ending_signals(ending.ask):
        signal.raise_signal(signal.SIGTERM)
        assert ending.stop.is_set()
        assert not ending.hurry
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert ending.hurry
    ending.ask()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has no such signal")
def test_a_terminal_that_may_close_does_not_end_a_session() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with ending_signals(pytest.fail):
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)
