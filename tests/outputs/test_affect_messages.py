"""Valence and arousal by OSC: what python-osc, as another program would use it, reads of them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pythonosc.osc_bundle import OscBundle

from rtaffect.affect.values import AffectEstimate, AffectValues, NearSound
from rtaffect.outputs.affect_messages import affect_messages
from rtaffect.outputs.osc import OscSender
from rtaffect.outputs.osc_messages import step_bundles
from rtaffect.stream.doubt import Doubt
from tests.support.fake_feedback import fake_session

VALUES = AffectValues(
    "cap 1",
    eeg=AffectEstimate(novelty=1.7, reason="the EEG is too far"),
    sound=AffectEstimate(-0.25, 0.5, 0.4, 0.75, 0.625),
    both=AffectEstimate(reason="the EEG is too far"),
    nearest=(NearSound("storm.wav", 0.875), NearSound("crowd.ogg", -0.5)),
)
STEP = replace(fake_session(14)[-1], affect=(VALUES, replace(VALUES, person="cap_1")), doubts=())


def said(feedback) -> dict[str, list]:
    """Return what is sent of a step's affect, by address, in the order in which it comes."""
    found: dict[str, list] = {}
    for packet in step_bundles(affect_messages(feedback), feedback.step, 1e9):
        for message in OscBundle(packet):
            found[message.address.removeprefix("/rtaffect/affect/")] = message.params
    return found


def test_each_source_has_its_values_or_why_there_are_none():
    found = said(STEP)
    assert found["trusted/sound/cap_1"] == [1]
    told = {q: found[f"{q}/sound/cap_1"] for q in ("valence", "arousal", "valence_high", "arousal_high", "novelty")}
    assert told == {
        "valence": [-0.25], "arousal": [0.5], "valence_high": [pytest.approx(0.4)], "arousal_high": [0.75],
        "novelty": [0.625],
    }  # fmt: skip
    assert "reason/sound/cap_1" not in found
    assert (found["trusted/eeg/cap_1"], found["reason/eeg/cap_1"]) == ([0], ["the EEG is too far"])
    assert found["novelty/eeg/cap_1"] == [pytest.approx(1.7)]
    assert not {each for each in found if each.startswith(("valence", "arousal")) and "/sound/" not in each}
    assert found["nearest/cap_1"] == ["storm.wav", 0.875, "crowd.ogg", -0.5]
    assert found["trusted/sound/cap_1-2"] == [1], "two headsets stay apart"
    order = list(found)
    assert order.index("trusted/sound/cap_1") < order.index("valence/sound/cap_1")


def test_a_late_step_has_no_value_and_a_session_without_affect_says_nothing():
    late = replace(STEP, doubts=(Doubt("late", 1.0, 2.0, "the step came late", "step"),))
    found = said(late)
    assert found["trusted/sound/cap_1"] == [0]
    assert found["reason/sound/cap_1"] == ["the step came late"]
    assert not {each for each in found if each.startswith(("valence", "arousal", "nearest"))}
    assert affect_messages(replace(STEP, affect=())) == []


def test_it_goes_out_with_the_step(monkeypatch):
    packets: list[bytes] = []
    monkeypatch.setattr(OscSender, "_send", lambda self, packet: packets.append(packet))
    sender = OscSender([], lambda: 0.0, pytest.fail)
    sender(STEP)
    sender.close()
    addresses = [message.address for packet in packets for message in OscBundle(packet)]
    assert "/rtaffect/affect/valence/sound/cap_1" in addresses
    assert addresses[-1] == "/rtaffect/end"
