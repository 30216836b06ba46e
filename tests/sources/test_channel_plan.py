"""Which channels of a stream are used: EEG, and EOG under names that say so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rtaffect.common.errors import StreamError
from rtaffect.common.montage import is_eog
from rtaffect.sources.channel_plan import plan_eeg
from rtaffect.sources.polled import _recorded
from rtaffect.stream.source import StreamHeader

LABELS = ("Fp1", "EXG1", "Cz", "Status")
SENT = StreamHeader("s", "EEG", 250.0, "float32", LABELS, ("uV", "mV", "uV", ""), ("EEG", "EOG", "EEG", "misc"))


def test_eyes_come_behind_the_eeg_in_volts():
    plan = plan_eeg(SENT)
    assert plan.names == ("Fp1", "Cz", "EOG EXG1")
    np.testing.assert_allclose(plan.apply(np.array([[1.0, 2.0, 3.0, 4.0]])), [[1e-6, 3e-6, 2e-3]])


def test_eyes_without_a_unit_have_that_of_the_eeg():
    plan = plan_eeg(replace(SENT, units=("uV", "", "uV", "")))
    np.testing.assert_allclose(plan.scale, 1e-6)


@pytest.mark.parametrize(
    ("given", "names"),
    [
        (("A", "B"), ("A", "B")),
        (("A", "X", "B"), ("A", "B", "EOG X")),
        (("A", "HEOG", "B", "C"), ("A", "B", "HEOG")),
    ],
)
def test_names_may_be_given_of_the_eeg_of_all_in_use_or_of_all(given, names):
    assert plan_eeg(SENT, channels=given).names == names


def test_a_wrong_number_of_names():
    with pytest.raises(StreamError, match="3 channels but 5 names"):
        plan_eeg(SENT, channels=tuple("ABCDE"))


def test_what_is_recorded_of_a_device_has_all_that_it_sends():
    """Also what is left out; and its replay leaves out the same."""
    sent = StreamHeader("buffer", "EEG", 250.0, "float32", ("Status", "HEOG", "a", "b")).uniform("uV")
    plan = plan_eeg(sent, channels=("Fz", "Cz"), profile="none")
    recorded = _recorded(sent, plan, "uV")
    assert recorded.labels == ("Status", "HEOG", "Fz", "Cz")
    again = plan_eeg(recorded, profile="none")
    assert (again.columns, again.names) == (plan.columns, plan.names)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("EOG", True), ("heog", True), ("VEOG 2", True), ("EOG1", True), ("EEG VEOG-REF", True), ("REOG", True),
     ("Fp1", False), ("Oz", False), ("TEOG", False), ("GEOGRAPHY", False)],
)  # fmt: skip
def test_eye_channels_by_name(name, expected):
    assert is_eog(name) == expected
