"""Tables of a session's folder, whole and cut short."""

from __future__ import annotations

import math

import pytest

from rtaffect.common.errors import RecordingError
from rtaffect.plan.session_folder import SessionTable, cell_number, open_session
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
