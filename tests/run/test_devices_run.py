"""Devices through a whole session without an option: values are right, and who is missing is waited for or told."""

from __future__ import annotations

import numpy as np
import pytest

from rtaffect.common.errors import StreamError
from rtaffect.plan.analysis_plan import AnalysisPlan
from rtaffect.plan.eeg_plan import EegPlan
from rtaffect.run.assemble import build_engine
from rtaffect.run.live import find_headsets
from rtaffect.run.recognised import about_headsets, describe_headset
from rtaffect.simulation.device import Signal, SimulatedDevice, Wearer, header_of
from rtaffect.sources.device_profile import profile_called
from rtaffect.sources.selection import given_by
from rtaffect.sources.xdf import XdfRecording
from tests.support.xdf_writer import FakeStream, image


def two_people(tmp_path, profile, wearers, seconds=30):
    """Write what two people's devices send as a recording, and return its sources."""
    n = round(seconds * profile.sends.rate)
    streams = []
    for number, wearer in enumerate(wearers, 1):
        header = header_of(profile, name=f"{profile.sends.name}-{number}", source_id=f"id-{number}")
        streams.append(
            FakeStream(
                Signal(profile, wearer)(0, n),
                1000.0 + np.arange(n) / header.rate,
                header.name,
                rate=header.rate,
                format="double64",
                labels=header.labels,
                unit=header.units,
                kinds=header.types,
                source_id=header.source_id,
            )
        )
    (tmp_path / "two.xdf").write_bytes(image(streams).data)
    return XdfRecording.open(tmp_path / "two.xdf").eeg_sources(**given_by(EegPlan()))


def values_of(people, steps):
    engine = build_engine(people, people[0].first, sound=None, model=None, analysis=AnalysisPlan())
    found = []
    for step in range(1, steps + 1):
        for person in people:
            person.advance(engine.end_of(step) + 1.0)
        found.append(engine.step(engine.end_of(step) + 1.0))
    return found[-1], np.array([each.observed_mean for each in found])


def test_two_emotivs_that_share_nothing_have_nothing_in_common(tmp_path):
    """Their counters, stamps and markers are the same, and are declared as EEG."""
    people = two_people(tmp_path, profile_called("emotiv"), (Wearer(1, 0.0), Wearer(2, 0.0)))
    last, mean = values_of(people, 28)
    assert abs(np.nanmean(mean)) < 0.03
    assert len(last.observed) == 14
    notes = about_headsets(people)
    out = "Timestamp (timestamp), Counter (counter), Interpolate (quality), HardwareMarker and Markers (trigger)"
    assert f"EmotivDataStream-EEG-1, EmotivDataStream-EEG-2: left out, being no EEG: {out}" in notes
    assert describe_headset(people[0])["profile"] == "emotiv"
    assert "Counter (counter)" in describe_headset(people[0])["left_out"]


def test_two_that_share_have_what_they_share(tmp_path):
    people = two_people(tmp_path, profile_called("emotiv"), (Wearer(1, 0.4), Wearer(2, 0.4)))
    _, mean = values_of(people, 28)
    assert np.nanmean(mean) == pytest.approx(0.4, abs=0.08)


def test_a_counter_under_a_harmless_name_is_no_row_of_value(tmp_path):
    profile = profile_called("petal")
    harmless = profile.model_copy(
        update={
            "sends": profile.sends.model_copy(
                update={"channels": ("TP9", "AF7", "AF8", "TP10", "Inner"), "labelled": True, "name": "Some head"}
            ),
            "kinds": {"Inner": "counter"},
        }
    )
    n = 18 * 256
    streams = []
    for number in (1, 2):
        header = header_of(harmless, name=f"Some head {number}", source_id=f"id-{number}")
        values, stamps = Signal(harmless, Wearer(number, 0.0))(0, n), 1000.0 + np.arange(n) / 256
        streams.append(
            FakeStream(values, stamps, header.name, rate=256.0, labels=header.labels, source_id=f"h{number}")
        )
    (tmp_path / "two.xdf").write_bytes(image(streams).data)
    people = XdfRecording.open(tmp_path / "two.xdf").eeg_sources()
    assert people[0].info.channels[-1] == "Inner"
    last, mean = values_of(people, 16)
    assert np.isnan(last.observed[-1])
    assert np.isfinite(last.observed[:4]).all()
    assert abs(np.nanmean(mean)) < 0.1
    assert "Inner counts by one step" in last.reason


def test_who_is_missing_is_told_or_joins_later():
    profile = profile_called("crown")
    with SimulatedDevice(profile, name="Crown-there", source_id="there"):
        eeg = EegPlan(streams=("Crown-there", "Crown-away"), wait_s=1.5)
        with pytest.raises(StreamError, match="name 'Crown-away' answered within"):
            find_headsets(eeg)
        found = find_headsets(eeg.model_copy(update={"allow_missing": True}))
        here, away = (source for source, _, _ in found)
        away.start()
        try:
            assert away.status(0.0).state == "expected"
            assert away.info.channels == here.info.channels
            with SimulatedDevice(profile, Wearer(2), name="Crown-away", source_id="away"):
                for _ in range(100):
                    if away.status(0.0).state != "expected":
                        break
                    away._worker.wait(0.1)
            assert away.status(0.0).state != "expected"
        finally:
            away.stop()
            here.stop()
