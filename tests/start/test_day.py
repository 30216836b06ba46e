"""The summary of a session, the day's list, and who comes next."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pytest

from calibration.finished.report.data import load_session
from calibration.finished.report.numbers import session_report
from rtaffect.common.errors import RecordingError
from rtaffect.protocol.allocation import draw
from rtaffect.protocol.seal import codes_in, seal
from rtaffect.start.choices import Choices
from rtaffect.start.day import counted_up, day_of, next_participant, with_next
from rtaffect.start.outcome import outcome_of
from tests.support.protocol_files import protocol_of
from tests.support.session_files import FakeBlock, write_session

SHORT = (FakeBlock("baseline", "Baseline", 60), FakeBlock("feedback", "Run 1", 60), FakeBlock("feedback", "Run 2", 60))
LIGHT = {"blocks": SHORT, "with_recording": False, "with_sounds": False, "staged": True}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_session(tmp_path_factory.mktemp("day") / "P01", **LIGHT)


def practised(folder: Path) -> Path:
    """Make the first run of a session one for practice."""
    table = folder / "events.tsv"
    lines = [line.split("\t") for line in table.read_text(encoding="utf-8").splitlines()]
    number, kind = lines[0].index("block"), lines[0].index("trial_type")
    for line in lines:
        if line[number] == "2" and line[kind] in ("block", "block-end"):
            line[kind] = line[kind].replace("block", "practice")
    table.write_text("".join("\t".join(line) + "\n" for line in lines), encoding="utf-8")
    return folder


@pytest.mark.parametrize("practice", [False, True])
def test_the_numbers_are_those_of_the_report(tmp_path: Path, practice: bool) -> None:
    folder = write_session(tmp_path / "P01", **LIGHT)
    if practice:
        practised(folder)
    outcome, report = outcome_of(folder), session_report(load_session(folder), None)
    assert (outcome.steps, outcome.trusted) == (report.quality.steps.all, report.quality.steps.trusted)
    assert report.synchrony is not None
    assert outcome.words == report.synchrony.words
    assert outcome.found.mean == report.synchrony.mean
    np.testing.assert_array_equal(outcome.mean, report.synchrony.means)
    runs = [block for block in report.regulation.blocks if block.kind == "feedback"]
    assert len(runs) == (1 if practice else 2)
    assert outcome.judged == sum(block.judged for block in runs) > 0
    assert outcome.success == sum(block.success or 0 for block in runs)
    share, beyond, success = outcome.numbers
    assert share[:2] == ("seconds with a trusted value", f"{outcome.trusted / outcome.steps:.0%}")
    assert beyond[1] == f"{report.synchrony.mean:+.3f}"
    assert success[1] == f"{outcome.success / outcome.judged:.0%}"


def test_a_damaged_session_is_one_line(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="is not a session's folder"):
        outcome_of(tmp_path)
    broken = write_session(tmp_path / "s", **LIGHT)
    text = (broken / "feedback.tsv").read_text(encoding="utf-8")
    (broken / "feedback.tsv").write_text(text.replace("trusted", "trsted", 1), encoding="utf-8")
    with pytest.raises(RecordingError, match="its tables are damaged"):
        outcome_of(broken)


@pytest.mark.parametrize(
    ("code", "following"), [("P07", "P08"), ("P9", "P10"), ("S099", "S100"), ("12", "13"), ("Anna", ""), ("", "")]
)
def test_codes_are_counted_up(code: str, following: str) -> None:
    assert counted_up(code) == following
    assert next_participant(code, ()) == following


@pytest.fixture
def allocation(tmp_path: Path) -> Path:
    arms = [{"name": "real", "feedback": "real"}, {"name": "late", "feedback": "delayed", "delay_s": 5}]
    path = tmp_path / "allocation.sealed"
    seal(draw(protocol_of(arms=arms), ["B7", "P01", "A1", "P02"], seed=1), path)
    return path


def test_an_allocation_tells_who_comes_next_and_nothing_else(allocation: Path) -> None:
    assert codes_in(allocation) == ("B7", "P01", "A1", "P02")
    choices = Choices(
        participant="P01", allocation=str(allocation), session_code="AAAA", name="P01-today", protocol="p"
    )
    following, said = with_next(choices)
    assert (following.participant, following.session_code, following.name) == ("A1", "", "")
    assert following.protocol == "p"
    assert said == "next participant: A1; their session code is with who keeps the key"
    last, said = with_next(Choices(participant="P02", allocation=str(allocation)))
    assert last.participant == ""
    assert said == "the allocation has no more participants: give the next participant's code"
    _, said = with_next(Choices(participant="P02", allocation=str(allocation.with_name("gone"))))
    assert "cannot be read" in said


def test_the_day_has_what_was_done_and_what_is_planned(folder: Path, allocation: Path) -> None:
    began = dt.datetime.fromisoformat(outcome_of(folder).started).astimezone()
    choices = Choices(folder=str(folder.parent), allocation=str(allocation))
    lines, trouble = day_of(choices, began.date())
    assert trouble == ""
    assert [(line.state, line.participant) for line in lines] == [
        ("done", "P01"), ("planned", "B7"), ("planned", "A1"), ("planned", "P02"),
    ]  # fmt: skip
    assert lines[0].begun == f"{began:%H:%M}"
    assert lines[0].outcome == "completed"
    assert "% trusted, " in lines[0].quality
    assert lines[0].quality.endswith("beyond the null")
    other, _ = day_of(choices, began.date() + dt.timedelta(days=1))
    assert [line.state for line in other] == ["planned"] * 3
    assert day_of(Choices(folder=str(folder / "gone")), began.date()) == ([], "")
