"""Tables of a session's folder, whole and cut short."""

from __future__ import annotations

import math
import shutil
from datetime import date

import pytest
import tomli_w

from rtaffect.common.errors import RecordingError
from rtaffect.common.sums import SUMS_FILE, write_sums
from rtaffect.plan.session_folder import SessionTable, cell_number, open_session
from tests.support.damage import flipped
from tests.support.session_files import FakeBlock, write_session


@pytest.mark.parametrize(
    ("text", "lost"),
    [
        ("a\tb\n1\tx y\n2\t\n", 0),
        ("a\tb\r\n1\tx y\r\n2\t\r\n", 0),
        ("a\tb\n1\tx y\n3\n2\t\n4\t4.12", 2),
        ("a\tb\n1\tx y\n2\t\n\0\0\0", 0),
    ],
    ids=["whole", "windows", "damaged", "never written"],
)
def test_a_line_counts_only_if_it_is_whole(text, lost):
    found = SessionTable.parse(text)
    assert found.columns == {"a": ["1", "2"], "b": ["x y", ""]}
    assert found.lines == [{"a": "1", "b": "x y"}, {"a": "2", "b": ""}]
    assert found.lost == lost


def test_a_table_without_lines_is_empty():
    assert SessionTable.parse("").lines == SessionTable.parse("a\tb\n").lines == []


def test_what_is_no_finite_number_is_none():
    assert cell_number("-1.5e3") == -1500
    assert all(math.isnan(cell_number(text)) for text in ("n/a", "", "inf", "true"))


def test_a_cut_last_line_is_left_out_and_a_table_that_is_no_text_is_refused(tmp_path):
    blocks = (FakeBlock("listen", "Listening", 12),)
    folder = write_session(tmp_path / "s", blocks=blocks, with_recording=False, with_sounds=False)
    session, file = open_session(folder), folder / "feedback.tsv"
    whole = session.table("feedback.tsv")
    file.write_bytes(file.read_bytes()[:-2])
    assert session.table("feedback.tsv") == whole[:-1]
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(RecordingError, match=r"no readable feedback.tsv .* copy the whole folder"):
        session.table("feedback.tsv")


@pytest.fixture(scope="module")
def sealed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sessions") / "s"
    write_session(folder, blocks=(FakeBlock("listen", "Listening", 12, "story.wav"),), rate=32.0)
    write_sums(folder)
    return folder


def read_all(folder):
    """Read a session as reports, exports and replays do."""
    session = open_session(folder)
    for name in ("feedback.tsv", "people.tsv", "quality.tsv", "moments.tsv", "events.tsv"):
        session.table(name)
    session.checked_recording()
    session.checked("stimuli/story.wav")
    return session


@pytest.mark.parametrize(
    "name",
    [
        SUMS_FILE, "session.toml", "recording.xdf", "feedback.tsv", "people.tsv", "quality.tsv", "moments.tsv",
        "events.tsv", "stimuli/story.wav",
    ],
)  # fmt: skip
def test_a_flipped_bit_of_a_sessions_file_is_refused(sealed, name):
    assert read_all(sealed).unchecked == ""
    for place, bit in flipped(sealed / name, 25):
        with pytest.raises(RecordingError) as caught:
            read_all(sealed)
        message = str(caught.value)
        assert "\n" not in message, (place, bit)
        assert SUMS_FILE in message
        assert "copy the whole folder again" in message
    read_all(sealed)


def test_a_session_that_was_cut_off_is_read_and_said_to_be_unchecked(sealed, tmp_path):
    folder = tmp_path / "cut-off"
    shutil.copytree(sealed, folder)
    (folder / SUMS_FILE).unlink()
    assert f"has no {SUMS_FILE}: it was cut off, or an earlier rtaffect wrote it" in read_all(folder).unchecked


def test_a_file_that_a_session_names_elsewhere_is_refused(sealed, tmp_path):
    folder = tmp_path / "other-lab"
    shutil.copytree(sealed, folder)
    (folder / SUMS_FILE).unlink()
    (tmp_path / "secret.xdf").write_text("mine")
    (folder / "stimuli" / "link.wav").symlink_to(tmp_path / "secret.xdf")
    for name in ("../secret.xdf", str(tmp_path / "secret.xdf"), "stimuli/link.wav"):
        with pytest.raises(RecordingError, match="leads out of") as caught:
            open_session(folder).place(name)
        assert "\n" not in str(caught.value)
    (folder / "session.toml").write_text(
        tomli_w.dumps({"format": 1, "mode": "live", "ran": {"recording": "../secret.xdf"}}), encoding="utf-8"
    )
    with pytest.raises(RecordingError, match="leads out of"):
        open_session(folder).checked_recording()


@pytest.mark.parametrize(
    ("ran", "message"),
    [
        ({"origin": "now"}, r"ran.origin is 'now', expected a number"),
        ({"steps": 1.5}, r"ran.steps is '1.5', expected a whole number"),
        ({"eeg": [{"name": "A", "rate": date(1979, 5, 27)}]}, r"ran.eeg.rate is '1979-05-27', expected a number"),
        ({"eeg": {"name": "A"}}, r"ran.eeg is .*, expected tables"),
        ({"sound": 3}, r"ran.sound is '3', expected a table"),
        ({"stimuli": ["story.wav"]}, r"ran.stimuli is .*, expected tables"),
    ],
)
def test_a_value_of_another_kind_is_refused_where_the_folder_is_opened(tmp_path, ran, message):
    content = tomli_w.dumps({"format": 1, "mode": "live", "ran": ran})
    (tmp_path / "session.toml").write_text(content, encoding="utf-8")
    with pytest.raises(RecordingError, match=rf"session.toml: {message}; .*copy the whole folder again") as caught:
        open_session(tmp_path)
    assert "\n" not in str(caught.value)


def test_where_a_headsets_samples_come_from_is_a_word_and_when_the_session_began_a_number(tmp_path):
    """As every session writes it."""
    ran = {"origin": 12.5, "steps": 3, "eeg": [{"name": "A", "origin": "simulated", "rate": 250.0}]}
    content = tomli_w.dumps({"format": 1, "mode": "live", "ran": ran})
    (tmp_path / "session.toml").write_text(content, encoding="utf-8")
    assert open_session(tmp_path).ran["eeg"][0]["origin"] == "simulated"
