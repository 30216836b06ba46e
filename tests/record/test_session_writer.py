"""A session's folder: the owner's alone, no link in it is followed, and no name tears a table."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from rtaffect.common.errors import SettingsError
from rtaffect.common.sums import SUMS_FILE, check_all
from rtaffect.plan.session_folder import open_session
from rtaffect.plan.session_plan import SessionPlan
from rtaffect.protocol.event import SessionEvent
from rtaffect.record.disk import make_recording
from rtaffect.record.session_writer import SessionWriter
from rtaffect.record.table import EVENT_COLUMNS, Table, line_of
from tests.cli.test_commands import fine
from tests.support.xdf_writer import FakeStream, image

HOSTILE = "Story\t1\n\x1b[31mred \u202eevil [bold]x[/nope]\r\x00"
FILES = ("feedback.tsv", "people.tsv", "quality.tsv", "moments.tsv", "events.tsv", "session.log", "environment.json")


def written(folder: Path) -> SessionWriter:
    writer = SessionWriter(folder, SessionPlan(), {"steps": 0})
    writer.event(SessionEvent(1.0, 2.0, "note", HOSTILE, stim_file=HOSTILE))
    return writer


def test_all_of_a_session_is_its_owners(tmp_path: Path) -> None:
    sound, protocol, folder = tmp_path / "story.wav", tmp_path / "p.toml", tmp_path / "sessions" / "one"
    sound.write_bytes(b"RIFF")
    protocol.write_text("format = 1\n")
    before = os.umask(0)
    try:
        writer = written(folder)
        make_recording(folder / "recording.xdf").close()
        writer.keep_stimulus(sound)
        writer.keep_protocol(protocol)
        writer.close("completed")
        writer.seal()
    finally:
        os.umask(before)
    assert not writer.trouble
    everything = [folder, *folder.rglob("*")]
    assert {path.name for path in everything} >= {*FILES, "recording.xdf", "protocol.toml", "story.wav", SUMS_FILE}
    modes = {path.name: path.stat().st_mode & 0o777 for path in everything}
    assert {name: mode for name, mode in modes.items() if mode & 0o077} == {}
    assert check_all(folder)
    assert open_session(folder).unchecked == ""


@pytest.mark.parametrize("name", [*FILES, "recording.xdf", "protocol.toml", "session.toml", "stimuli/story.wav"])
def test_a_link_that_was_planted_is_never_followed(tmp_path: Path, name: str) -> None:
    folder, there = tmp_path / "s", tmp_path / "mine"
    (folder / "stimuli").mkdir(parents=True)
    there.write_text("mine")
    (tmp_path / "story.wav").write_bytes(b"RIFF")
    (tmp_path / "p.toml").write_text("format = 1\n")
    for target in (tmp_path / "not-there", there):
        (folder / name).symlink_to(target)
        with suppress(SettingsError):
            writer = written(folder)
            try:
                make_recording(folder / "recording.xdf").close()
                writer.keep_stimulus(tmp_path / "story.wav")
                writer.keep_protocol(tmp_path / "p.toml")
            finally:
                writer.close("completed")
        assert not (tmp_path / "not-there").exists()
        assert there.read_text() == "mine"
        for path in folder.rglob("*"):
            if path.is_symlink() or path.is_file():
                path.unlink()


def test_a_folder_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(SettingsError, match="it is a link or a file, not a folder"):
        written(tmp_path / "link")
    assert not list((tmp_path / "real").iterdir())


def test_a_name_tears_no_table(tmp_path: Path) -> None:
    assert line_of(("a", "b c", "")) == "a\tb c\t\n"
    assert line_of((HOSTILE, "b")).count("\t") == 1
    table = Table(tmp_path / "t.tsv", ("a", "b"))
    assert table.add([(HOSTILE, "1"), ("x", HOSTILE)]) is None
    table.close()
    lines = (tmp_path / "t.tsv").read_text(encoding="utf-8").split("\n")
    assert [line.count("\t") for line in lines] == [1, 1, 1, 0]
    writer = written(tmp_path / "s")
    writer.close("completed")
    (row,) = open_session(tmp_path / "s").table("events.tsv")
    assert tuple(row) == EVENT_COLUMNS
    assert row["name"] == "Story 1 \ufffd[31mred \ufffdevil [bold]x[/nope] \ufffd"


def test_a_stimulus_is_kept_under_a_name_that_any_system_has(tmp_path: Path) -> None:
    sound = tmp_path / "a\tb\nc.wav"
    sound.write_bytes(b"RIFF")
    raw = os.fsencode(tmp_path) + b"/bad\xff.wav"
    Path(os.fsdecode(raw)).write_bytes(b"RIFX")
    writer = written(tmp_path / "s")
    assert writer.keep_stimulus(sound) == "stimuli/a b c.wav"
    assert writer.keep_stimulus(Path(os.fsdecode(raw))) == "stimuli/bad_.wav"
    writer.note(stimuli=[{"file": "stimuli/bad_.wav"}])
    writer.close("completed")


def test_names_of_a_recording_reach_tables_and_terminal_whole(tmp_path: Path) -> None:
    """As an LSL sender may call its stream, its channels and itself."""
    name, labels = "Muse\t1 \u202e[red]x[/nope]", ("Fz\n", "[bold]Cz", "P\tz")
    eeg = 1e-5 * np.random.default_rng(0).standard_normal((14 * 100, 3))
    stamps = 5.0 + np.arange(len(eeg)) / 100
    streams = [FakeStream(eeg, stamps, n, rate=100.0, labels=labels, unit="V") for n in (name, f"{name} 2")]
    (tmp_path / "r.xdf").write_bytes(image(streams).data)
    said = fine("replay", tmp_path / "r.xdf", "--speed", "max", "--headless", "--out", tmp_path / "out")
    assert "\u202e" not in said
    session = open_session(tmp_path / "out")
    assert session.ran["people"] == ["Muse 1 \ufffd[red]x[/nope]", "Muse 1 \ufffd[red]x[/nope] 2"]
    quality = session.table("quality.tsv")
    assert {line["channel"] for line in quality} == {"Fz", "[bold]Cz", "P z"}
    assert {line["person"] for line in quality} == set(session.ran["people"])
    assert len((tmp_path / "out/quality.tsv").read_text(encoding="utf-8").splitlines()) == len(quality) + 1
