"""Values of own measures for other programs, over real LSL."""

from __future__ import annotations

import numpy as np
import pylsl

from rtaffect.outputs.measure_outlet import MeasureOutlet, measure_channels, measure_values
from rtaffect.outputs.outlet import new_session_id
from tests.support.fake_feedback import fake_session


def test_a_reader_gets_the_values_of_each_row_by_its_label() -> None:
    feedback = fake_session(30, measured=True)[-1]
    session = new_session_id()
    outlet = MeasureOutlet(feedback.measures, about={"mode": "live"}, session=session)
    try:
        (found,) = pylsl.resolve_byprop("source_id", f"rtaffect-measures-{session}", timeout=60)
        inlet = pylsl.StreamInlet(found)
        inlet.open_stream(timeout=60)
        outlet(feedback)
        values, time = inlet.pull_sample(timeout=60)
        labels = inlet.info().get_channel_labels()
    finally:
        outlet.close()
    step = dict(zip(labels, values, strict=True))
    plv, ratio, broken = feedback.measures
    assert step["value/plv 8-12 Hz/Fp1"] == plv.value[1]
    assert step["null_high/plv 8-12 Hz/mean"] == plv.null_high[0]
    assert step["value/ThetaAlpha/Pz"] == ratio.value[1]
    assert np.isnan(step["value/Broken/a"])
    assert time == feedback.lsl_time
    assert broken.trouble
    # A closed outlet sends nothing.
    outlet(feedback)


def test_channels_and_values_are_in_one_order() -> None:
    feedback = fake_session(30, measured=True)[-1]
    channels = measure_channels(feedback.measures)
    assert len(channels) == len(measure_values(feedback)) == 3 * sum(len(m.rows) for m in feedback.measures)
    assert len({each["label"] for each in channels}) == len(channels)
    assert {each["unit"] for each in channels if each["measure"] == "ThetaAlpha"} == {"ratio"}
