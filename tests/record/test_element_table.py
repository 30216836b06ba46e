"""What voice and background predict, as a table and as a stream."""

from __future__ import annotations

import numpy as np
import pylsl
import pytest

from rtaffect.outputs.element_outlet import ElementOutlet, element_channels, element_values
from rtaffect.outputs.outlet import new_session_id
from rtaffect.record.element_table import ELEMENT_COLUMNS, element_lines
from tests.support.fake_feedback import fake_session, region_rows


def test_the_table_has_each_element_row_and_mean():
    step = fake_session(83, elements=True)[-1]
    lines = [dict(zip(ELEMENT_COLUMNS, line, strict=True)) for line in element_lines(step)]
    assert len(lines) == 2 * (len(step.rows) + 1)
    voice = [line for line in lines if line["element"] == "voice"]
    assert {line["predicted"] for line in voice} == {"n/a"}
    assert {line["reason"] for line in voice} == {"no voice heard"}
    assert {line["level_db"] for line in voice} == {"-120.000000"}
    background = {line["row"]: line for line in lines if line["element"] == "background"}
    assert background["Cz"]["predicted"] == f"{step.elements[1].predicted[step.rows.index('Cz')]:.6f}"
    assert background["mean"]["predicted_high"] == f"{step.elements[1].mean_high:.6f}"
    assert background["mean"]["kind"] == step.mean_of
    assert background["Cz"]["reason"] == "n/a"
    assert element_lines(fake_session(12)[-1]) == []


@pytest.mark.parametrize("rows", [None, region_rows()])
def test_channels_and_values_are_in_one_order(rows):
    step = fake_session(60, elements=True, **({} if rows is None else {"rows": rows}))[-1]
    channels, values = element_channels(step, ("voice", "background")), element_values(step)
    assert len(channels) == len(values) == 2 * (3 * (len(step.rows) + 1) + 1)
    labels = [channel["label"] for channel in channels]
    assert len(set(labels)) == len(labels)
    found = dict(zip(labels, values, strict=True))
    assert found["predicted/background/mean"] == step.elements[1].mean
    assert found["predicted_low/voice/mean"] == step.elements[0].mean_low
    assert found["level/voice"] == step.elements[0].level_db
    of_voice = [each["element"] == "voice" and each["type"] == "predicted" for each in channels]
    np.testing.assert_array_equal(values[of_voice][:-1], step.elements[0].predicted)
    assert element_values(fake_session(12)[-1]).size == 0


def test_a_reader_gets_the_values_by_their_labels():
    step, session = fake_session(60, elements=True)[-1], new_session_id()
    outlet = ElementOutlet(step, ("voice", "background"), about={"mode": "live"}, session=session)
    try:
        (found,) = pylsl.resolve_byprop("source_id", f"rtaffect-elements-{session}", timeout=60)
        inlet = pylsl.StreamInlet(found)
        inlet.open_stream(timeout=60)
        outlet(step)
        values, time = inlet.pull_sample(timeout=60)
        labels = inlet.info().get_channel_labels()
    finally:
        outlet.close()
    found = dict(zip(labels, values, strict=True))
    assert found["predicted/voice/Cz"] == step.elements[0].predicted[step.rows.index("Cz")]
    assert time == step.lsl_time
    # A closed outlet sends nothing.
    outlet(step)
