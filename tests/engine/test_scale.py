"""Predictions on the scale of the people who are here, through the engine."""

from __future__ import annotations

import numpy as np
import pytest

from rtaffect.common.group_size import in_a_group_of
from rtaffect.engine.engine import Engine
from rtaffect.engine.scale import UNKNOWN_SIZE, among, fitted_people
from rtaffect.observed.reference import Reference
from rtaffect.observed.spaces import ChannelSpace
from rtaffect.observed.synchrony import RowLayout
from rtaffect.predicted.prediction import Prediction, Predictor
from rtaffect.predicted.sound_input import SoundInput
from tests.engine.test_engine import EEG_RATE, LEAD, ORIGIN, SETTINGS, group_eeg, headsets, loud_noise, run
from tests.support.helpers import BandFeaturizer, some_weights, sound_source

ZONE = RowLayout(1, np.array([[True, True]]), np.array([False, False, True]))


def test_how_many_people_a_calibration_had_is_by_who_was_there():
    group = np.random.default_rng(0).standard_normal((6, 400, 2))
    group[2:, 200:, 1] = np.nan
    group[1:, 300:, 1] = np.nan
    found = fitted_people([Reference.of(group)], np.arange(2), ZONE)
    # Row 1: 200 instants of six, 100 of two; the harmonic mean of the others, by instants of persons.
    others = 1400 / (200 * 6 / 5 + 100 * 2 / 1)
    assert found[0] == pytest.approx(6)
    assert found[1] == pytest.approx(1 + others)
    assert found[2] == pytest.approx(1 + (2400 + 1400) / (400 * 6 / 5 + 440))
    assert np.isnan(fitted_people([Reference.of(group[:1])], np.arange(2), ZONE)).all()


def test_the_value_follows_the_formula_and_the_interval_keeps_the_windows_own_error():
    z, low, high = np.array([0.1, 0.3, -0.05]), -0.15, 0.2
    given = Prediction(
        np.tanh(z), np.tanh(z + low), np.tanh(z + high), float(np.tanh(z[2])), float(np.tanh(z[2] + low)), 0.2
    )
    sizes = np.full(3, 14.0)
    for now in (2.0, 5.0, 14.0, 30.0):
        found = among(given, sizes, np.full(3, now), ZONE)
        np.testing.assert_allclose(found.value, in_a_group_of(given.value, 14, now))
        assert found.overall == pytest.approx(found.value[2]), "the zone is what counts"
        least = np.arctanh(found.value) + low, np.arctanh(found.value) + high
        mapped = in_a_group_of(given.low, 14, now), in_a_group_of(given.high, 14, now)
        np.testing.assert_allclose(found.low, np.minimum(np.tanh(least[0]), mapped[0]))
        np.testing.assert_allclose(found.high, np.maximum(np.tanh(least[1]), mapped[1]))
        if now == 14:
            np.testing.assert_allclose([*found.low, *found.high], [*given.low, *given.high])


def test_without_a_size_nothing_is_predicted():
    given = Prediction(np.full(3, 0.1), np.zeros(3), np.full(3, 0.2), 0.1, 0.0, 0.2)
    found = among(given, np.full(3, np.nan), np.full(3, 2.0), ZONE)
    assert np.isnan([*found.value, *found.low, *found.high, found.overall, found.overall_low]).all()
    assert "calibrate anew" in UNKNOWN_SIZE


def hearing_group(eeg: np.ndarray, fitted: np.ndarray | None) -> Engine:
    people, heard = headsets(eeg), sound_source(loud_noise(40), onset=ORIGIN)
    return Engine(
        people,
        ChannelSpace(people[0].info.channels),
        SETTINGS,
        ORIGIN,
        sound=heard,
        sound_input=SoundInput(heard, BandFeaturizer(context_s=4), ORIGIN),
        predictor=Predictor(some_weights(np.random.default_rng(1)), np.arange(2)),
        fitted_people=fitted,
    )


def test_in_a_session_the_prediction_is_for_those_who_are_here_now():
    """Four people of whom one is gone from second 20 on, against the same sound with as many people as calibrated."""
    eeg = group_eeg(4, 40, 0.5)
    eeg[3, round((LEAD + 20) * EEG_RATE) :] = np.nan
    as_fitted = run(hearing_group(eeg, np.full(2, 4.0)), steps=19)
    found = run(hearing_group(eeg, np.full(2, 15.0)), steps=38)
    before, after, whole = found[18], found[37], as_fitted[18]
    assert (before.group_size, whole.group_size) == (pytest.approx(4), pytest.approx(4))
    assert after.group_size == pytest.approx(3)
    assert 3 < found[24].group_size < 4
    np.testing.assert_allclose(before.predicted, in_a_group_of(whole.predicted, 15, 4))
    assert before.predicted_mean == pytest.approx(float(np.tanh(np.arctanh(before.predicted).mean())))
    assert not np.allclose(before.predicted, whole.predicted)
    assert found[0].group_size == 4, "while nothing is observed it is for all who are here"


def test_in_a_session_with_a_bundle_of_unknown_size_there_is_no_prediction_and_no_difference():
    (*_, found) = run(hearing_group(group_eeg(3, 40, 0.5), None), steps=35)
    assert np.isnan([*found.predicted, found.predicted_mean, found.predicted_mean_low]).all()
    assert np.isfinite(found.observed).all()
    assert found.trusted.all()
    assert UNKNOWN_SIZE in found.reason
    assert found.group_size == pytest.approx(3)
