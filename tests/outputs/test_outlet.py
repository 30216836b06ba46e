"""The two LSL outlets, read as another program reads them."""

from __future__ import annotations

import dataclasses
import importlib.util
import math
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pylsl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtaffect import __version__
from rtaffect.engine.feedback import Feedback
from rtaffect.outputs.outlet import (
    FEEDBACK_STREAM,
    FeedbackOutlet,
    MarkerOutlet,
    feedback_channels,
    feedback_values,
    new_session_id,
)
from rtaffect.sources.lsl_streams import find_stream, read_info
from rtaffect.sources.selection import Query
from tests.support.fake_feedback import fake_session, region_rows
from tests.support.waiting import wait_for

ROOT = Path(__file__).parents[2]
ROWS = ("Fz", "Cz", "Pz")
SHA = "ab" * 32
ABOUT = {"bundle": "a study", "bundle_sha256": SHA, "window_s": 10, "mode": "live"}


def steps(count: int = 12) -> list[Feedback]:
    return fake_session(count, rows=ROWS)


def labels(of: Any) -> list[str]:
    return [channel.label for channel in feedback_channels(of)]


def connected(source_id: str) -> Any:
    """Return an inlet that gets everything from now on, with times as they were sent."""
    inlet = pylsl.StreamInlet(find_stream(Query("source_id", source_id), settle=0.0).handle, recover=False)
    inlet.open_stream(60.0)
    return inlet


def pulled(inlet: Any, count: int) -> tuple[np.ndarray, list[float]]:
    got = [inlet.pull_sample(timeout=60.0) for _ in range(count)]
    return np.array([sample for sample, _ in got]), [stamp for _, stamp in got]


@pytest.fixture
def outlet() -> Iterator[FeedbackOutlet]:
    made = FeedbackOutlet(steps()[0], about=ABOUT)
    yield made
    made.close()


def test_the_channels_are_named_and_ordered() -> None:
    channels = feedback_channels(SimpleNamespace(rows=("Fz", "Cz"), row_kinds=("channel", "channel")))
    assert [channel.label for channel in channels] == [
        *("predicted/Fz", "predicted/Cz", "observed/Fz", "observed/Cz"),
        *("predicted/mean", "observed/mean", "null_low/mean", "null_high/mean", "trusted/mean"),
        *("null_low/Fz", "null_low/Cz", "null_high/Fz", "null_high/Cz", "trusted/Fz", "trusted/Cz"),
    ]
    assert {(channel.quantity, channel.unit) for channel in channels} == {
        *((quantity, "correlation") for quantity in ("predicted", "observed", "null_low", "null_high")),
        ("trusted", "fraction"),
    }
    assert {channel.kind for channel in channels} == {"channel", "mean"}


def test_rows_of_one_name_are_told_apart_by_their_kind() -> None:
    rows = ("limbic", "insula-lh", "limbic", "mean")
    found = labels(SimpleNamespace(rows=rows, row_kinds=("zone", "region", "group", "region")))
    assert found[:4] == [
        *("predicted/limbic (zone)", "predicted/insula-lh", "predicted/limbic (group)", "predicted/mean (region)")
    ]


@given(st.lists(st.tuples(st.sampled_from(["a", "a (k)", "a (k) #2", "mean"]), st.sampled_from("kl")), max_size=7))
def test_no_two_labels_are_the_same(rows: list[tuple[str, str]]) -> None:
    of = SimpleNamespace(rows=tuple(row for row, _ in rows), row_kinds=tuple(kind for _, kind in rows))
    found = labels(of)
    assert len(set(found)) == len(found) == 5 * len(rows) + 5
    assert found.count("observed/mean") == 1


def test_the_values_stand_under_their_labels() -> None:
    for feedback in steps():
        values = dict(zip(labels(feedback), feedback_values(feedback), strict=True))
        for i, row in enumerate(ROWS):
            for quantity in ("predicted", "observed", "null_low", "null_high", "trusted"):
                np.testing.assert_equal(values[f"{quantity}/{row}"], float(getattr(feedback, quantity)[i]))
        np.testing.assert_equal(values["predicted/mean"], feedback.predicted_mean)
        np.testing.assert_equal(values["observed/mean"], feedback.observed_mean)
        np.testing.assert_equal(values["null_low/mean"], feedback.null_mean_low)
        np.testing.assert_equal(values["null_high/mean"], feedback.null_mean_high)
        assert values["trusted/mean"] == feedback.trusted.mean()


def test_of_the_zones_that_the_mean_is_over_the_trusted_share_counts() -> None:
    feedback = fake_session(12, rows=region_rows())[-1]
    zones = np.array(feedback.row_kinds) == "zone"
    trusted = np.zeros(len(zones), np.bool_)
    trusted[np.flatnonzero(zones)[:6]] = True
    values = dict(zip(labels(feedback), feedback_values(dataclasses.replace(feedback, trusted=trusted)), strict=True))
    assert values["trusted/mean"] == 6 / zones.sum()


def test_nothing_tells_what_the_participant_is_shown() -> None:
    named = " ".join(labels(steps()[0])).lower()
    assert not re.search(r"level|shown|arm|success", named)


def test_another_program_gets_every_step_with_its_own_time(outlet: FeedbackOutlet) -> None:
    assert not outlet._outlet.have_consumers()
    inlet = connected(f"{FEEDBACK_STREAM}-{outlet.session}")
    session = steps()
    for feedback in session:
        outlet(feedback)
    values, stamps = pulled(inlet, len(session))
    assert stamps == [feedback.lsl_time for feedback in session]
    np.testing.assert_array_equal(values, [feedback_values(feedback) for feedback in session])
    assert np.isnan(values[0][: 2 * len(ROWS)]).all()
    assert np.isfinite(values[-1]).any()


def test_the_stream_describes_itself(outlet: FeedbackOutlet) -> None:
    info = read_info(find_stream(Query("source_id", f"{FEEDBACK_STREAM}-{outlet.session}"), settle=0.0))
    assert (info.name(), info.type(), info.nominal_srate()) == ("rtaffect-feedback", "Feedback", 0.0)
    assert info.channel_format() == pylsl.cf_double64
    channels = feedback_channels(steps()[0])
    assert info.get_channel_labels() == [channel.label for channel in channels]
    assert info.get_channel_units() == [channel.unit for channel in channels]
    assert info.get_channel_types() == [channel.quantity for channel in channels]
    first = info.desc().child("channels").child("channel")
    assert (first.child_value("row"), first.child_value("kind")) == ("Fz", "channel")
    said = info.desc().child("rtaffect")
    message = {key: said.child_value(key) for key in (*ABOUT, "version", "session")}
    assert message == {**{k: str(v) for k, v in ABOUT.items()}, "version": __version__, "session": outlet.session}


def test_without_rows_the_stream_appears_with_the_first_step() -> None:
    outlet = FeedbackOutlet()
    outlet(steps()[0])
    inlet = connected(f"{FEEDBACK_STREAM}-{outlet.session}")
    outlet(steps()[-1])
    _, stamps = pulled(inlet, 1)
    assert stamps == [steps()[-1].lsl_time]
    outlet.close()
    with pytest.raises(pylsl.util.LostError):
        inlet.pull_sample(timeout=60.0)
    outlet(steps()[-1])
    outlet.close()


def test_two_sessions_are_told_apart_and_markers_come_with_their_times() -> None:
    mine, other = new_session_id(), new_session_id()
    assert mine != other
    one, two = MarkerOutlet(session=mine, about={"mode": "demo"}), MarkerOutlet(session=other)
    inlet = connected(f"rtaffect-markers-{mine}")
    two.send("block/1/rest/begin", 3.0)
    sent = [
        ("block/2/feedback/begin", 1234.5),
        ("stimulus/\N{LATIN SMALL LETTER U WITH DIAERESIS}b.wav/begin", 1235.25),
    ]
    for text, at in sent:
        one.send(text, at)
    got = [inlet.pull_sample(timeout=60.0) for _ in sent]
    assert [(texts[0], stamp) for texts, stamp in got] == sent
    info = read_info(find_stream(Query("source_id", f"rtaffect-markers-{mine}"), settle=0.0))
    assert (info.name(), info.type(), info.nominal_srate()) == ("rtaffect-markers", "Markers", 0.0)
    assert info.desc().child("rtaffect").child_value("mode") == "demo"
    for outlet in (one, two, one):
        outlet.close()
    one.send("nobody hears it", 1.0)


def test_the_zero_of_the_clock_is_a_time_too() -> None:
    outlet = MarkerOutlet()
    inlet = connected(f"rtaffect-markers-{outlet.session}")
    outlet.send("session/begin", 0.0)
    assert inlet.pull_sample(timeout=60.0)[1] == pytest.approx(0.0, abs=1e-6)
    outlet.close()


def test_a_name_that_xml_cannot_hold_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\['window s'\]; expected names of letters"):
        FeedbackOutlet(about={"window s": 10})


@pytest.fixture
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("psychopy_ring", ROOT / "docs" / "examples" / "psychopy_ring.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_psychopy_example_reads_the_stream(example: ModuleType, outlet: FeedbackOutlet) -> None:
    results = example.Results(example.find_stream(f"{FEEDBACK_STREAM}-{outlet.session}", wait_s=0.7))
    assert results.bundle == SHA
    assert not results.update()
    assert results.age_s > example.STALE_S
    assert example.level_of(results.values) is None
    for feedback in steps():
        outlet(feedback)
    wait_for(lambda: results.update() and results.stamp == feedback.lsl_time)
    assert results.values["observed/Fz"] == feedback.observed[0]
    assert results.age_s < example.STALE_S
    expected = (feedback.observed_mean - feedback.null_mean_high) / (example.FULL - feedback.null_mean_high)
    assert example.level_of(results.values) == pytest.approx(min(max(expected, 0), 1))
    with pytest.raises(SystemExit, match=f"found: {FEEDBACK_STREAM}-{outlet.session} on "):
        example.find_stream("another", wait_s=0.7)


@pytest.mark.parametrize(
    ("observed", "null_high", "trusted", "level"),
    [(0.1, 0.1, 1, 0), (0.25, 0.1, 0.5, 0.5), (0.9, 0.1, 1, 1), (-0.5, 0.1, 1, 0), (0.25, 0.1, 0, None),
     (math.nan, 0.1, 1, None), (0.25, math.nan, 1, None), (0.25, 0.4, 1, None)],
)  # fmt: skip
def test_the_example_maps_values_to_levels(
    example: ModuleType, observed: float, null_high: float, trusted: float, level: float | None
) -> None:
    values = {"observed/mean": observed, "null_high/mean": null_high, "trusted/mean": trusted}
    assert example.level_of(values) == (None if level is None else pytest.approx(level))


def test_the_reader_in_the_document_runs(outlet: FeedbackOutlet, tmp_path: Path) -> None:
    text = (ROOT / "docs" / "network.md").read_text(encoding="utf-8")
    code = next(block for block in re.findall(r"^```python\n(.*?)^```", text, re.M | re.S) if "pull_sample" in block)
    (tmp_path / "reader.py").write_text(code, encoding="utf-8")
    command = [sys.executable, "-u", str(tmp_path / "reader.py")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ) as reader:
        try:
            assert reader.stdout is not None
            first = reader.stdout.readline()
            assert SHA[:12] in first
            while not outlet._outlet.have_consumers():
                time.sleep(0.01)
            outlet(steps()[-1])
            line = reader.stdout.readline()
        finally:
            reader.kill()
    assert f"observed {steps()[-1].observed_mean:.2f}  null band up to {steps()[-1].null_mean_high:.2f}" in line
