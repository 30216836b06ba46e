"""Voice and background in whole sessions: a demo of them, its tables and recording, and replays that are the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import pyxdf

import calibration.demo
from rtaffect.plan.session_folder import cell_number, open_session
from rtaffect.simulation.elements import ElementSettings
from rtaffect.simulation.study import StudySettings
from tests.cli.test_commands import fine, mistake

# The demo is made in them, the first time.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the demo be small; it lies in the cache under a number that no version has."""
    small = StudySettings(listeners=3, sounds=6, sound_s=45.0, spare_s=30.0, elements=ElementSettings())
    monkeypatch.setattr(calibration.demo, "WITH_ELEMENTS", small)
    monkeypatch.setattr(calibration.demo, "ELEMENTS_VERSION", 0)


def lines(session: Path, **wanted: str) -> list[dict[str, str]]:
    return [each for each in open_session(session).table("elements.tsv") if wanted.items() <= each.items()]


def test_a_demo_predicts_from_both_elements_and_its_replay_is_the_same(tmp_path: Path) -> None:
    out = tmp_path / "first"
    said = fine("demo", "--elements", "--speed", "max", "--headless", "--seconds", "24", "--out", out)
    assert "voice and background, known from the file" in " ".join(said.split())
    assert open_session(out).ran["elements"] == "of the files"
    voice, background = (lines(out, element=name, row="mean") for name in ("voice", "background"))
    assert len(voice) == len(background) == 24
    # The longest lag is 9 s.
    assert [line["predicted"] == "n/a" for line in background] == [True] * 9 + [False] * 15
    assert {line["reason"] for line in background[9:]} == {"n/a"}
    whole = [line for line in open_session(out).table("feedback.tsv") if line["row"] == "mean"][-1]
    assert len({whole["predicted"], voice[-1]["predicted"], background[-1]["predicted"]}) == 3
    streams, _ = pyxdf.load_xdf(out / "recording.xdf")
    track = next(each for each in streams if each["info"]["name"][0] == "rtaffect-elements")
    labels = [each["label"][0] for each in track["info"]["desc"][0]["channels"][0]["channel"]]
    recorded = track["time_series"][:, labels.index("predicted/background/mean")]
    np.testing.assert_allclose(recorded, [cell_number(line["predicted"]) for line in background], atol=1e-6)
    fine("replay", out, "--speed", "max", "--headless", "--out", tmp_path / "again")
    for table in ("elements.tsv", "feedback.tsv", "doubts.tsv"):
        assert (out / table).read_bytes() == (tmp_path / "again" / table).read_bytes(), table
    fine("replay", out, "--speed", "max", "--headless", "--elements", "off", "--out", tmp_path / "without")
    assert not (tmp_path / "without" / "elements.tsv").exists()
    assert (out / "feedback.tsv").read_bytes() == (tmp_path / "without" / "feedback.tsv").read_bytes()


def test_elements_that_cannot_be_had_are_refused_where_they_are_asked_for(tmp_path: Path) -> None:
    out = tmp_path / "plain"
    fine("demo", "--speed", "max", "--headless", "--seconds", "12", "--out", out)
    assert not (out / "elements.tsv").exists()
    bundle = open_session(out).ran["bundle_folder"]
    wrong = mistake("replay", out, "--bundle", bundle, "--elements", "on", "--speed", "max", "--headless")
    assert wrong.endswith("the bundle has no weights for them; calibrate with --separator")
    assert "maybe" in mistake("demo", "--elements", "maybe", "--speed", "max", "--headless")
