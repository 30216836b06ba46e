"""A film block in a whole live session: its clicks as they are heard, its frames as they are painted, on one clock."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import uuid
from pathlib import Path

import numpy as np
import pytest
from pylsl import local_clock

from rtaffect.plan.session_folder import open_session
from rtaffect.simulation.head import CHANNELS
from rtaffect.simulation.headset import SimulatedHeadset
from rtaffect.sources.xdf_file import read_xdf
from tests.sources.test_sound_card import ROOT, PulseServer, pulse  # noqa: F401 - pulse is a fixture
from tests.support.counted_films import make_film
from tests.support.helpers import brain_noise
from tests.support.protocol_files import write_protocol


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_picture_and_sound_of_a_live_session_on_the_lsl_clock(pulse: PulseServer, tmp_path: Path):  # noqa: F811
    make_film(tmp_path / "count.mp4", 12.0, codec="libx264", sound_codec="aac", size=(640, 360))
    block = {"kind": "listen", "name": "Film", "film": "count.mp4", "start": "auto"}
    protocol = write_protocol(tmp_path / "p.toml", [block], rule=None)
    name, out = f"film-{uuid.uuid4().hex[:6]}", tmp_path / "live"
    eeg = (1e-5 * brain_noise(np.random.default_rng(0), 250 * 60, len(CHANNELS), 250.0)).astype(np.float32)
    command = [sys.executable, str(ROOT / "launch.py"), "live", "--eeg", name, "--protocol", str(protocol), "--preview"]
    command += ["--mic", "default", "--photodiode", "second", "--seconds", "20", "--no-outlet", "--out", str(out)]
    cache = os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))
    env = pulse.env | {"QT_QPA_PLATFORM": "offscreen", "XDG_CACHE_HOME": cache}
    with SimulatedHeadset(name, name, eeg, 250.0, CHANNELS, onset=local_clock() + 2.0):
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=150, check=False)
    assert done.returncode == 0, done.stderr
    onset = float(next(line for line in lines(out / "events.tsv") if line["trial_type"] == "stimulus")["lsl_time"])
    frames = lines(out / "frames.tsv")
    counts = open_session(out).ran["film"]
    assert counts["frames"] == len(frames) > 30
    streams, _ = read_xdf(out / "recording.xdf")
    sound = next(stream for stream in streams if stream.header.type == "Audio")
    track = next(stream for stream in streams if stream.header.name == "rtaffect-frames")
    np.testing.assert_allclose(track.values[:, 1], [int(line["frame"]) for line in frames])
    np.testing.assert_allclose(track.stamps, [float(line["lsl_time"]) for line in frames], atol=1e-6)
    loud = sound.stamps[np.abs(sound.values[:, 0]) > 0.15]
    clicks = loud[np.diff(loud, prepend=-np.inf) > 0.3]
    # A sound that broke off is told; here it counts where the clicks say that it is.
    zero = float(np.median(clicks - np.round(clicks - onset)))
    assert zero == pytest.approx(onset, abs=0.03)
    places = np.array([float(line["lsl_time"]) + counts["lead_s"] - zero for line in frames])
    times = np.array([float(line["time"]) for line in frames])
    # No frame long after its time, whatever the computer has to do; most within a frame's length of their sound.
    assert (places - times).max() < 0.3
    assert np.median(places - times) == pytest.approx(0.0, abs=0.04)
    assert [line["square"] for line in frames] == ["white" if int(t) % 2 == 0 else "black" for t in times]


def lines(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))
