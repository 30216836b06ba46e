"""A live session with a bundle of ratings: the participant's own rating over real LSL, recorded, replayed, reported."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile

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
    """Without a headset; the participant's rating pauses now and then."""
    out = room / "R01"
    sound = ("--audio", room / "story.wav", "--silent")
    with Knob(pause=2.2) as knob:
        fine("live", "--bundle", room / "bundle", "--rating", knob.name, *sound, "--seconds", str(SECONDS),
             "--headless", "--no-outlet", "--participant", "R01", "--out", out)  # fmt: skip
    return out


def test_what_is_predicted_and_said_is_in_its_tables(session: Path) -> None:
    found = open_session(session)
    assert found.ran["rows"] == ["arousal", "valence"]
    assert found.ran["eeg"] == []
    assert found.ran["rating"]["stream"].startswith("knob-")
    assert found.ran["rating_scale"] == {"low": 1.0, "high": 9.0, "bundle_lag_s": 3.0, "lag_s": 3.0}
    table = read_table(session)
    for row in ("arousal", "valence"):
        predicted, observed = table[row]["predicted"], table[row]["observed"]
        # On a busy machine a step may be behind, and then has none.
        assert np.isfinite(predicted).sum() >= 4
        assert np.nanmin(predicted) > 2.0, "ratings, no correlations"
        assert np.isfinite(observed).sum() >= 3
        assert np.isnan(observed).sum() >= 2, "the pause"
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
    assert np.isfinite(table["arousal"]["observed"]).sum() >= 3
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
