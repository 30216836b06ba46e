"""Texts from outside: in a cell, on a line and in a file's name, they tear nothing, steer nothing and hide nothing."""

from __future__ import annotations

import io
import unicodedata

from hypothesis import given
from hypothesis import strategies as st
from rich.live import Live
from rich.table import Table

from rtaffect.common.terminal import Terminal
from rtaffect.common.text import LONGEST, clean, file_name, printable

HOSTILE = "Muse\t1\n\x1b[31mred\x1b]0;title\x07 [red]x[/nope] \u202egnp.exe\u2066 \x9b2J :smile: \x00\ud800"
TEXTS = st.text(st.characters() | st.sampled_from("\t\n\r\x1b\x9b\u202e\u2066\u200d\x00 [/]"), max_size=60)


@given(TEXTS)
def test_a_clean_text_is_one_line_and_stays_as_it_is(text):
    found = clean(text)
    assert clean(found) == found
    assert not [
        c for c in found if c not in "\u200c\u200d" and (not c.isprintable() or unicodedata.category(c) == "Cf")
    ]
    assert found == found.strip()
    found.encode("utf-8")


@given(st.text(st.characters(categories=["L", "N", "P", "S"]), max_size=60))
def test_a_text_without_controls_stays_as_it_is(text):
    assert clean(text) == text == printable(text)


def test_what_is_cut_says_so():
    assert clean("a" * 5000) == "a" * (LONGEST - 1) + "…"


@given(TEXTS)
def test_a_files_name_is_one_part_of_a_path(text):
    found = file_name(text)
    assert found not in {"", ".", ".."}
    assert not set(found) & set('/\\\0:"<>|?*\n\t')
    assert len(found.encode()) <= 255
    assert file_name(found) == found


def test_a_long_files_name_keeps_its_ending():
    assert file_name("é" * 300 + ".wav").endswith("é.wav")
    assert file_name("../../etc/passwd") == "_.._etc_passwd"


def test_the_terminal_shows_texts_as_they_are():
    out = io.StringIO()
    terminal = Terminal(file=out, force_terminal=True, width=200, color_system=None, legacy_windows=False)
    table = Table(HOSTILE, title=HOSTILE)
    table.add_row(HOSTILE)
    terminal.print(f"note: {HOSTILE}", style="yellow")
    terminal.print(table)
    terminal.log(HOSTILE)
    with terminal.status(HOSTILE) as status:
        status.update(f"next {HOSTILE}")
    with Live(console=terminal, auto_refresh=False) as live:
        live.update(table, refresh=True)
    said = out.getvalue()
    assert "[red]x[/nope]" in said
    assert ":smile:" in said
    for hostile in ("\x1b[31m", "\x1b]0;", "\x07", "\x9b", "\u202e", "\u2066", "\x00"):
        assert hostile not in said, hostile
