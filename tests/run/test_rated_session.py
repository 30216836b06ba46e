"""A live session with a bundle of ratings: the participant's own rating over real LSL, recorded, replayed, reported."""

from __future__ import annotations

import json
import math
import threading
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import pyxdf
import soundfile

from rtaffect.engine.pace import Pace
from rtaffect.plan.session_folder import open_session
from tests.cli.test_commands import fine, mistake, read_table
from tests.run.test_whole_session import same_tables
from tests.support.irregular import Turned
from tests.support.rated_bundles import Knob, rated_bundle

SECONDS = 14


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rated")
    rated_bundle(folder / "bundle")
    rng = np.random.default_rng(2)
    level = 0.05 + 0.2 * np.abs(np.sin(np.arange(30 * 16_000) / 16_000))
    soundfile.write(folder / "story.wav", level * rng.standard_normal(30 * 16_000), 16_000)
    return folder


@pytest.fixture(scope="module")
def session(room: Path) -> Path:
    """Without a headset; the participant's rating pauses now and then.

    However busy the machine is, the featurizer gets every second: which steps have a prediction is then certain.
    """
    out = room / "R01"
    sound = ("--audio", room / "story.wav", "--silent")
    with Knob(pause=2.2) as knob, pytest.MonkeyPatch.context() as patch:
        patch.setattr(Pace, "allows", lambda *_: True)
        fine("live", "--bundle", room / "bundle", "--rating", knob.name, *sound, "--seconds", str(SECONDS),
             "--headless", "--no-outlet", "--participant", "R01", "--out", out)  # fmt: skip
    return out


#: Predictions have lags of up to 3 s, so that the first is of the fourth step.
PREDICTED = np.arange(1, SECONDS + 1) >= 4


#: Times are made even: a sample so near to an edge by its stamp may lie on either side of it, s.
EDGE_S = 0.006


def said_by(recording: Path, session: Path, lag_s: float) -> np.ndarray:
    """Return arousal (9, steps) as it was sent: the mean of each second's samples that had come when its step was made.

    Predicted ratings are 3 s behind the sound; what is rated ``lag_s`` behind it waits, or is read earlier. There are
    nine ways, as a second begins and ends before, at and after where stamps say so.
    """
    found = open_session(session)
    name, origin = found.ran["rating"]["stream"], found.ran["origin"]
    streams, _ = pyxdf.load_xdf(recording, dejitter_timestamps=False)
    (knob,) = (s for s in streams if s["info"]["name"] == [name])
    doubts = [d for d in found.table("doubts.tsv") if d["part"] == name]
    # A step may be made in the .2 s of the pause after which it is a stall.
    wrong = [d for d in doubts if d["about"] != "arrival" and d["reason"] != "stalled"]
    assert not wrong, "nothing was wrong with the stream"
    late = {int(d["step"]): float(d["since"]) for d in doubts if d["about"] == "arrival"}
    steps = len(read_table(session)["arousal"]["observed"])
    edges = list(product((-EDGE_S, 0.0, EDGE_S), repeat=2))
    expected, times = np.full((len(edges), steps), np.nan), knob["time_stamps"]
    for step in range(1, steps + 1):
        end = origin + step - (math.ceil(lag_s - 3.0) - (lag_s - 3.0))
        for way, (first, last) in enumerate(edges):
            # The newest sample that had come is among them.
            came = times <= min(end + last, late.get(step, math.inf) + 2 * EDGE_S)
            inside = came & (times > end - 1 + first)
            if inside.sum() >= 10:
                expected[way, step - 1] = knob["time_series"][inside, 0].mean()
    return expected


def agrees(observed: np.ndarray, ways: np.ndarray) -> np.ndarray:
    """Return at which steps what was observed is one of the ways in which that can be."""
    agreeing: np.ndarray = np.isclose(observed, ways, rtol=0.0, atol=2e-6, equal_nan=True).any(axis=0)
    return agreeing


def test_what_is_predicted_and_said_is_in_its_tables(session: Path) -> None:
    found = open_session(session)
    assert found.ran["rows"] == ["arousal", "valence"]
    assert found.ran["eeg"] == []
    assert found.ran["rating"]["stream"].startswith("knob-")
    assert found.ran["rating_scale"] == {"low": 1.0, "high": 9.0, "bundle_lag_s": 3.0, "lag_s": 3.0}
    table, said = read_table(session), said_by(session / "recording.xdf", session, 3.0)
    assert np.isnan(said).any(axis=0).sum() >= 2, "the pause"
    for row in ("arousal", "valence"):
        predicted, observed = table[row]["predicted"], table[row]["observed"]
        np.testing.assert_array_equal(np.isfinite(predicted), PREDICTED)
        assert np.nanmin(predicted) > 2.0, "ratings, no correlations"
        assert agrees(observed, said + (row == "valence")).all(), (observed, said)
        assert np.isnan(table[row]["null_low"]).all()
    apart = table["valence"]["observed"] - table["arousal"]["observed"]
    assert apart[np.isfinite(apart)] == pytest.approx(1.0, abs=1e-5)
    assert np.isnan(table["mean"]["predicted"]).all()
    lines = found.table("feedback.tsv")
    assert {line["kind"] for line in lines if line["row"] != "mean"} == {"rating"}
    assert {line["observed_against"] for line in lines} == {"rating", "nothing"}


def test_its_replay_is_the_same(session: Path, tmp_path: Path) -> None:
    fine("replay", session, "--speed", "max", "--headless", "--out", tmp_path / "again")
    same_tables(session, tmp_path / "again")


@pytest.mark.slow
def test_a_rating_that_is_sent_when_it_changes_holds_and_its_replay_is_the_same(room: Path, tmp_path: Path) -> None:
    """A stream without a regular rate: said three times, and observed in all seconds between."""
    out, stop = tmp_path / "first", threading.Event()
    with Turned() as knob:

        def turn() -> None:
            for number in range(100):
                knob.said(4.0 + number % 3, 5.0 + number % 3)
                if stop.wait(4.3):
                    return

        turning = threading.Thread(target=turn)
        turning.start()
        try:
            fine("live", "--bundle", room / "bundle", "--rating", knob.name, "--audio", room / "story.wav", "--silent",
                 "--seconds", str(SECONDS), "--headless", "--no-outlet", "--out", out)  # fmt: skip
        finally:
            stop.set()
            turning.join()
    table = read_table(out)
    apart = table["valence"]["observed"] - table["arousal"]["observed"]
    assert np.isfinite(apart).sum() >= 6
    assert apart[np.isfinite(apart)] == pytest.approx(1.0, abs=1e-5)
    assert open_session(out).ran["rating"]["rate"] == 20.0
    fine("replay", out, "--speed", "max", "--headless", "--out", tmp_path / "again")
    same_tables(out, tmp_path / "again")


def test_its_recording_is_a_session_of_its_own(session: Path, room: Path, tmp_path: Path) -> None:
    """Without a headset in it, and with the lag told anew."""
    name = open_session(session).ran["rating"]["stream"]
    sound = ("--audio", room / "story.wav", "--audio-start", "2")
    fine("replay", session / "recording.xdf", "--bundle", room / "bundle", "--rating", name, "--rating-lag", "5",
         *sound, "--speed", "max", "--headless", "--out", tmp_path / "x")  # fmt: skip
    table = read_table(tmp_path / "x")
    observed = table["arousal"]["observed"]
    # It begins with a sample, so that all seconds begin and end where samples lie.
    said = said_by(session / "recording.xdf", tmp_path / "x", 5.0)
    assert agrees(observed, said).all(), (observed, said)
    assert np.isfinite(observed).sum() >= 3
    # The sound begins at 2 s, predictions have lags of up to 3 s, and wait 2 s for who is 5 s behind the sound.
    np.testing.assert_array_equal(np.isfinite(table["arousal"]["predicted"]), np.arange(1, len(observed) + 1) >= 8)
    assert open_session(tmp_path / "x").ran["rating_scale"]["lag_s"] == 5.0


def test_its_report_speaks_of_ratings(session: Path, tmp_path: Path) -> None:
    fine("report", session, "--out", tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "ratings: arousal from 1 to 9, valence from 1 to 9, rated 3.0 s after the sound" in page
    assert "without a headset" in page
    told = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert told["glance"]["rows"] == 2
    # The settings alone have the word: of ratings there is none.
    body = page[page.index("<main") if "<main" in page else 0 : page.index("Settings, versions and hashes</h2>")]
    assert "ynchrony" not in body.replace("settings.synchrony", "")


def test_what_does_not_go_together_is_one_line(room: Path, tmp_path: Path) -> None:
    start = ("live", "--bundle", room / "bundle", "--headless", "--out", tmp_path / "none")
    sound = ("--audio", room / "story.wav", "--silent")
    assert "--against group is for synchrony" in mistake(*start, "--against", "group", *sound)
    assert "is in the participant's view, and there is none" in mistake(*start, "--rating", "slider")
    assert "is for a bundle of ratings, and there is no bundle" in mistake("live", "--rating", "knob", "--headless")
    with Knob(rows=("pleasure",)) as knob:
        said = mistake(*start, "--rating", knob.name, *sound)
    assert "has the channels pleasure, and the bundle's ratings are arousal, valence" in said
