"""The player keeps its sounds where they should be, and says when they were not: with a device on paper."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rtaffect.outputs.dac_clock import DISPLACED_S, DacClock
from rtaffect.outputs.programme_player import ProgrammePlayer
from rtaffect.outputs.sound_player import SoundPlayer, describe_counts
from tests.support.fake_output import RATE, FakeOutput, counting, in_doubt


def playing(output: FakeOutput, seconds: float, lead: float = 1.0) -> tuple[SoundPlayer, float]:
    player = SoundPlayer(counting(seconds), RATE)
    onset = output.now + lead
    player._add("sound", player._samples, onset)
    return player, onset


def told_when_displaced(player: SoundPlayer, output: FakeOutput, onset: float, until: float) -> None:
    """Whatever was not heard at its time is in doubt, and little else."""
    times, late = output.heard(onset)
    due = (times >= onset) & (times < until)
    # Where a player fades over, values are of two frames.
    displaced = due & ~(np.abs(late) <= DISPLACED_S + 0.001)
    doubted = in_doubt(player.doubts, times)
    assert doubted[displaced].all()
    assert not doubted[due & (times < until)].all()


@pytest.mark.parametrize("ppm", [400.0, -400.0])
def test_a_device_that_drifts_is_followed_within_a_millisecond(monkeypatch, ppm):
    output = FakeOutput(monkeypatch, block=800, ppm=ppm)
    output.jitter_s = 0.001
    player, onset = playing(output, 300)
    output.take(player, 290)
    times, late = output.heard(onset)
    due = times > onset + 2
    assert np.nanmax(np.abs(late[due])) < 0.0025
    assert np.nanmedian(np.abs(late[due])) < 0.001
    assert np.isfinite(late[due]).all()
    assert not in_doubt(player.doubts, times).any()
    assert player.counts == {"underflows": 0, "losses": 0, "breaks": 0, "displaced_s": 0.0}


def test_it_begins_at_the_very_frame_and_plays_what_it_was_given(monkeypatch):
    output = FakeOutput(monkeypatch)
    player, onset = playing(output, 2.0)
    output.take(player, 2.5)
    _, late = output.heard(onset)
    heard = np.isfinite(late)
    assert heard.sum() == pytest.approx(1.5 * RATE, abs=0.2 * RATE)
    assert np.abs(late[heard]).max() < 1 / RATE
    assert player.actual_onset == pytest.approx(onset, abs=1 / RATE)
    assert player.state == "playing"


@pytest.mark.parametrize("flagged", [True, False], ids=["underflow", "silent"])
@pytest.mark.parametrize("seconds", [0.15, 1.0, 5.0, 60.0])
def test_after_a_stop_it_goes_on_where_it_should_be(monkeypatch, flagged, seconds):
    output = FakeOutput(monkeypatch)
    player, onset = playing(output, 100)
    output.take(player, 5.0)
    stopped = output.now
    output.stand_still(seconds)
    # While it is stopped it cannot tell, and is doubted all the same.
    assert in_doubt(player.doubts, np.array([stopped + 0.145 if seconds < 1 else output.now])).all()
    again = output.now
    output.take(player, 10.0, underflow=flagged)
    times, late = output.heard(onset)
    after = times > again + 0.5
    assert np.nanmax(np.abs(late[after])) < 0.001
    told_when_displaced(player, output, onset, times[-1])
    assert not in_doubt(player.doubts, times[times > again + 1.0]).any()
    assert not in_doubt(player.doubts, times[(times > onset) & (times < stopped - 0.1)]).any()
    assert player.underflows == flagged
    assert player.counts["breaks"] >= 1
    (doubt, *_) = player.doubts.within(0.0, again + 5.0)
    assert doubt.reason == "player-torn"
    told: list[tuple[str, float]] = []
    player.tell = lambda words, at: told.append((words, at))
    player._look()
    assert any("was not heard at its time" in words for words, _ in told)
    assert any("underflow" in words for words, _ in told) == flagged


def test_a_device_that_skips_a_little_without_a_word_is_put_right(monkeypatch):
    output = FakeOutput(monkeypatch)
    player, onset = playing(output, 60)
    output.take(player, 5.0)
    output.leaves += 0.033
    output.take(player, 5.0)
    times, late = output.heard(onset)
    assert np.nanmax(np.abs(late[times > output.now - 4])) < 0.001
    told_when_displaced(player, output, onset, times[-1])


def test_one_wild_time_moves_nothing(monkeypatch):
    output = FakeOutput(monkeypatch)
    player, onset = playing(output, 60)
    output.take(player, 5.0)
    for _ in range(10):
        output.wrong_s = 0.02
        output.take(player, 0.4)
    times, late = output.heard(onset)
    assert np.nanmax(np.abs(late[times > onset])) < 0.001
    assert player.counts["breaks"] == 0
    assert not in_doubt(player.doubts, times).any()


def test_a_sound_that_is_wanted_too_late_is_joined_in_its_midst(monkeypatch):
    output = FakeOutput(monkeypatch)
    player = ProgrammePlayer(None, RATE)
    output.take(player, 2.0)
    onset = output.now - 0.4
    cue = player.place("a", counting(10), RATE, onset)
    output.take(player, 3.0)
    times, late = output.heard(onset)
    assert np.nanmax(np.abs(late[times > output.now - 2])) < 0.001
    assert cue.late_s == pytest.approx(0.55, abs=0.1)
    doubted = in_doubt(player.doubts, np.array([onset + 0.01, onset + cue.late_s - 0.01, onset + cue.late_s + 0.5]))
    assert doubted.tolist() == [True, True, False]
    assert player.doubts.within(0.0, output.now)[0].reason == "player-late"


def test_in_silence_there_is_nothing_to_doubt(monkeypatch):
    output = FakeOutput(monkeypatch)
    player = ProgrammePlayer(None, RATE)
    output.take(player, 2.0)
    output.stand_still(2.0)
    output.take(player, 2.0, underflow=True)
    assert player.underflows == 1
    assert not player.doubts.within(-math.inf, math.inf)
    cue = player.place("a", counting(1), RATE, output.now + 1.0)
    output.take(player, 3.0)
    assert cue.done
    assert cue.late_s == pytest.approx(0.0, abs=1 / RATE)
    assert not player.doubts.within(-math.inf, math.inf)


def test_a_lost_device_is_doubted_until_it_is_back_and_the_sound_goes_on_in_its_place(monkeypatch):
    output = FakeOutput(monkeypatch)
    player, onset = playing(output, 60)
    told: list[str] = []
    player.tell = lambda words, at: told.append(words)
    output.take(player, 5.0)
    gone = output.now
    output.stand_still(0.7)
    player._keeper._lose()
    assert player.state == "lost"
    (doubt,) = player.doubts.within(0.0, math.inf)
    assert (doubt.reason, doubt.until) == ("player-lost", math.inf)
    assert gone - 0.1 <= doubt.since <= gone + 0.12
    output.stand_still(4.0)
    player._keeper.lost = False
    player._begin_stream()
    player._on_return()
    back = output.now
    output.take(player, 5.0)
    times, late = output.heard(onset)
    assert np.nanmax(np.abs(late[times > back + 1.0])) < 0.001
    told_when_displaced(player, output, onset, times[-1])
    assert not in_doubt(player.doubts, times[times > back + 1.5]).any()
    assert {d.reason for d in player.doubts.within(0.0, output.now)} == {"player-lost"}
    player._look()
    assert "is gone" in told[0]
    assert "plays again" in told[1]
    assert player.counts["losses"] == 1


def test_a_sound_that_is_cut_fades_out_and_nothing_more_is_expected(monkeypatch):
    output = FakeOutput(monkeypatch)
    player = ProgrammePlayer(None, RATE)
    output.take(player, 2.0)
    player.place("a", np.ones((RATE * 30, 1), np.float32), RATE, output.now + 0.5)
    later = player.place("b", counting(1), RATE, output.now + 40.0)
    output.take(player, 3.0)
    player.cut()
    output.take(player, 1.0)
    assert later.done
    out = np.concatenate([b for _, b in output.blocks])
    loud = np.flatnonzero(out)
    assert np.abs(np.diff(out[loud[0] + 1 :])).max() < 0.02
    assert len(loud) < 3.0 * RATE
    output.stand_still(3.0)
    assert not player.doubts.within(-math.inf, math.inf)


def test_a_clock_takes_the_median_and_what_several_blocks_agree_on():
    clock = DacClock(1000.0)
    assert not clock.note(0, 5.0)
    for n in range(1, 30):
        assert not clock.note(n * 10, 5.0 + n * 0.01 + (0.004 if n % 5 == 0 else 0.0))
    assert clock.origin == pytest.approx(5.0)
    told = [clock.note(n * 10, 5.02 + n * 0.01) for n in range(30, 35)]
    assert told == [False, False, False, True, False]
    assert clock.origin == pytest.approx(5.02)
    assert clock.leaves(350) == pytest.approx(5.37)


def test_what_went_wrong_is_said_in_a_sentence_at_the_end():
    counts = {"underflows": 0, "losses": 0, "breaks": 0, "displaced_s": 0.0}
    assert describe_counts(counts) == ""
    said = describe_counts(counts | {"underflows": 2, "breaks": 3, "displaced_s": 4.25})
    assert "out of its place 3 times, for 4.2 s" in said
    assert "(its device ran dry 2 times);" in said
    once = describe_counts(counts | {"breaks": 1, "displaced_s": 0.2})
    assert once == "the sound was out of its place once, for 0.2 s in all; what rests on that is withheld"


def test_time_out_of_place_counts_once_while_the_device_runs_dry_again_and_again(monkeypatch):
    output = FakeOutput(monkeypatch)
    player, _ = playing(output, 100)
    output.take(player, 5.0)
    begun = output.now
    for _ in range(60):
        # Late by turns, so that its times do not agree.
        output.wrong_s = 0.03
        output.stand_still(0.15)
        output.take(player, output.block / RATE, underflow=True)
    passed = output.now - begun
    output.take(player, 5.0)
    counts = player.counts
    assert counts["underflows"] == 60
    assert 0.3 * passed < counts["displaced_s"] < passed + 1.0
    assert 1 <= counts["breaks"] <= 3


def test_it_is_as_loud_as_it_is_set_and_a_change_is_faded(monkeypatch):
    output = FakeOutput(monkeypatch)
    player = SoundPlayer(np.ones((RATE * 4, 1), np.float32), RATE)
    player.gain_db = -20.0
    player._add("sound", player._samples, output.now + 0.6)
    output.take(player, 2.0)
    assert output.blocks[-1][1] == pytest.approx(0.1, abs=1e-6)
    player.gain_db = -40.0
    output.take(player, output.block / RATE)
    changed = output.blocks[-1][1]
    assert np.all(np.diff(changed) < 0)
    assert (changed[0], changed[-1]) == (pytest.approx(0.1, abs=1e-3), pytest.approx(0.01, abs=1e-3))
    output.take(player, 0.5)
    assert output.blocks[-1][1] == pytest.approx(0.01, abs=1e-6)
