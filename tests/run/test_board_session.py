"""Boards whose peripheral signals come in a preset of their own, in a whole session: recorded, told and exported."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import pyxdf

from calibration.finished.bids.export import Choices, export
from rtaffect.plan.session_folder import cell_number, open_session
from rtaffect.sources import brainflow_board
from rtaffect.sources.brainflow_library import describe_board
from tests.cli.test_commands import fine

#: BrainFlow has one synthetic board for each serial number.
BOARDS = tuple(f"brainflow:synthetic?serial_number={number}&name={name}" for number, name in ((1, "Anna"), (2, "Ben")))


def session(out: Path, seconds: int, *more: str) -> Path:
    boards = [word for text in BOARDS for word in ("--board", text)]
    fine("live", "--headless", "--no-outlet", "--seconds", str(seconds), "--out", out, *boards, *more)
    return out


def assert_replayed_alike(out: Path, again: Path) -> list[dict[str, str]]:
    """Check that a replay has the same values of arousal, which come seconds later than EEG's; return their lines."""
    fine("replay", out, "--speed", "max", "--headless", "--out", again)
    assert (out / "measures.tsv").read_bytes() == (again / "measures.tsv").read_bytes()
    return [each for each in open_session(again).table("measures.tsv") if each["measure"] == "autonomic"]


def test_they_are_recorded_told_replayed_and_exported_as_those_of_who_wears_the_board(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two boards that have no such signal beside their EEG, as a Muse."""
    monkeypatch.setattr(
        brainflow_board, "describe_board", lambda shim, board: replace(describe_board(shim, board), body=())
    )
    out = session(tmp_path / "live", 4)
    ran = open_session(out).ran
    told = [(each["name"], each["of"], each["of_by"], each["origin"], each["rate"]) for each in ran["peripheral"]]
    assert told == [(f"{name} auxiliary", name, "board", "brainflow", 250.0) for name in ("Anna", "Ben")]
    (measure,) = ran["measures"]
    assert measure["of"] == ["Anna", "Ben"]
    streams = {each["info"]["name"][0]: each for each in pyxdf.load_xdf(out / "recording.xdf")[0]}
    for name in ("Anna", "Ben"):
        eeg, beside = streams[name], streams[f"{name} auxiliary"]
        assert (beside["info"]["type"][0], beside["info"]["source_id"]) == ("Physio", eeg["info"]["source_id"])
        channels = beside["info"]["desc"][0]["channels"][0]["channel"]
        assert [each["type"][0] for each in channels] == ["EDA", "PPG", "PPG", "TEMPERATURE"]
        assert len(beside["time_stamps"]) > 4 * 200
        assert abs(beside["time_stamps"][-1] - eeg["time_stamps"][-1]) < 1.0
    lines = assert_replayed_alike(out, tmp_path / "again")
    assert {each["of"] for each in lines} == {"Anna", "Ben", "mean"}
    assert {each["row"] for each in lines} == {"eda", "heart rate"}
    done = export([out], tmp_path / "bids", Choices(people={"Anna": "P1", "Ben": "P2"}))
    assert not [note for note in done.notes if "auxiliary" in note]
    exported = sorted(path.name.split("recording-")[1] for path in (tmp_path / "bids").rglob("*_physio.tsv.gz"))
    assert exported == ["peripheral1_physio.tsv.gz"] * 2
    # The file alone is replayed, too.
    raw = fine("replay", out / "recording.xdf", "--speed", "max", "--headless", "--out", tmp_path / "raw",
               "--eeg", "type=EEG", "--peripheral", "type=Physio")  # fmt: skip
    assert "is not known" not in raw
    assert [each["of"] for each in open_session(tmp_path / "raw").ran["peripheral"]] == ["Anna", "Ben"]


@pytest.mark.slow
def test_their_synchrony_is_the_same_live_and_in_replay(tmp_path: Path) -> None:
    """70 s in real time, with EDA and PPG beside the EEG and in the preset."""
    out = session(tmp_path / "live", 70)
    lines = assert_replayed_alike(out, tmp_path / "again")
    assert {each["of"] for each in lines} == {"Anna", "Ben", "mean"}
    values = [cell_number(each["value"]) for each in lines if (each["of"], each["row"]) == ("mean", "eda")]
    assert np.isfinite(values).any()
