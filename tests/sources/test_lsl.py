"""Sources from real LSL outlets in child processes."""

import math
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid

import numpy as np
import pylsl
import pytest

from rtaffect.common.errors import StreamError
from rtaffect.simulation.headset import Blank, Drop, Reopen, SimulatedHeadset, Stall
from rtaffect.sources.lsl import REST_S, SHORT_REST_S, LslSource
from rtaffect.sources.lsl_streams import describe_streams, find_stream, find_streams
from rtaffect.sources.selection import ANY_EEG, Query
from tests.support.recording_tap import RecordingTap
from tests.support.waiting import wait_for

RATE = 250.0
NAMES = ("Fz", "Cz", "Pz", "Oz")
#: A difference of two times on this clock is as exact as the clock itself, s.
ROUNDED_S = 1e-9


def noise(seconds, channels=4, rate=RATE, volts=2e-5, seed=0):
    return np.random.default_rng(seed).normal(0, volts, (int(seconds * rate), channels))


def headset(samples=None, rate=RATE, channels=NAMES, **options):
    """Return a headset of a name that no other test has."""
    unique = uuid.uuid4().hex[:8]
    samples = noise(20, len(channels), rate) if samples is None else samples
    return SimulatedHeadset(f"Head {unique}", f"id-{unique}", samples, rate, channels, **options)


def found(simulated):
    return find_stream(Query("name", simulated.name), settle=0.2)


def state(source):
    return source.status(pylsl.local_clock()).state


@pytest.fixture
def connect():
    """Connect to a simulated headset; every source is stopped at the end, twice."""
    sources = []

    def start(simulated, **options):
        source = LslSource(found(simulated), **options)
        sources.append(source)
        source.start()
        wait_for(lambda: source.buffer.received)
        return source

    yield start
    for source in sources * 2:
        source.stop()


def received(source, onset, rate):
    """Return the samples and their numbers in what was sent, by their times.

    The clock offset is measured to some 30 us, half a sample of sound, so it is taken out again.
    """
    block = source.buffer.read(0, math.inf)
    return block.samples, np.round((block.times - onset - source.offsets[0][1]) * rate).astype(int)


def test_nothing_is_lost_and_microvolts_become_volts(connect):
    volts = noise(8, channels=64, rate=500.0)
    with headset(volts, 500.0, [f"E{i}" for i in range(64)]) as simulated:
        source = connect(simulated)
        # Between two looks a busy machine may do something else for a while.
        wait_for(lambda: source.buffer.received >= 1500 and source.status(pylsl.local_clock()).age_s < 0.2)
        status = source.status(pylsl.local_clock())
        samples, numbers = received(source, simulated.onset, 500.0)
    assert len(samples) >= 1500
    assert np.all(np.diff(numbers) == 1)
    np.testing.assert_allclose(samples, volts[numbers], rtol=1e-5, atol=1e-12)
    assert source.info.channels == tuple(f"E{i}" for i in range(64))
    assert (source.info.kind, source.info.origin, source.info.rate) == ("eeg", "lsl", 500.0)
    assert (status.state, status.gaps, status.clock_jumps, status.overruns) == ("ok", 0, 0, 0)


@pytest.mark.parametrize(("unit", "sample_format"), [("V", "double64"), ("nanovolts", "int32"), ("uV", "int16")])
def test_every_unit_and_number_format_arrives_in_volts(connect, unit, sample_format):
    volts = noise(8)
    with headset(volts, unit=unit, sample_format=sample_format) as simulated:
        source = connect(simulated)
        samples, numbers = received(source, simulated.onset, RATE)
    step = {"V": 0.0, "nanovolts": 1e-9, "uV": 1e-6}[unit]
    np.testing.assert_allclose(samples, volts[numbers], rtol=1e-5, atol=0.51 * step)


def test_nan_passes_where_it_is(connect):
    with headset(faults=[Blank(0.0, 20.0, channel=2)]) as simulated:
        source = connect(simulated)
        samples, _ = received(source, simulated.onset, RATE)
    np.testing.assert_array_equal(np.isnan(samples).all(axis=0), [False, False, True, False])
    assert not np.isnan(samples[:, [0, 1, 3]]).any()


def test_an_undescribed_stream_says_what_to_pass(connect):
    with headset(with_description=False) as simulated:
        stream = found(simulated)
        with pytest.raises(StreamError, match=r"does not name its 4 channels.*--channels"):
            LslSource(stream)
        with pytest.raises(StreamError, match=r"Head .* does not say in which unit.*--unit microvolts"):
            LslSource(stream, channels=NAMES)
        source = connect(simulated, channels=NAMES, unit="microvolts")
        assert source.info.channels == NAMES
        samples, _ = received(source, simulated.onset, RATE)
    assert samples.std() == pytest.approx(2e-5, rel=0.2)


def test_an_irregular_stream_needs_a_rate(connect):
    with headset(declared_rate=0.0) as simulated:
        with pytest.raises(StreamError, match=r"irregular.*--rate HZ"):
            LslSource(found(simulated))
        source = connect(simulated, rate=RATE)
    assert source.info.rate == RATE


def test_no_stream_names_what_was_sought_and_what_is_there():
    with headset() as simulated, pytest.raises(StreamError) as error:
        find_streams([Query("name", "Nobody")], timeout=1.0)
    for part in ("name 'Nobody'", simulated.name, "'EEG'", "Start the device's LSL output"):
        assert part in str(error.value)


def test_two_live_outlets_with_one_source_id_are_refused():
    names = uuid.uuid4().hex, uuid.uuid4().hex
    one, other = (SimulatedHeadset(name, "one-id", noise(10), RATE, NAMES) for name in names)
    with one, other, pytest.raises(StreamError, match=r"2 live streams share the source_id 'one-id': .* and .*Close"):
        find_streams([ANY_EEG])


def test_two_streams_of_one_name_must_be_told_apart():
    name = uuid.uuid4().hex
    one, other = (SimulatedHeadset(name, f"{name}-{i}", noise(10), RATE, NAMES) for i in range(2))
    with one, other, pytest.raises(StreamError, match=r"2 streams match name .*source_id '.*-1'.*choose one"):
        find_stream(Query("name", name))


def test_a_twin_that_appears_later_is_noticed(connect):
    with headset() as one:
        source = connect(one)
        with SimulatedHeadset(one.name, one._spec["source_id"], noise(10), RATE, NAMES):
            wait_for(lambda: state(source) == "duplicate")
            assert "give each outlet its own source_id" in source.status(pylsl.local_clock()).message
        wait_for(lambda: state(source) == "ok")


def test_two_headsets_at_once(connect):
    left, right = noise(10, seed=1), noise(10, seed=2)
    with headset(left) as one, headset(right) as two:
        streams = find_streams()
        assert [s.header.name for s in streams] == sorted((one.name, two.name))
        sources = {s.info.name: s for s in (connect(one), connect(two))}
        for simulated, volts in ((one, left), (two, right)):
            samples, numbers = received(sources[simulated.name], simulated.onset, RATE)
            np.testing.assert_allclose(samples, volts[numbers], rtol=1e-5, atol=1e-12)


def test_silence_is_a_stall_and_its_burst_no_gap(connect):
    with headset(faults=[Stall(2.0, 2.6)]) as simulated:
        source = connect(simulated)
        # Within 2.6 s, or never: then all comes at once.
        wait_for(lambda: state(source) == "stalled")
        assert pylsl.local_clock() - simulated.onset - 2.0 >= 1.9
        assert "sent nothing" in source.status(pylsl.local_clock()).message
        wait_for(lambda: state(source) == "ok")
        _, numbers = received(source, simulated.onset, RATE)
    assert source.buffer.gaps == 0
    assert np.all(np.diff(numbers) == 1)


def test_missing_samples_are_a_gap(connect):
    with headset(faults=[Drop(2.0, 0.8)]) as simulated:
        source = connect(simulated)
        wait_for(lambda: source.buffer.newest > simulated.onset + 2.9)
        block = source.buffer.read(0, math.inf)
    assert source.buffer.gaps == 1
    (at,) = block.breaks
    assert block.times[at] - block.times[at - 1] == pytest.approx(0.8 + 1 / RATE, abs=0.005)


def test_a_closed_outlet_is_lost_and_connected_again_when_it_is_back(connect):
    volts = noise(12)
    with headset(volts, faults=[Reopen(2.5, 1.0)]) as simulated:
        source = connect(simulated)
        wait_for(lambda: state(source) == "lost")
        noticed = pylsl.local_clock() - simulated.onset - 2.5
        assert "connected again by itself" in source.status(pylsl.local_clock()).message
        wait_for(lambda: state(source) == "ok")
        back = pylsl.local_clock() - simulated.onset - 3.5
        # It is there again with its first chunk; gap and offset are there once that chunk is laid in its place.
        wait_for(lambda: source.buffer.gaps and len(source.offsets) >= 2)
        samples, numbers = received(source, simulated.onset, RATE)
        offsets = len(source.offsets)
    assert noticed < 0.5
    assert back < 10.0, "by itself, within seconds, and what a busy machine takes"
    assert source.buffer.gaps == source.reconnections == 1
    assert offsets >= 2
    np.testing.assert_allclose(samples, volts[numbers], rtol=1e-5, atol=1e-12)


def test_a_loss_shorter_than_jitter_is_still_a_gap(connect):
    with headset(faults=[Reopen(2.5, 0.1)]) as simulated:
        source = connect(simulated)
        wait_for(lambda: source.reconnections and state(source) == "ok")
        # It is there again with its first chunk; the gap is in the ring once that chunk has been laid in it.
        wait_for(lambda: source.buffer.gaps >= 1)


def test_a_stream_that_never_comes_back_stays_lost_and_stops_at_once(connect):
    with headset() as simulated:
        source = connect(simulated)
    wait_for(lambda: state(source) == "lost")
    time.sleep(0.3)
    assert state(source) == "lost"
    start = time.monotonic()
    source.stop()
    source.stop()
    assert time.monotonic() - start < 1.0
    assert state(source) == "ended"


@pytest.mark.skipif(os.name == "nt", reason="a process is paused by POSIX signals")
def test_a_sender_that_freezes_is_lost_though_its_connection_stays_open(connect):
    with headset() as simulated:
        source = connect(simulated)
        simulated._child.send_signal(signal.SIGSTOP)
        try:
            wait_for(lambda: state(source) == "stalled")
            wait_for(lambda: state(source) == "lost")
        finally:
            simulated._child.send_signal(signal.SIGCONT)
        wait_for(lambda: state(source) == "ok")
        wait_for(lambda: source.buffer.gaps)
    assert source.reconnections == 1
    assert source.buffer.gaps == 1


def test_a_stream_that_is_gone_cannot_be_started():
    with headset() as simulated:
        source = LslSource(found(simulated))
    with pytest.raises(StreamError, match=r"cannot be opened.*restart"):
        source.start()


def test_the_offset_of_this_computer_to_itself_is_almost_nothing(connect):
    with headset() as simulated:
        source = connect(simulated)
    at, offset = source.offsets[0]
    assert abs(offset) < 0.005
    assert abs(pylsl.local_clock() - at) < 10


def test_stamps_of_another_clock_are_brought_onto_ours(connect, monkeypatch, tmp_path):
    # A Linux time namespace is another computer's clock, as far as LSL can tell.
    apart = ["unshare", "--time", "--monotonic", "1000", "--fork"]
    if not shutil.which("unshare") or subprocess.run([*apart, "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs the right to make a time namespace (Linux, root)")
    wrapper = tmp_path / "python"
    wrapper.write_text(f'#!/bin/sh\nexec {" ".join(apart)} {sys.executable} "$@"\n')
    os.chmod(wrapper, 0o755)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", str(wrapper))
        simulated = headset()
        simulated.start()
    with simulated:
        source = connect(simulated)
        _, offset = source.offsets[0]
        block = source.buffer.read(0, math.inf)
        now = pylsl.local_clock()
    assert abs(offset + 1000.0) < 10.0
    assert simulated.onset > now + 900.0
    assert now - 1.0 < block.times[-1] < now
    numbers = (block.times - (simulated.onset + offset)) * RATE
    np.testing.assert_allclose(numbers, np.round(numbers), atol=0.05)


@pytest.mark.parametrize(("sample_format", "channels"), [("float32", ["mono"]), ("int16", ["left", "right"])])
def test_sound_arrives_as_mono_full_scale(connect, sample_format, channels):
    rate = 16000.0
    sound = np.sin(2 * np.pi * 440 * np.arange(8 * 16000) / rate)[:, None] * np.linspace(0.5, 0.25, len(channels))
    with headset(sound, rate, channels, stream_type="Audio", sample_format=sample_format) as simulated:
        source = connect(simulated, kind="audio")
        samples, numbers = received(source, simulated.onset, rate)
    assert source.info.channels == ("mono",)
    assert samples.dtype == np.float32
    np.testing.assert_allclose(samples[:, 0], sound.mean(axis=1)[numbers], atol=1e-4)


def test_devices_are_described():
    with headset() as simulated:
        streams = {s.header.name: s.header for s in describe_streams(timeout=0.7)}
    stream = streams[simulated.name]
    assert (stream.type, stream.rate, stream.channels, stream.format) == ("EEG", RATE, 4, "float32")
    assert (stream.unit, stream.labels) == ("microvolts", NAMES)
    assert stream.host
    assert stream.uid


def test_samples_come_at_once_where_a_step_waits_for_them(monkeypatch):
    monkeypatch.setattr("rtaffect.sources.lsl.REST_S", (600.0, 600.0))
    monkeypatch.setattr("rtaffect.sources.lsl.AT_ONCE", 0)
    with headset() as simulated:
        source = LslSource(found(simulated))
        try:
            source.start()
            wait_for(lambda: source.buffer.received)
            first = source.buffer.received
            time.sleep(0.3)
            assert source.buffer.received == first
            wait_for(lambda: source.advance(math.inf) or source.buffer.received > first)
        finally:
            begun = time.monotonic()
            source.stop()
        assert time.monotonic() - begun < 60.0


def test_a_rest_is_no_longer_for_steps_that_asked_often(monkeypatch):
    """What a step takes at once, again and again, is not made up for by a rest in which nothing comes."""
    rests = []
    with headset() as simulated:
        source = LslSource(found(simulated))
        monkeypatch.setattr(source._worker, "pause", rests.append)
        for _ in range(100):
            source._rest()
    assert 0 < max(rests) <= REST_S[0] + ROUNDED_S


def test_what_is_placed_by_arrival_rests_for_a_shorter_time(monkeypatch):
    rests = []
    with headset() as simulated:
        source = LslSource(found(simulated))
        monkeypatch.setattr(source._worker, "pause", rests.append)
        monkeypatch.setattr(source._delivery, "_by_arrival", True)
        for _ in range(100):
            source._rest()
    assert 0 < max(rests) <= SHORT_REST_S + ROUNDED_S < REST_S[0]


@pytest.mark.parametrize("jump", [0.3, -15.0])
def test_a_senders_clock_that_is_set_is_followed_by_arrival(jump):
    """Stamps of a real outlet jump while its samples go on: found, told, recorded, and right again."""
    name = uuid.uuid4().hex
    info = pylsl.StreamInfo(name, "EEG", 1, RATE, "double64", name)
    outlet, start = pylsl.StreamOutlet(info), pylsl.local_clock()
    source = LslSource(find_stream(Query("name", name), settle=0.2), channels=["Cz"], unit="V")
    tap = source.tap = RecordingTap()
    source.start()
    try:
        begun, sent = pylsl.local_clock(), 0
        while (now := pylsl.local_clock()) < begun + 6.0 or source.buffer.received < sent - RATE:
            due = int((now - start) * RATE)
            times = start + np.arange(sent, due) / RATE
            set_by = np.where(times > begun + 3.5, jump, 0.0)
            if len(times):
                outlet.push_chunk((times - start)[:, None], (times + set_by).tolist())
            sent = due
            time.sleep(0.04)
            assert now < begun + 20.0
        found = [d for d in source.buffer.doubts.within(begun, begun + 30) if d.reason == "clock-jump"]
    finally:
        source.stop()
    block = source.buffer.read(0, math.inf)
    true = start + block.samples[:, 0].astype(np.float64)
    assert len(found) == 1
    assert found[0].until - begun - 3.5 < 3.0
    assert f"set by {jump:+.3f}"[:-1] in found[0].words
    trusted = (block.times < found[0].since) | (block.times > found[0].until)
    assert np.abs(block.times - true)[trusted].max() < 0.02
    assert tap.count("segment") == 1
    assert tap.count("offset") >= 2


def test_nobody_who_was_asked_for_is_left_out_in_silence():
    with headset() as simulated:
        queries = [Query("name", simulated.name), Query("name", "somebody else")]
        begun = time.monotonic()
        with pytest.raises(StreamError, match="somebody else"):
            find_streams(queries, timeout=1.5, settle=0.2)
        assert time.monotonic() - begun >= 1.5
        (only,) = find_streams([queries[0], Query("type", "nothing of this")], timeout=5.0, settle=0.2)
        assert only.header.name == simulated.name
