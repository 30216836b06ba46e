"""Texts of any depth, length and kind are read, or refused in one line; and names that no file can have."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from rtaffect.common.errors import MOST_LETTERS, RtaffectError, SettingsError, under
from rtaffect.common.reading import json_content, path_problem, read_bytes, read_toml, toml_content, why
from rtaffect.common.settings import read_settings
from rtaffect.plan.session_plan import SessionPlan


def test_what_a_file_says_is_read(tmp_path):
    (tmp_path / "a.toml").write_bytes('a = 1\r\nb = "é"\n'.encode())
    assert read_toml(tmp_path / "a.toml") == {"a": 1, "b": "é"}
    assert json_content(b'{"a": [1]}') == {"a": [1]}


@pytest.mark.parametrize("read", [toml_content, json_content])
@pytest.mark.parametrize("depth", [2000, 200_000])
def test_deep_nesting_is_refused_in_words(read, depth):
    text = b'{"a":' * depth if read is json_content else b"a = " + b"[" * depth
    with pytest.raises(ValueError, match=r"nested too deeply|\(at end of document\)|Expecting value"):
        read(text)
    whole = b"[" * depth + b"]" * depth
    with pytest.raises(ValueError, match="nested too deeply"):
        read(whole if read is json_content else b"a = " + whole)


@pytest.mark.parametrize("read", [toml_content, json_content])
def test_numbers_of_thousands_of_digits_are_refused_in_words(read):
    number = b"9" * 5000
    with pytest.raises(ValueError, match="thousands of digits"):
        read(number if read is json_content else b"a = " + number)


def test_more_than_fits_and_what_is_no_file_are_refused(tmp_path):
    (tmp_path / "a").write_bytes(b"12345")
    assert read_bytes(tmp_path / "a", 5) == b"12345"
    with pytest.raises(ValueError, match="larger than"):
        read_bytes(tmp_path / "a", 4)
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(ValueError, match="no regular file"):
            read_bytes(path)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [("a\0b", "NUL"), ("n" * 256, "256 bytes"), ("é" * 128, "256 bytes"), ("a/" * 3000, "bytes"), ("\udcff", "UTF-8")],
)
def test_names_that_no_file_can_have(name, wrong):
    assert wrong in path_problem(name)
    with pytest.raises(ValidationError, match=wrong):
        SessionPlan.model_validate({"results": {"out": Path(name)}})
    assert path_problem("n" * 255) == ""


@pytest.mark.parametrize("text", ["a = 9" + "9" * 5000, "a = " + "[" * 100_000 + "]" * 100_000, "a = \0", "\udcff"])
def test_settings_that_are_no_toml_end_in_one_line(tmp_path, text):
    path = tmp_path / "settings.toml"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(RtaffectError) as caught:
        read_settings(path)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("value", ["nan", "inf", "1e300", "9" * 400])
def test_settings_have_limits(tmp_path, value):
    path = tmp_path / "settings.toml"
    for line in (f"signal.rate_hz = {value}", f"synchrony.window_s = {value}", f"signal.notch_q = {value}"):
        path.write_text(line)
        with pytest.raises(RtaffectError, match="settings"):
            read_settings(path)


def test_a_message_is_one_line_of_a_bounded_length_and_keeps_its_options():
    error = RtaffectError("a\nb\0c\x1b[31m\udcff" + "x" * 100_000, remedy=f"give it {under('unit')}")
    text = str(error)
    assert text.isprintable()
    assert len(text) <= MOST_LETTERS
    assert text.startswith("a b\\x00c\\x1b[31m\\udcffxxx")
    assert text.endswith("give it with --unit")
    assert error.field == "unit"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (FileNotFoundError(2, "No such file or directory", "a.toml"), "it is not there"),
        (NotADirectoryError(20, "Not a directory", "a/b.toml"), "it is not there"),
        (IsADirectoryError(21, "Is a directory", "a"), "it is a folder"),
        (PermissionError(13, "Permission denied", "a.toml"), "the right to read it is missing"),
        (OSError(5, "Input/output error", "a.toml"), "Input/output error"),
        (ValueError("it is larger than 64 MB"), "it is larger than 64 MB"),
        (MemoryError(), "MemoryError"),
    ],
)
def test_why_a_file_cannot_be_read_is_in_words(error: Exception, words: str) -> None:
    assert why(error) == words


def test_the_byte_that_is_no_text_is_named() -> None:
    with pytest.raises(UnicodeDecodeError) as caught:
        b"a = \xff".decode()
    assert why(caught.value) == "it is no text in UTF-8: byte 5 is none of it"


def test_settings_that_are_not_there_are_told_in_words(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings(tmp_path / "nope.toml", None)
    assert "nope.toml cannot be read (it is not there)" in str(caught.value)
    assert "Errno" not in str(caught.value)
