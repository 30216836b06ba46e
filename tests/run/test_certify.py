"""A certificate tells what was planted in the sources, asks for what goes together, and is made by a real session."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from rtaffect.common.errors import RtaffectError, SettingsError
from rtaffect.common.settings import Settings
from rtaffect.run.certificate import AGE_MS, certificate_of
from rtaffect.run.certify import Certified
from rtaffect.run.certify_clicks import click_times, eeg_of, sound_of
from rtaffect.run.certify_engine import CertifiedEngine
from rtaffect.run.certify_plan import LEAD_S, CertifyPlan
from tests.sources.test_sound_card import ROOT, PulseServer, pulse  # noqa: F401 - pulse is a fixture
from tests.support.helpers import headset, sound_source

ORIGIN, BEFORE, SECONDS, RATE, SOUND_RATE = 1000.0, 3, 24, 250.0, 48_000


def certified(
    sound_clicks: np.ndarray,
    *,
    people: int = 1,
    age_s: float = 0.01,
    slow_from: int = 99,
    captured: bool = True,
    doubt: tuple[float, float] | None = None,
    osc_later_s: float | None = None,
) -> Certified:
    """What a session leaves whose sound has clicks at these times, s from its zero; values leave ``age_s`` late."""
    at = np.arange(round((BEFORE + SECONDS + 2) * RATE)) / RATE
    labels = tuple(f"E{n}" for n in range(8))
    eeg = [eeg_of(click_times(0, BEFORE + SECONDS + 2), at, 8, seed) for seed in range(people)]
    worn = [headset(e, f"P{n}", RATE, ORIGIN - BEFORE, labels) for n, e in enumerate(eeg)]
    sound = sound_source(sound_of(sound_clicks, SECONDS + 2, SOUND_RATE)[:, 0], SOUND_RATE, ORIGIN)
    engine = CertifiedEngine(worn, Settings(), ORIGIN, sound if captured else None)
    if doubt is not None:
        engine.place.note("player-late", ORIGIN + doubt[0], ORIGIN + doubt[1], "late")
    arrivals, by_osc = {}, {}
    for step in range(1, SECONDS + 1):
        due = engine.end_of(step) + engine.lookahead_s
        for source in engine.sources:
            source.advance(due)
        feedback = engine.step(due)
        if step < slow_from:
            arrivals[feedback.lsl_time] = due + age_s
            by_osc[step] = due + age_s + (osc_later_s or 0.0)
        assert len(engine.eeg) == step - 1, "what a step read is noted once its values have left"
    engine.note()
    return Certified(
        plan=CertifyPlan(Path("nowhere"), SECONDS, headsets=people, captured=captured),
        engine=engine,
        clicks=click_times(BEFORE + LEAD_S, BEFORE + SECONDS - 1) - BEFORE,
        eeg_start=ORIGIN - BEFORE,
        eeg_count=len(at),
        arrivals=arrivals,
        osc_arrivals=None if osc_later_s is None else by_osc,
        devices={"speaker": "a", "capture": "b", "eeg": "c"},
    )


def all_clicks() -> np.ndarray:
    return click_times(BEFORE, BEFORE + SECONDS + 2) - BEFORE


def aim(certificate: dict, words: str) -> dict:
    return next(each for each in certificate["aims"] if words in each["name"])


def test_planted_offset_and_drift_are_found_at_the_step() -> None:
    found = certificate_of(certified(all_clicks() * (1 + 20e-6) + 0.0013, people=2))
    assert found["offset_ms"]["missing"] == 0
    assert found["offset_ms"]["median"] == pytest.approx(1.3 + 20e-3 * (LEAD_S + SECONDS - 1) / 2, abs=0.03)
    assert found["drift"]["remaining"]["ms_per_hour"] == pytest.approx(72, abs=12)
    assert found["eeg_ms"][1]["median"] == pytest.approx(0, abs=0.05)
    assert max(abs(each["most"]) for each in found["eeg_ms"]) < 0.2
    assert aim(found, "median")["met"]
    assert found["lookahead_ms"] == pytest.approx(52, abs=0.1)
    lsl = found["ages_ms"]["lsl"]
    assert lsl["window_end"]["median"] == pytest.approx(found["lookahead_ms"] + 10, abs=0.1)
    assert lsl["newest_sample"]["median"] == pytest.approx(lsl["window_end"]["median"] - 52, abs=4.1)
    assert found["ages_ms"]["painted"] is None
    assert found["ages_ms"]["osc"] is None
    json.dumps(found, allow_nan=False)


def test_the_age_by_osc_is_counted_as_that_by_lsl_is() -> None:
    found = certificate_of(certified(all_clicks(), osc_later_s=0.003))
    lsl, osc = (found["ages_ms"][way]["window_end"]["median"] for way in ("lsl", "osc"))
    assert osc - lsl == pytest.approx(3.0, abs=0.01)
    assert aim(found, "(OSC) beyond")["met"]
    late = certificate_of(certified(all_clicks(), osc_later_s=0.02))
    assert not aim(late, "(OSC) beyond")["met"]
    assert aim(late, "(LSL) beyond")["met"]


def test_what_is_late_displaced_or_missing_misses_its_aim() -> None:
    clicks = all_clicks()
    clicks[15:] += 0.03
    found = certificate_of(certified(np.delete(clicks, [10, 12]), age_s=0.021, slow_from=15))
    assert found["offset_ms"]["missing"] == 2
    assert not found["met"]
    missed = [each["name"] for each in found["aims"] if not each["met"]]
    assert len([name for name in missed if name.startswith("sound against EEG")]) == 2
    assert aim(found, "not found")["found"] == 2
    assert aim(found, "beyond the look-ahead")["found"] == pytest.approx(AGE_MS + 1, abs=0.1)
    assert aim(found, "did not get")["found"] == SECONDS - 14


def test_clicks_that_the_session_doubted_are_told_apart() -> None:
    clicks = all_clicks()
    clicks[15:18] += 0.03
    found = certificate_of(certified(clicks, doubt=(15.0, 18.0)))
    assert not aim(found, "at the step, 99 %")["met"]
    assert aim(found, "did not doubt")["met"]
    assert found["offset_ms"]["expected"] - found["offset_without_doubt_ms"]["expected"] == 3


def test_silence_is_no_certificate_and_says_what_to_do() -> None:
    found = certificate_of(certified(np.empty(0)))
    assert found["offset_ms"]["found"] == 0
    assert found["offset_ms"]["median"] is None
    assert not aim(found, "median")["met"]
    assert any("no click was heard" in note for note in found["notes"])


@pytest.mark.parametrize("shift", [-0.45, 1.3])
def test_clicks_that_are_nowhere_near_their_time_are_told_from_silence(shift: float) -> None:
    found = certificate_of(certified(all_clicks() + shift))
    assert found["offset_ms"]["found"] == 0
    assert any(f"heard about {shift:+.2f} s from their time" in note for note in found["notes"])
    assert not any("no click was heard" in note for note in found["notes"])


def test_without_capture_the_players_word_stands_and_is_missing_where_it_says_nothing() -> None:
    found = certificate_of(certified(np.empty(0), captured=False))
    assert not found["captured"]
    assert found["sound_ms"]["count"] == 0
    assert not found["met"]


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        ({"capture": "a", "capture_stream": "b"}, "exclude each other"),
        ({"capture": "a", "captured": False}, "--no-capture"),
        ({"bundle": Path("a"), "captured": False}, "--bundle reads the sound"),
        ({"headsets": 100, "channels": 512, "rate": 20_000.0}, "use fewer headsets"),
        ({"headsets": 4, "channels": 64, "rate": 1000.0, "seconds": 3600}, "use --seconds 174 or less"),
    ],
)
def test_what_does_not_go_together_is_refused_in_one_line(tmp_path: Path, plan: dict, words: str) -> None:
    with pytest.raises(SettingsError, match=words) as caught:
        CertifyPlan(tmp_path / "new", **plan).check()
    assert "\n" not in str(caught.value)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "kept.txt").write_text("mine")
    with pytest.raises(RtaffectError, match="nothing is overwritten"):
        CertifyPlan(tmp_path).check()


@pytest.mark.slow
@pytest.mark.timeout(150)
def test_a_computer_is_certified_by_a_real_session(pulse: PulseServer) -> None:  # noqa: F811
    def certify(*options: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-W", "error", str(ROOT / "launch.py"), "certify", *options]
        return subprocess.run(
            command, cwd=pulse.folder, env=pulse.env, capture_output=True, text=True, timeout=120, check=False
        )

    refused = certify("--capture", "no such thing")
    assert refused.returncode == 2
    assert "no sound input device matches 'no such thing'" in refused.stderr
    done = certify("--seconds", "10", "--out", "here", "--channels", "4")
    assert done.returncode in (0, 1), done.stderr
    folder = pulse.folder / "here"
    found = json.loads((folder / "certificate.json").read_text(encoding="utf-8"))
    assert done.returncode == (0 if found["met"] else 1)
    assert done.stdout.count("met  ") + done.stdout.count("MISSED") == len(found["aims"])
    check_figures(found)
    assert (folder / "recording.xdf").stat().st_size > 0
    assert "Timing certificate" in (folder / "certificate.html").read_text(encoding="utf-8")


def check_figures(found: dict) -> None:
    """How good they are is the machine's affair, which may be busy; that there are some is not."""
    assert found["offset_ms"]["expected"] == 3
    assert found["sound_ms"]["count"] > 0, found["notes"]
    assert abs(found["eeg_ms"][0]["median"]) < 1.0
    assert found["ages_ms"]["lsl"]["window_end"]["median"] > found["lookahead_ms"]
    assert found["ages_ms"]["painted"]["window_end"]["median"] > found["lookahead_ms"]
    assert found["ages_ms"]["osc"]["window_end"]["median"] > found["lookahead_ms"]
    assert found["ages_ms"]["osc"]["missing"] == 0
    assert found["steps"]["made"] == 10
    drifts = {each["device"]: each["ppm"] for each in found["drift"]["devices"]}
    assert [name.split()[0] for name in drifts] == ["headset", "captured", "player"]
    assert None not in drifts.values()
