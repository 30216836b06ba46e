"""What the page is told: nothing that is withheld, nothing that unblinds, nothing that JSON cannot say."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from rtaffect.engine.feedback import Feedback
from rtaffect.present.page_state import block_told, now_told, rows_told, step_told
from rtaffect.present.protocol_state import for_operator
from rtaffect.present.time_courses import QUANTITIES
from tests.support.fake_affect import with_affect
from tests.support.fake_feedback import PEOPLE, fake_protocol_step, fake_session, region_rows
from tests.support.fake_rated import fake_rated_session


@pytest.fixture
def step() -> Feedback:
    return fake_session(40)[-1]


def told(f: Feedback) -> dict:
    """All that is told of a step, as it is read at the other end."""
    return json.loads(json.dumps([rows_told(f), step_told(f), now_told(f)], allow_nan=False))


def test_values_are_those_of_the_step(step: Feedback) -> None:
    rows, values, now = told(step)
    assert [row["title"] for row in rows["rows"]][:2] == ["Channel Fp1", "Channel Fp2"]
    trusted = np.flatnonzero(step.trusted)
    assert len(trusted) == 23
    for name in QUANTITIES:
        assert [values[name][i] for i in trusted] == pytest.approx(getattr(step, name)[trusted], abs=6e-5)
    assert values["mean"]["observed"] == pytest.approx(step.observed_mean, abs=6e-5)
    assert values["mean"]["null_high"] == pytest.approx(step.null_mean_high, abs=6e-5)
    assert now["trusted"] == [23, 24, 24]
    assert now["why"] == ["F7 has too little good data"]
    assert now["headline"] == ["running", "good", ""]
    poor = {each["name"]: each["poor_count"] for each in now["quality"]}
    assert poor["Muse-3B91"] == 5


def test_what_is_not_trusted_is_withheld_whatever_value_it_has(step: Feedback) -> None:
    doubted = replace(step, trusted=np.zeros_like(step.trusted), reason="it is late; the sound is lost")
    _, values, now = told(doubted)
    assert all(set(values[name]) == {None} for name in QUANTITIES)
    assert set(values["mean"].values()) == {None}
    assert now["why"] == ["it is late", "the sound is lost"]
    assert now["withheld"] == list(range(24))


def test_the_band_of_the_mean_is_told_only_where_it_is_of_the_same_rows(step: Feedback) -> None:
    assert not step.trusted[2]
    assert math.isnan(step.observed[2])
    assert step_told(step)["mean"]["null_low"] is not None, "the row that is not trusted has no part in the mean"
    assert step_told(step)["mean"]["predicted_low"] is None, "its prediction has"
    observed = step.observed.copy()
    observed[2] = 0.3
    mean = step_told(replace(step, observed=observed))["mean"]
    assert mean["null_low"] is mean["null_high"] is None
    assert mean["observed"] is not None


def test_rows_that_are_not_told_apart_say_so() -> None:
    f = fake_session(40, rows=region_rows())[-1]
    rows, values, _ = told(f)
    apart = [row["apart"] for row in rows["rows"]]
    assert 8 < sum(apart) < 20
    assert not any(values["observed"][i] is not None for i, each in enumerate(apart) if not each)
    assert rows["order"][:8] == list(range(8)), "zones come first"
    assert rows["mean"] == "Mean over 8 zones"


def test_ratings_have_their_scale_and_no_mean() -> None:
    f = fake_rated_session(60)[-1]
    rows, values, now = told(f)
    assert values["mean"] is None
    assert rows["mean"] == ""
    assert len(rows["scales"]) == len(f.rows)
    assert now["headline"][0] in ("running", "waiting for data", "fault")


def test_affect_is_told_with_its_reason() -> None:
    for f in with_affect(fake_session(60), PEOPLE[:2], bad=(58, 60))[-3:]:
        _, _, now = told(f)
        assert [each["name"] for each in now["affect"]] == [each.person or "sound" for each in f.affect]
        for each, values in zip(now["affect"], f.affect, strict=True):
            assert bool(each["why"]) != (values.both.there or values.eeg.there or values.sound.there)


def test_all_numbers_and_texts_are_fit_to_be_sent(step: Feedback) -> None:
    odd = replace(
        step,
        people=("a\x1b[2Jb\u202e", *step.people[1:]),
        rows=("x" * 5_000, *step.rows[1:]),
        reason="; ".join(f"reason {i}" * 200 for i in range(500)),
        quality=np.full_like(step.quality, np.nan),
        predicted=np.full_like(step.predicted, np.inf),
    )
    rows, values, now = told(odd)
    assert set(values["predicted"]) == {None}
    assert len(json.dumps(now)) < 20_000
    assert len(rows["rows"][0]["title"]) <= 80
    assert now["quality"][0]["name"].isprintable()
    assert {each["mean"] for each in now["quality"]} == {None}


@pytest.mark.parametrize("number", [5, 30, 150])
def test_what_the_participant_is_shown_and_reads_is_not_told(number: int) -> None:
    shown = fake_protocol_step(number, level=0.123456)
    other = replace(fake_protocol_step(number, level=None), instruction="Imagine the sea.")
    assert block_told(for_operator(shown)) == block_told(for_operator(other))
    text = json.dumps(block_told(for_operator(shown)))
    assert "0.123456" not in text
    assert "level" not in text
    assert json.loads(text)["block"]
