"""Practice, pauses, repeats, marks and notes in what is told of a finished session: the report, and BIDS."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from calibration.finished.bids.events import Disclosure, event_rows, events_json
from calibration.finished.bids.grid import Grid
from calibration.finished.report.blocks import BEGUN_AGAIN, PRACTICE, blocks_of, inside_of
from calibration.finished.report.data import load_session
from calibration.finished.report.numbers import session_report
from rtaffect.plan.session_folder import open_session
from tests.support.session_files import FakeBlock, write_session

SHORT = (
    FakeBlock("baseline", "Baseline", 60),
    FakeBlock("feedback", "Run 1", 60),
    FakeBlock("feedback", "Run 2", 60),
)


def event(kind: str, onset: float, block: int = 1, name: str = "A", duration: str = "n/a") -> dict[str, str]:
    return {
        "onset": str(onset), "duration": duration, "trial_type": kind, "name": name, "block": str(block),
        "kind": "listen", "stim_file": f"stimuli/{name}",
    }  # fmt: skip


def test_blocks_for_practice_and_those_begun_again_are_apart() -> None:
    runs = blocks_of(
        None,
        [
            event("practice", 1), event("practice-end", 11), event("block", 12, 2), event("block-end", 20, 2),
            event("block", 23, 2), event("block-pause", 30, 2), event("block-resume", 36, 2), event("block-end", 40, 2),
            event("block", 41, 3), event("block-pause", 50, 3),
        ],
        99.0,
    )  # fmt: skip
    assert [(run.number, run.apart, run.seconds, run.ended) for run in runs] == [
        (1, PRACTICE, 10, True), (2, BEGUN_AGAIN, 8, True), (2, "", 11, True), (3, "", 9, False),
    ]  # fmt: skip
    assert runs[2].stretches == ((23, 30), (36, 40))
    time = np.arange(20.0, 45.0)
    assert time[inside_of(runs[2], time)].tolist() == [*range(23, 30), *range(36, 40)]


def test_a_sound_that_stood_still_is_heard_in_two_parts() -> None:
    (run,) = blocks_of(
        None,
        [
            event("block", 10), event("stimulus", 10, name="a.wav", duration="20"),
            event("stimulus-end", 16, name="a.wav"), event("block-pause", 16), event("block-resume", 25),
            event("stimulus-resume", 25, name="a.wav", duration="14"), event("stimulus-end", 39, name="a.wav"),
            event("block-end", 39),
        ],
        50.0,
    )  # fmt: skip
    assert run.stimuli == (("a.wav", 10.0, 16.0), ("a.wav", 25.0, 39.0))
    assert [(part.first, part.last) for part in run.parts] == [(0, 6), (6, 20)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A session whose first run was for practice, in which the second one stood still, with a mark and a note."""
    folder = write_session(
        tmp_path_factory.mktemp("s") / "P01", blocks=SHORT, with_recording=False, with_sounds=False, staged=True
    )
    table = folder / "events.tsv"
    head, *lines = table.read_text(encoding="utf-8").splitlines()
    place = head.split("\t").index("trial_type")
    cells = [line.split("\t") for line in lines]
    number = head.split("\t").index("block")
    for line in cells:
        if line[number] == "2" and line[place] in ("block", "block-end"):
            line[place] = line[place].replace("block", "practice")
    start = next(float(line[0]) for line in cells if line[number] == "3" and line[place] == "block")
    origin = float(open_session(folder).ran["origin"])

    def added(onset: float, kind: str, name: str, block: str = "n/a") -> list[str]:
        return [f"{onset:.6f}", "n/a", kind, name, block, "n/a", "n/a", f"{origin + onset:.6f}"]

    cells += [
        added(start + 20, "block-pause", "Run 2", "3"), added(start + 30, "block-resume", "Run 2", "3"),
        added(start + 5, "mark", "participant moved"), added(start + 6, "note", "she coughed"),
    ]  # fmt: skip
    cells.sort(key=lambda line: float(line[0]))
    table.write_text("\n".join([head, *("\t".join(line) for line in cells)]) + "\n", encoding="utf-8")
    return folder


def test_practice_has_no_part_in_the_report_and_is_told(folder: Path) -> None:
    data = load_session(folder)
    assert [run.name for run in data.blocks] == ["Baseline", "Run 2"]
    assert [(run.name, run.apart) for run in data.apart] == [("Run 1", PRACTICE)]
    report = session_report(data, None)
    assert [block.name for block in report.regulation.blocks] == ["Baseline", "Run 2"]
    assert report.regulation.slope is None
    notes = " ".join(report.regulation.notes)
    assert "Block 2 'Run 1' (feedback), 1:00 from" in notes
    assert "practice, so that it counts in no result." in notes
    run = report.regulation.blocks[1]
    # 60 s, of which it stood still for 10: two stretches, each of which settles for the window of 10 s.
    assert run.seconds == 50
    assert run.values == 10 + 20
    assert "Block 3 'Run 2' stood still: 0:10 at" in notes
    listed = [(e.type, e.text) for e in report.events]
    assert ("mark", "participant moved") in listed
    assert ("note", "she coughed") in listed


def test_practice_is_no_block_in_bids(folder: Path) -> None:
    session = open_session(folder)
    origin = float(session.ran["origin"])
    places = np.arange(40_000)
    grid = Grid(100.0, 100.0, places, origin + places / 100.0, (), 0.0)
    rows = event_rows(session, grid, Disclosure({}, {}, True), ())
    kinds = [(row[2], row[3]) for row in rows]
    assert [name for kind, name in kinds if kind == "block"] == ["Baseline", "Run 2"]
    assert ("practice", "Run 1") in kinds
    assert ("mark", "participant moved") in kinds
    assert ("note", "she coughed") in kinds
    levels = events_json(rows)["trial_type"]["Levels"]
    assert levels["practice"] == "A block for practice begins, which counts in no result"
    assert not any(words == "Another kind of event" for words in levels.values())
    without = event_rows(session, grid, Disclosure({}, {}, False), ())
    assert {row[3] for row in without if row[2] == "note"} == {"n/a"}
    # It lasted as long as it did, not as planned.
    (run,) = [row for row in rows if row[2] == "block" and row[3] == "Run 2"]
    assert float(run[1]) == pytest.approx(60, abs=0.01)
