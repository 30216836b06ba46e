from dataclasses import FrozenInstanceError

import pytest

from rtaffect.common.errors import SettingsError
from rtaffect.sources.selection import ANY_AUDIO, ANY_EEG, Query, describe_all, matches_any
from rtaffect.stream.source import StreamHeader


def sent(name: str, kind: str, source_id: str) -> StreamHeader:
    return StreamHeader(name, kind, 0.0, "float32", ("",), source_id=source_id)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Orange-Muse-2262: EEG", Query("name", "Orange-Muse-2262: EEG")),
        ("name=ANT", Query("name", "ANT")),
        ("name=a=b", Query("name", "a=b")),
        ("type=EEG", Query("type", "EEG")),
        ("source_id=muse 1", Query("source_id", "muse 1")),
        (" Source_ID =x", Query("source_id", "x")),
    ],
)
def test_text_becomes_a_query(text: str, expected: Query) -> None:
    assert Query.parse(text) == expected


def test_names_and_source_ids_are_exact() -> None:
    query = Query.parse("Muse")
    assert query.matches(sent("Muse", "EEG", "1"))
    assert not query.matches(sent("muse", "EEG", "Muse"))
    assert not query.matches(sent("Muse 2", "EEG", "Muse"))
    assert Query.parse("source_id=Muse").matches(sent("x", "y", "Muse"))
    assert not Query.parse("source_id=Muse").matches(sent("Muse", "y", "muse"))


def test_types_are_compared_without_case() -> None:
    assert ANY_EEG.matches(sent("x", "eeg", ""))
    assert ANY_AUDIO.matches(sent("x", "AUDIO", ""))
    assert not ANY_EEG.matches(sent("EEG", "Markers", "EEG"))


@pytest.mark.parametrize(
    ("text", "part"),
    [("", "has no value"), ("   ", "has no value"), ("type=", "has no value"), ("nme=x", "write name=nme=x")],
)
def test_text_that_cannot_be_meant_is_refused(text: str, part: str) -> None:
    with pytest.raises(SettingsError, match=part) as raised:
        Query.parse(text)
    assert "\n" not in str(raised.value)


def test_queries_describe_themselves() -> None:
    queries = [Query.parse("ANT"), Query.parse("source_id=x"), ANY_EEG]
    assert describe_all(queries) == "name 'ANT' or source id 'x' or type 'EEG'"


def test_one_of_several_queries_is_enough() -> None:
    queries = [Query.parse("ANT"), ANY_AUDIO]
    assert matches_any(queries, sent("ANT", "EEG", ""))
    assert matches_any(queries, sent("x", "audio", ""))
    assert not matches_any(queries, sent("x", "EEG", ""))
    assert not matches_any([], sent("ANT", "EEG", ""))


def test_a_query_is_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        ANY_EEG.value = "x"  # type: ignore[misc]
