"""Electrodes by bank and number are never taken for places of the 10-20 system."""

from __future__ import annotations

import pytest

from rtaffect.common.errors import MontageError
from rtaffect.common.montage import STANDARD, common_rows, known_name
from rtaffect.common.numbered_caps import by_number
from rtaffect.sources.channel_plan import Given, plan_of
from rtaffect.stream.source import StreamHeader


def cap(banks: str, last: int = 32) -> tuple[str, ...]:
    return tuple(f"{bank}{number}" for bank in banks for number in range(1, last + 1))


def header(labels: tuple[str, ...]) -> StreamHeader:
    n = len(labels)
    return StreamHeader("BioSemi", "EEG", 512.0, "float32", labels, ("microvolts",) * n, ("EEG",) * n)


@pytest.mark.parametrize("banks", ["ABCD", "ABCDE", "ABCDEFGH"])
def test_no_electrode_of_a_numbered_cap_is_a_place(banks: str) -> None:
    labels = cap(banks)
    assert known_name("C3") == "C3"  # which is why
    names, (told,) = by_number(labels)
    assert [name for name in names if known_name(name)] == []
    assert len(set(names)) == len(labels)
    assert f"{len(labels)} electrodes by BioSemi's numbers, A1 to {banks[-1]}32" in told
    assert "BioSemi C3" in told


def test_such_a_stream_has_no_row_of_a_bundle_by_place() -> None:
    """What was matched before: C3 and C4 of the cap, which lie elsewhere."""
    plan = plan_of(header(cap("ABCD")), Given())
    assert len(plan.names) == 128
    assert any("BioSemi's numbers" in words for words in plan.about.words)
    with pytest.raises(MontageError, match="no channel name is shared"):
        common_rows({"BioSemi": plan.names}, STANDARD["1020-19"])
    assert common_rows({"BioSemi": plan.names}, plan.names) == plan.names


def test_a_cap_in_the_10_10_system_is_named_by_its_montage() -> None:
    stream = header(cap("AB"))
    said = " ".join(plan_of(stream, Given()).about.words)
    assert "give 1010-64 as the names of its channels" in said
    plan = plan_of(stream, Given(channels=["1010-64"]))
    assert plan.names == STANDARD["1010-64"]
    assert "BioSemi's numbers" not in " ".join(plan.about.words)


@pytest.mark.parametrize(
    "labels",
    [
        STANDARD["1010-64"],
        (*STANDARD["1020-19"], "A1", "A2"),
        ("C1", "C2", "C3", "C4", "C5", "C6", "F1", "F2"),
        ("E1", "E2", "TP9", "TP10"),
    ],
)
def test_names_of_places_stay_as_they_are(labels: tuple[str, ...]) -> None:
    assert by_number(labels) == (labels, ())
