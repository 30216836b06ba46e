"""Affect in whole sessions: read, recorded, and the same in a replay; what does not go together is refused at once."""

from __future__ import annotations

import uuid
from pathlib import Path

import numpy as np
import pytest
import pyxdf
import tomli_w

from rtaffect.affect.settings import AffectSettings
from rtaffect.common.errors import SettingsError
from rtaffect.plan.analysis_plan import AnalysisPlan
from rtaffect.plan.conflicts import conflicts
from rtaffect.plan.session_folder import cell_number, open_session
from rtaffect.plan.session_plan import SessionPlan
from rtaffect.run.session_affect import load_session_affect
from rtaffect.simulation.device import SimulatedDevice, carried, header_of
from rtaffect.simulation.head import CHANNELS
from rtaffect.sources.device_profile import profile_called
from tests.affect.test_library import write
from tests.cli.test_commands import fine, mistake
from tests.support.affect import without_rest, write_tiny_bundle
from tests.support.helpers import quiet
from tests.support.protocol_files import content_of, protocol_of

TABLES = ("affect.tsv", "affect_baseline.tsv", "feedback.tsv", "doubts.tsv")


def test_a_session_reads_affect_and_its_replay_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle, out = write_tiny_bundle(tmp_path / "bundle", CHANNELS), tmp_path / "first"
    for name in ("a.wav", "b.wav"):
        write(tmp_path / "sounds" / name, 4, len(name))
    asked = ("--affect", bundle, "--library", tmp_path / "sounds", "--affect-rest", "8")
    fine("demo", "--speed", "max", "--headless", "--seconds", "24", "--out", out, *asked)
    session = open_session(out)
    assert session.ran["affect"] == "tiny"
    lines = session.table("affect.tsv")
    of = {source: [each for each in lines if each["source"] == source] for source in ("eeg", "sound", "both")}
    assert [len(each) for each in of.values()] == [24] * 3
    there = {source: [np.isfinite(cell_number(each["valence"])) for each in of[source]] for source in of}
    assert there["eeg"] == [False] * 8 + [True] * 16
    assert there["sound"] == [False] * 2 + [True] * 22
    assert there["both"] == there["eeg"]
    assert of["eeg"][3]["reason"].startswith("the person's rest is being measured")
    assert {of["eeg"][-1]["near_1"], of["eeg"][-1]["near_2"]} == {"a.wav", "b.wav"}
    assert len(session.table("affect_baseline.tsv")) == len(CHANNELS) * 4
    streams, _ = pyxdf.load_xdf(out / "recording.xdf")
    track = next(each for each in streams if each["info"]["name"][0] == "rtaffect-affect")
    recorded = track["time_series"][:, 0]
    np.testing.assert_allclose(recorded, [cell_number(each["valence"]) for each in of["eeg"]], atol=1e-6)
    fine("replay", out, "--speed", "max", "--headless", "--out", tmp_path / "again")
    for table in TABLES:
        assert (out / table).read_bytes() == (tmp_path / "again" / table).read_bytes(), table
    # Alone, without a bundle of synchrony, from the recording: the sound is not in it, and all else is there.
    fine(
        "replay", out / "recording.xdf", "--speed", "max", "--headless", "--seconds", "20", "--out", tmp_path / "alone",
        "--affect", bundle, "--affect-rest", "8",
    )  # fmt: skip
    alone = open_session(tmp_path / "alone").table("affect.tsv")
    assert sum(np.isfinite(cell_number(each["valence"])) for each in alone if each["source"] == "eeg") > 5
    assert {each["reason"] for each in alone if each["source"] == "sound"} == {"there is no sound"}


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_live_session_reads_affect_shows_it_by_a_rule_and_its_replay_is_the_same(tmp_path: Path) -> None:
    """A simulated headset over real LSL, a sound, a protocol whose rule is of arousal: as of synchrony."""
    profile = profile_called("actichamp")
    name = f"actiCHamp-{uuid.uuid4().hex[:6]}"
    kinds = zip(header_of(profile).labels, carried(profile), strict=True)
    channels = tuple(label for label, kind in kinds if kind == "eeg")
    bundle = write_tiny_bundle(tmp_path / "bundle", channels, AffectSettings(baseline_s=8))
    for number, sound in enumerate(("a.wav", "b.wav")):
        write(tmp_path / "sounds" / sound, 4, number)
    write(tmp_path / "story.wav", 40, 9)
    blocks = [
        {"kind": "rest", "name": "Rest", "duration_s": 9, "start": "auto"},
        {"kind": "feedback", "name": "Run", "duration_s": 9, "start": "auto"},
    ]
    rule = {"value": "arousal", "source": "both", "scale": "fixed", "low": -1.0, "high": 1.0, "smoothing_s": 2}
    (tmp_path / "rule.toml").write_text(tomli_w.dumps(content_of(blocks, rule=rule)), encoding="utf-8")
    out = tmp_path / "first"
    with SimulatedDevice(profile, name=name, source_id=name):
        fine("live", "--eeg", name, "--audio", tmp_path / "story.wav", "--silent", "--affect", bundle, "--library",
             tmp_path / "sounds", "--protocol", tmp_path / "rule.toml", "--seconds", "26", "--headless",
             "--participant", "P01", "--out", out)  # fmt: skip
    session = open_session(out)
    lines = session.table("affect.tsv")
    of_both = {int(each["step"]): cell_number(each["arousal"]) for each in lines if each["source"] == "both"}
    # On a busy machine a step may be late, and then has none.
    assert np.isfinite(list(of_both.values())).sum() >= 5
    assert {each["near_1"] for each in lines} - {"n/a"} <= {"a.wav", "b.wav"}
    told = [each for each in session.table("moments.tsv") if each["kind"] == "feedback" and each["level"] != "n/a"]
    assert len(told) >= 3
    for each in told:
        # The rule's 2 s begin with the first value that is of the block alone.
        step = int(each["step"])
        value = np.nanmean([of_both[at] for at in range(max(int(told[0]["step"]), step - 1), step + 1)])
        assert cell_number(each["value"]) == pytest.approx(value, abs=1e-4)
        assert cell_number(each["level"]) == pytest.approx((1 + value) / 2, abs=1e-4)
    assert any(cell_number(each["affect_s"]) > 0 for each in session.table("timing.tsv"))
    fine("replay", out, "--speed", "max", "--headless", "--out", tmp_path / "again")
    for table in (*TABLES, "moments.tsv"):
        assert (out / table).read_bytes() == (tmp_path / "again" / table).read_bytes(), table


@pytest.mark.slow
def test_people_rest_when_the_protocol_says_so(tmp_path: Path) -> None:
    """The demo's protocol, whose first block is 10 s of rest, from 3 s on."""
    settings = AffectSettings(baseline_s=10)
    bundle, out = write_tiny_bundle(tmp_path / "bundle", CHANNELS, settings), tmp_path / "first"
    fine("demo", "--protocol", "--speed", "max", "--headless", "--out", out, "--affect", bundle)
    of_eeg = [each for each in open_session(out).table("affect.tsv") if each["source"] == "eeg"]
    assert [np.isfinite(cell_number(each["valence"])) for each in of_eeg[:16]] == [False] * 13 + [True] * 3
    assert "has not been measured yet" in of_eeg[2]["reason"]
    assert cell_number(of_eeg[-1]["baseline_s"]) == 10
    fine("replay", out, "--speed", "max", "--headless", "--out", tmp_path / "again")
    for table in (*TABLES, "moments.tsv"):
        assert (out / table).read_bytes() == (tmp_path / "again" / table).read_bytes(), table


def test_what_is_wrong_is_one_line_before_anything_begins(tmp_path: Path) -> None:
    bundle = write_tiny_bundle(tmp_path / "bundle", CHANNELS[:3])
    other = write_tiny_bundle(tmp_path / "other", ("Fz", "Iz"))
    said = mistake("demo", "--speed", "max", "--headless", "--affect", bundle)
    assert "nothing says when people rest: there is no protocol; give --affect-rest 60" in said
    said = mistake("demo", "--speed", "max", "--headless", "--affect", other, "--affect-rest", "8")
    assert "has no channel Iz, and the bundle of affect tiny reads Fz, Iz" in said
    said = mistake("demo", "--speed", "max", "--headless", "--affect", tmp_path / "none", "--affect-rest", "8")
    assert "no bundle of affect in" in said


def test_when_people_rest_is_said_by_the_protocol_or_by_a_setting(tmp_path: Path) -> None:
    bundle = write_tiny_bundle(tmp_path / "bundle", CHANNELS[:3])
    never = write_tiny_bundle(tmp_path / "never", CHANNELS[:3], without_rest())
    rests = protocol_of([{"kind": "rest", "name": "Rest", "duration_s": 60}], rule=None)
    listens = protocol_of([{"kind": "listen", "name": "Sound", "duration_s": 60}], rule=None)

    def rest(folder: Path, protocol=None, given: int | None = None) -> int | None:
        plan = AnalysisPlan(affect=folder, affect_rest_s=given)
        found = load_session_affect(plan, protocol, None, quiet, quiet)
        assert found is not None
        return found.rest_s

    assert rest(bundle, rests) is None
    assert rest(bundle, rests, 20) == 20
    assert rest(bundle, None, 30) == 30
    assert rest(never) is None
    with pytest.raises(SettingsError, match="protocol 'Test' has no block of rest"):
        rest(bundle, listens)
    with pytest.raises(SettingsError, match="does not subtract their rest"):
        rest(never, None, 30)


@pytest.mark.parametrize("given", [{"library": Path("sounds")}, {"affect_rest_s": 20}])
def test_what_is_for_a_bundle_of_affect_needs_one(given) -> None:
    (error,) = conflicts(SessionPlan(analysis=AnalysisPlan(**given)))
    assert "is for a bundle of affect, and there is none" in str(error)
