"""Own measures and peripheral signals in a whole session over real LSL, recorded, and replayed as it ran."""

from __future__ import annotations

import uuid
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
import pyxdf
from pylsl import local_clock

from rtaffect.plan.session_folder import cell_number, open_session
from rtaffect.simulation import body
from tests.cli.test_commands import fine
from tests.support.protocol_files import write_protocol

OWN = """
import numpy as np
from rtaffect.measures import Measure


class Level(Measure):
    kind, window_s, high, unit = "person", 2, 1e-4, "V"

    def __call__(self, window):
        if {broken} and window.step == 6:
            raise ValueError("as planned")
        return window.samples.std(axis=-1)
"""


def lines(session: Path, **wanted: str) -> list[dict[str, str]]:
    return [each for each in open_session(session).table("measures.tsv") if wanted.items() <= each.items()]


def test_a_demo_with_an_own_measure_that_fails_goes_on_and_its_replay_is_the_same(tmp_path: Path) -> None:
    file, out = tmp_path / "own.py", tmp_path / "first"
    file.write_text(OWN.format(broken=True), encoding="utf-8")
    asked = ("--measure", f"{file}:Level")
    fine("demo", "--speed", "max", "--headless", "--seconds", "12", "--out", out, *asked)
    found = lines(out, of="mean", row="Cz")
    assert [np.isfinite(cell_number(each["value"])) for each in found] == [False] + [True] * 4 + [False] * 7
    assert found[-1]["trouble"] == "it raised ValueError: as planned: switched off"
    told = [each for each in open_session(out).table("events.tsv") if each["kind"] == "measure"]
    assert [(each["trial_type"], each["name"]) for each in told] == [("doubt", "Level")]
    assert open_session(out).ran["measures"][0]["sha256"]
    fine("replay", out, "--speed", "max", "--headless", "--out", tmp_path / "again", *asked)
    for table in ("measures.tsv", "feedback.tsv", "doubts.tsv"):
        assert (out / table).read_bytes() == (tmp_path / "again" / table).read_bytes(), table
    streams, _ = pyxdf.load_xdf(out / "recording.xdf")
    track = next(each for each in streams if each["info"]["name"][0] == "rtaffect-measures")
    labels = [each["label"][0] for each in track["info"]["desc"][0]["channels"][0]["channel"]]
    recorded = track["time_series"][:, labels.index("value/Level/Cz")]
    np.testing.assert_allclose(recorded, [cell_number(each["value"]) for each in found], atol=1e-6)
    # Without being asked for, code from outside is not run.
    said = fine("replay", out, "--speed", "max", "--headless", "--out", tmp_path / "without")
    assert "is not run from a session's folder" in " ".join(said.split())
    assert not (tmp_path / "without" / "measures.tsv").exists()


@pytest.mark.slow
def test_arousal_that_is_shared_is_found_live_recorded_and_replayed(tmp_path: Path) -> None:
    """Two headsets with EDA and PPG beside EEG; 80 s in real time."""
    mark, out = uuid.uuid4().hex[:6], tmp_path / "live"
    with ExitStack() as stack:
        onset = local_clock() + 5.0
        for number, samples in enumerate(body.people(2, 130.0, 0.9)):
            sender = body.headset(number, samples, onset)
            sender._spec |= {"name": f"Body-{mark}-{number}", "source_id": f"body-{mark}-{number}"}
            stack.enter_context(sender)
        fine(
            "live", "--headless", "--no-outlet", "--seconds", "90", "--out", out, "--measure", "plv",
            "--eeg", f"source_id=body-{mark}-0", "--eeg", f"source_id=body-{mark}-1",
        )  # fmt: skip
    feedback = open_session(out).table("feedback.tsv")
    assert {each["row"] for each in feedback} == {"Fz", "Cz", "Pz", "Oz", "mean"}, "EDA and PPG are no rows of EEG"
    for row, least in (("eda", 0.5), ("heart rate", 0.4)):
        found = np.array([cell_number(each["value"]) for each in lines(out, measure="autonomic", of="mean", row=row)])
        assert np.isnan(found[:20]).all(), row
        assert np.nanmean(found[60:]) > least, row
    fine("replay", out, "--speed", "max", "--headless", "--out", tmp_path / "again")
    for table in ("measures.tsv", "feedback.tsv"):
        assert (out / table).read_bytes() == (tmp_path / "again" / table).read_bytes(), table


@pytest.mark.slow
def test_a_rule_that_is_of_a_measure_is_shown_live_and_replayed_the_same(tmp_path: Path) -> None:
    """Two headsets, phase locking fed back in one block; 30 s in real time."""
    mark, out, protocol = uuid.uuid4().hex[:6], tmp_path / "live", tmp_path / "plv.toml"
    rule = {"value": "measure", "measure": "plv 8-12 Hz", "scale": "fixed", "low": 0.0, "high": 1.0}
    write_protocol(protocol, [{"kind": "feedback", "name": "Run", "duration_s": 24, "start": "auto"}], rule=rule)
    with ExitStack() as stack:
        onset = local_clock() + 5.0
        for number, samples in enumerate(body.people(2, 60.0, 0.9)):
            # No second of it counts as artifact, or as flat.
            samples[:, :4] = 1e-5 * np.random.default_rng(number).standard_normal((len(samples), 4))
            sender = body.headset(number, samples, onset)
            sender._spec |= {"name": f"Rule-{mark}-{number}", "source_id": f"rule-{mark}-{number}"}
            stack.enter_context(sender)
        fine(
            "live", "--headless", "--no-outlet", "--out", out, "--measure", "plv", "--protocol", protocol,
            "--eeg", f"source_id=rule-{mark}-0", "--eeg", f"source_id=rule-{mark}-1",
        )  # fmt: skip
    shown = [each for each in open_session(out).table("moments.tsv") if each["level"] != "n/a"]
    assert len(shown) >= 3
    plv = {
        each["step"]: cell_number(each["value"]) for each in lines(out, measure="plv 8-12 Hz", of="mean", row="mean")
    }
    recent = [plv[str(step)] for step in range(int(shown[0]["step"]), int(shown[2]["step"]) + 1)]
    assert cell_number(shown[2]["value"]) == pytest.approx(np.mean(recent), abs=1e-5), (
        "the mean since the block settled"
    )
    fine("replay", out, "--speed", "max", "--headless", "--out", tmp_path / "again")
    for table in ("moments.tsv", "measures.tsv"):
        assert (out / table).read_bytes() == (tmp_path / "again" / table).read_bytes(), table
