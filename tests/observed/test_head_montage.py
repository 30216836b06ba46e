"""Electrode names as headsets write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtaffect.common.errors import MontageError
from rtaffect.common.montage import ALIASES, KNOWN, STANDARD, known_name, known_names, nearest
from rtaffect.common.regions import GROUPS, LABELS, LOBES, REGIONS, groups_of, lobe_of


@pytest.mark.parametrize(
    ("written", "place"),
    [
        ("EEG Fp1-REF", "Fp1"),
        ("EEG FPZ-LE", "Fpz"),
        ("eeg:cz", "Cz"),
        ("Fc5.", "FC5"),
        ("T3", "T7"),
        ("t4", "T8"),
        ("EEG T5-A1", "P7"),
        ("T6", "P8"),
        (" oz ", "Oz"),
        ("C3-M2", "C3"),
        ("TPP9H", "TPP9h"),
        ("EEG 001", None),
        ("Fp1-F7", None),
        ("A1", None),
        ("EOG", None),
        ("EEG", None),
        ("", None),
    ],
)
def test_names_as_recorders_write_them(written, place):
    assert known_name(written) == place


@given(st.sampled_from(KNOWN), st.sampled_from(["{}", "EEG {}", "EEG {}-Ref", "{}-LE", "EEG_{}", "{}."]), st.booleans())
def test_every_known_place_is_found_in_any_case_and_dress(name, form, upper):
    written = form.format(name)
    assert known_name(written.upper() if upper else written.lower()) == name


def test_unknown_names_are_listed_with_the_nearest():
    with pytest.raises(MontageError) as raised:
        known_names(["Fp1", "Fq1", "EEG 001", "Cz"], "cap.txt")
    message = str(raised.value)
    assert "\n" not in message
    assert "cap.txt: 2 of 4 channels" in message
    assert "'Fq1' (near: F1, Fp1" in message
    assert "'EEG 001'" in message
    assert nearest("Fq1")[0] in {"F1", "Fp1"}


def test_two_names_of_one_place_are_refused():
    with pytest.raises(MontageError, match="T3, T7 are the same place"):
        known_names(["T3", "Cz", "T7"])


def test_the_standard_montages_are_known_and_nested():
    assert {name: len(set(channels)) for name, channels in STANDARD.items()} == {
        "1020-19": 19,
        "1010-32": 32,
        "1010-64": 64,
    }
    for channels in STANDARD.values():
        assert known_names(channels) == channels
        assert set(channels) <= set(STANDARD["1010-64"])
    assert set(ALIASES.values()) <= set(KNOWN)


def test_every_region_has_one_lobe_and_groups_name_regions():
    assert len(REGIONS) == len(set(REGIONS)) == 68
    assert sorted(label for labels in LOBES.values() for label in labels) == list(LABELS)
    assert all(set(labels) <= set(LABELS) for labels in GROUPS.values())
    assert lobe_of("insula-rh") == "insula"
    sets = groups_of(REGIONS)
    assert set(sets["temporal-lh"]) | set(sets["temporal-rh"]) == set(sets["temporal"])
    assert {"prefrontal", "temporal", "limbic"} <= set(sets)
