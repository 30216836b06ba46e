"""Whose a stream of peripheral signals is: named, or plain, or told not to be known."""

from __future__ import annotations

import pytest

from rtaffect.common.errors import SettingsError
from rtaffect.sources.peripheral import Asked, Device, Owner, Worn, owners, whose
from rtaffect.sources.selection import Query
from rtaffect.stream.source import StreamHeader

A, B = Worn("Muse-A", "Muse-A", "muse-1", "lab-1"), Worn("Muse-B", "Muse-B", "muse-2", "lab-1")


def device(name: str, source_id: str = "", host: str = "lab-1", kind: str = "eda", person: str = "") -> Device:
    header = StreamHeader(name, "EDA", 25.0, "float32", ("EDA",), source_id=source_id, host=host)
    return Device(header, frozenset({kind}), person)


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("Shimmer-1", Asked(Query("name", "Shimmer-1"))),
        ("type=EDA", Asked(Query("type", "EDA"))),
        ("Muse-A=Shimmer-1", Asked(Query("name", "Shimmer-1"), "Muse-A")),
        ("Muse-A=source_id=s1", Asked(Query("source_id", "s1"), "Muse-A")),
        ("name=a=b", Asked(Query("name", "a=b"))),
    ],
)
def test_what_is_asked_for(text, asked):
    assert Asked.parse(text) == asked


@pytest.mark.parametrize("text", ["=Shimmer", "Muse-A=", "", "Muse-A=name="])
def test_what_is_no_query_is_refused(text):
    with pytest.raises(SettingsError):
        Asked.parse(text)


@pytest.mark.parametrize(
    ("devices", "worn", "expected"),
    [
        ([device("x")], [A], [Owner("Muse-A", "the only headset")]),
        ([device("x", person="muse-2")], [A, B], [Owner("Muse-B", "option")]),
        ([device("x", "muse-2")], [A, B], [Owner("Muse-B", "source_id")]),
        ([device("Shimmer b"), device("Shimmer a")], [A, B], [Owner("Muse-B", "name"), Owner("Muse-A", "name")]),
        ([device("x", host="lab-2")], [A, B._replace(host="lab-2")], [Owner("Muse-B", "computer")]),
        # What a board sends is of who wears the board, also where another one is named for what is called so.
        (
            [device("cyton aux", "brainflow:cyton", person="Muse-A")],
            [A, B._replace(source_id="brainflow:cyton")],
            [Owner("Muse-B", "board")],
        ),
        # Nothing tells, or two things contradict each other, or one person would wear two of a kind.
        ([device("x")], [A, B], [Owner()]),
        ([device("Shimmer3")], [A._replace(name="Muse 3"), B], [Owner()]),
        ([device("Shimmer A", host="lab-2")], [A, B._replace(host="lab-2")], [Owner()]),
        ([device("x", host="lab-2"), device("y", host="lab-2")], [A, B._replace(host="lab-2")], [Owner(), Owner()]),
        ([device("x A"), device("y A", kind="ecg")], [A, B], [Owner("Muse-A", "name"), Owner("Muse-A", "name")]),
    ],
)
def test_whose_it_is(devices, worn, expected):
    assert owners(devices, worn) == expected


def test_who_wears_no_headset_is_refused_and_what_is_not_known_is_told():
    with pytest.raises(SettingsError, match="--peripheral Muse-C: no headset is called that; expected one of Muse-A"):
        owners([device("x", person="Muse-C")], [A, B])
    devices = [device("Shimmer A"), device("x")]
    first, second = whose(owners(devices, [A, B]), devices)
    assert first == "Shimmer A: taken for what Muse-A wears, by its name"
    assert "not known" in second
    assert "PERSON=x" in second
