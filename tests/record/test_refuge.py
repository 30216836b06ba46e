"""A session whose folder goes away while it runs: told at once, gone on with elsewhere, and nothing lost."""

from __future__ import annotations

import errno
import logging
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import platformdirs
import pytest

from rtaffect.common.errors import SettingsError
from rtaffect.engine.timing import StepTiming
from rtaffect.plan.session_folder import open_session
from rtaffect.plan.session_plan import SessionPlan
from rtaffect.protocol.event import SessionEvent
from rtaffect.record import refuge, session_writer
from rtaffect.record.recorder import Recorder
from rtaffect.record.session_writer import SessionWriter
from rtaffect.record.table import Table
from rtaffect.record.xdf_writer import XdfWriter
from rtaffect.sources.xdf_file import read_xdf
from tests.support.fake_feedback import fake_session
from tests.support.recording_child import EEG
from tests.support.waiting import wait_for

FOUND = fake_session(12)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(refuge, "user_data_path", lambda name: tmp_path / "home" / name)
    return tmp_path / "sessions" / "P01"


@pytest.fixture
def writer(folder: Path) -> Iterator[SessionWriter]:
    made = SessionWriter(folder, SessionPlan(mode="demo"), {"origin": 1000.0})
    yield made
    made.close("completed")


def removed(folder: Path) -> None:
    shutil.rmtree(folder)


def moved(folder: Path) -> None:
    folder.rename(folder.with_name("moved"))


def replaced(folder: Path) -> None:
    folder.rename(folder.with_name("moved"))
    folder.mkdir()


def emptied(folder: Path) -> None:
    (folder / "feedback.tsv").unlink()


@pytest.mark.parametrize("how", [removed, moved, replaced, emptied])
def test_tables_go_on_elsewhere_with_all_lines(
    writer: SessionWriter, folder: Path, how: Callable[[Path], None], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "a.wav").write_bytes(b"sound")
    writer.keep_stimulus(tmp_path / "a.wav")
    for feedback in FOUND[:6]:
        writer(feedback)
    writer.event(SessionEvent(1.0, 1001.0, "note", "before"))
    how(folder)
    for feedback in FOUND[6:]:
        writer(feedback)
        assert str(writer.folder) in writer.trouble, "told from the first step on, and for as long as it lasts"
    writer.event(SessionEvent(7.0, 1007.0, "note", "after"))
    writer.close("completed")
    there = folder.with_name("P01-rescued")
    assert writer.folder == there
    assert f"{folder} " in writer.trouble
    assert f"the session goes on in {there}" in caplog.text
    session = open_session(there)
    assert session.ran["outcome"] == "completed"
    assert session.ran["steps"] == 12
    steps = [int(line["step"]) for line in session.table("feedback.tsv") if line["row"] == "mean"]
    assert steps == list(range(1, 13))
    assert [e["name"] for e in session.table("events.tsv")] == ["before", "after"]
    assert (there / "stimuli" / "a.wav").read_bytes() == b"sound"
    assert (there / "environment.json").is_file()
    log = (there / "session.log").read_text(encoding="utf-8")
    assert "before" in log
    assert "after" in log


def test_where_nothing_can_be_beside_it_the_users_own_folder_takes_it(
    writer: SessionWriter, folder: Path, tmp_path: Path
) -> None:
    writer(FOUND[0])
    shutil.rmtree(folder.parent)
    # A file where the folder was: as on a disk that is gone, nothing can be made there.
    folder.parent.write_bytes(b"")
    writer(FOUND[1])
    assert writer.folder == tmp_path / "home" / "rtaffect" / "rescued" / "P01-rescued"
    assert [line["step"] for line in open_session(writer.folder).table("feedback.tsv")][-1] == "2"


def test_what_has_no_place_at_all_waits_in_memory(
    writer: SessionWriter, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer(FOUND[0])
    shutil.rmtree(folder)
    monkeypatch.setattr(refuge, "_new_folder", lambda parent, name: None)
    writer(FOUND[1])
    assert "no other folder can be made" in writer.trouble
    monkeypatch.undo()
    monkeypatch.setattr(refuge, "user_data_path", lambda name: folder.parent / "home")
    writer(FOUND[2])
    steps = [line["step"] for line in open_session(writer.folder).table("feedback.tsv") if line["row"] == "mean"]
    assert steps == ["1", "2", "3"]


def test_a_disk_that_fails_is_left_and_one_that_is_full_is_waited_for(
    writer: SessionWriter, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Table.add
    failing = [errno.ENOSPC]

    def add(table: Table, lines):
        if failing and table.path.parent == folder and lines:
            table._pending += b"".join("\t".join(line).encode() + b"\n" for line in lines)
            table.trouble = "it fails"
            return OSError(failing[0], "it fails")
        return real(table, lines)

    monkeypatch.setattr(Table, "add", add)
    writer(FOUND[0])
    assert writer.folder == folder
    assert "cannot be written (it fails); free space" in writer.trouble
    failing[0] = errno.EIO
    writer(FOUND[1])
    writer(FOUND[2])
    assert writer.folder != folder
    steps = [line["step"] for line in open_session(writer.folder).table("feedback.tsv") if line["row"] == "mean"]
    assert steps == ["1", "2", "3"]


def test_one_table_that_cannot_be_written_is_told_though_others_can(writer: SessionWriter) -> None:
    writer._tables["people.tsv"].trouble = "it is full"
    writer._add("quality.tsv", [])
    assert "people.tsv cannot be written (it is full)" in writer.trouble


def test_a_session_that_cannot_begin_leaves_nothing_behind(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    plan = SessionPlan(mode="demo")
    with monkeypatch.context() as disk:
        disk.setattr(session_writer, "write_whole", full)
        with pytest.raises(SettingsError, match="cannot be written"):
            SessionWriter(folder, plan, {})
    assert not folder.exists()
    kept = SessionWriter(folder, plan, {})
    kept(FOUND[0])
    kept.close("completed")
    with pytest.raises(SettingsError, match="already holds a session"):
        SessionWriter(folder, plan, {})
    assert open_session(folder).ran["outcome"] == "completed", "nothing of another session is removed"
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine", encoding="utf-8")
    begun = SessionWriter(folder, plan, {})
    begun.keep_stimulus(folder / "notes.txt")
    begun.discard()
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]
    assert not [h for h in logging.getLogger("rtaffect").handlers if isinstance(h, logging.FileHandler)]


def test_times_of_steps_are_a_table(writer: SessionWriter, folder: Path) -> None:
    timing = StepTiming(
        3, 1003.0, 1003.1, 1003.2, 1003.3, 0.05, "cap", stage_s={"eeg": 0.01, "measures": 0.03, "affect": 0.04}
    )
    timing.left["lsl"] = 1003.31
    writer.timing([timing])
    (line,) = open_session(folder).table("timing.tsv")
    assert line == {
        "step": "3", "time": "3", "lag_s": "0.100000", "eeg_age_s": "0.050000", "eeg_source": "cap",
        "sound_age_s": "n/a", "eeg_s": "0.010000", "features_s": "n/a", "alignment_s": "n/a", "prediction_s": "n/a",
        "synchrony_s": "n/a", "measures_s": "0.030000", "affect_s": "0.040000", "made_s": "0.300000",
        "left_lsl_s": "0.310000", "painted_s": "n/a", "seen_s": "n/a", "late": "false",
    }  # fmt: skip


def numbers(path: Path) -> list[float]:
    streams, warnings = read_xdf(path)
    assert warnings == []
    return [float(v) for v in next(s for s in streams if s.header.name == "Cap").values[:, 0]]


@pytest.mark.parametrize("how", [removed, moved])
def test_the_recording_goes_on_elsewhere_with_all_samples(folder: Path, how: Callable[[Path], None]) -> None:
    folder.mkdir(parents=True)
    with Recorder(folder / "recording.xdf") as recording:
        track = recording.track(EEG)

        def give(first: int) -> None:
            at = np.arange(first, first + 100, dtype=np.float64)
            track.samples(at / 1000, np.stack([at, at], axis=1))

        give(0)
        wait_for(lambda: not recording.status().pending_bytes and recording.status().written_bytes > 1600)
        how(folder)
        begin = time.monotonic()
        wait_for(lambda: recording.status().trouble)
        assert time.monotonic() - begin < 4.0
        give(100)
        wait_for(lambda: recording.path.parent != folder)
    status = recording.status()
    assert status.path == folder.with_name("P01-rescued") / "recording.xdf"
    assert (status.lost, status.pending_bytes) == (0, 0)
    assert numbers(status.path) == list(range(200))


def test_a_recording_whose_old_file_cannot_be_read_begins_with_its_headers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = XdfWriter(tmp_path / "a.xdf")
    number = writer.stream(EEG)
    at = np.arange(100, dtype=np.float64)
    writer.samples(number, at / 1000, np.stack([at, at], axis=1))
    writer.flush()
    writer.sync()
    writer.samples(number, 1 + at / 1000, np.stack([100 + at, at], axis=1))
    writer.flush()
    # As of a disk that was pulled out.
    monkeypatch.setattr(XdfWriter, "_copy_into", lambda self, new: False)
    writer.move_to(tmp_path / "b.xdf")
    writer.samples(number, 2 + at / 1000, np.stack([200 + at, at], axis=1))
    writer.close()
    assert numbers(tmp_path / "b.xdf") == list(range(100, 300)), "all that is not known to be on the old disk"


def test_the_users_own_folder_is_the_systems() -> None:
    assert refuge.user_data_path is platformdirs.user_data_path
