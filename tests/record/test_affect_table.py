"""What affect.tsv, affect_baseline.tsv and the LSL stream of affect say of a step."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rtaffect.affect.values import AffectEstimate, AffectValues, NearSound
from rtaffect.outputs.affect_outlet import affect_channels, affect_values
from rtaffect.record.affect_table import AFFECT_COLUMNS, BASELINE_COLUMNS, affect_lines, baseline_lines
from rtaffect.stream.doubt import Doubt
from tests.support.fake_feedback import fake_session

GOOD = AffectValues(
    "A",
    eeg=AffectEstimate(0.25, -0.5, 0.6, 0.3, 0.4),
    sound=AffectEstimate(novelty=1.5, reason="too\tfar"),
    both=AffectEstimate(reason="too far"),
    nearest=(NearSound("a\nb.wav", 0.75), NearSound("c.wav", 0.5)),
    baseline_s=58.0,
)


def step(**changed: object):
    return replace(fake_session(3)[-1], affect=(GOOD, AffectValues("B")), **changed)


def test_there_is_a_line_for_each_person_and_source():
    lines = affect_lines(step())
    assert [line[2:4] for line in lines] == [(p, s) for p in ("A", "B") for s in ("eeg", "sound", "both")]
    assert {len(line) for line in lines} == {len(AFFECT_COLUMNS)}
    first = dict(zip(AFFECT_COLUMNS, lines[0], strict=True))
    assert (first["valence"], first["arousal_high"], first["reason"]) == ("0.250000", "0.300000", "n/a")
    assert (first["near_1"], first["similarity_1"], first["near_3"]) == ("a b.wav", "0.750000", "n/a")
    second = dict(zip(AFFECT_COLUMNS, lines[1], strict=True))
    assert (second["valence"], second["novelty"], second["near_1"]) == ("n/a", "1.500000", "n/a")
    assert "\t" not in second["reason"]


def test_a_rest_has_a_line_for_each_channel_and_band():
    means = np.array([[-11.0, np.nan], [-12.5, -13.0]])
    lines = baseline_lines({"A": means}, ("Fz", "Cz"), ("theta", "alpha"))
    assert {len(line) for line in lines} == {len(BASELINE_COLUMNS)}
    assert [line[-1] for line in lines] == ["-11.000000", "n/a", "-12.500000", "-13.000000"]


def test_the_stream_has_a_channel_for_each_value_and_none_of_a_step_that_is_late():
    channels, values = affect_channels(("A", "B")), affect_values(step(doubts=()))
    assert len(channels) == len(values) == 2 * 3 * 5
    by_label = dict(zip([c["label"] for c in channels], values, strict=True))
    assert by_label["valence/eeg/A"] == 0.25
    assert by_label["novelty/sound/A"] == 1.5
    assert np.isnan(by_label["valence/sound/A"])
    late = affect_values(step(doubts=(Doubt("late", 1.0, 2.0, "too late", "step"),)))
    assert np.isnan(late[:4]).all()
