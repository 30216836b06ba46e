"""What a stream says of itself, whoever sends it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rtaffect.stream.source import StreamHeader

BARE = StreamHeader("Cap", "EEG", 250.0, "float32", ("", ""), source_id="cap-1", host="lab-1", uid="u")


def test_every_channel_has_a_unit_and_a_type_if_only_an_empty_one():
    assert BARE.channels == 2
    assert (BARE.units, BARE.types, BARE.unit) == (("", ""), ("", ""), "")


def test_a_description_says_of_each_channel_what_it_can():
    found = BARE.described([{"label": " Fz ", "unit": "uV"}, {"label": "Cz", "unit": "mV", "type": "EEG"}], "<info/>")
    assert found == replace(BARE, labels=("Fz", "Cz"), units=("uV", "mV"), types=("", "EEG"), xml="<info/>")
    assert found.unit == "uV/mV"


@pytest.mark.parametrize("channels", [[], [{"label": "Fz"}], [{"label": "Fz"}] * 3])
def test_a_description_of_another_number_of_channels_says_nothing(channels):
    assert BARE.described(channels, "<info/>") == replace(BARE, xml="<info/>")


def test_channels_may_all_be_of_one_unit():
    found = BARE.uniform("uV")
    assert (found.units, found.types, found.unit) == (("uV", "uV"), ("EEG", "EEG"), "uV")


def test_a_stream_is_the_same_after_a_restart_of_its_sender_and_another_type_of_one_device_is_not():
    assert replace(BARE, uid="v", host="lab-2").identity == BARE.identity
    assert replace(BARE, type="Accelerometer").identity != BARE.identity
    unnamed = replace(BARE, source_id="")
    assert replace(unnamed, uid="v").identity == unnamed.identity
    assert replace(unnamed, host="lab-2").identity != unnamed.identity
