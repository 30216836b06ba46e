"""The incremental observer gives what the batch formula gives, at every step, with gaps, lags and several people."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtaffect.common.settings import SynchronySettings
from rtaffect.observed.observer import BY_SPECTRA, BY_WINDOW, GroupObserver, ReferenceObserver, Seconds
from rtaffect.observed.synchrony import Observation, RowLayout, others_mean, running_correlation
from tests.support.helpers import RATE, brain_noise, causally_scaled
from tests.support.whole_windows import observe

SETTINGS = SynchronySettings(null_history_s=45)
W = SETTINGS.window_s


def people_of(count: int, seconds: int, rows: int = 2, seed: int = 0, shared: float = 0.4) -> np.ndarray:
    rng = np.random.default_rng(seed)
    common = brain_noise(rng, seconds * RATE, rows)
    own = [brain_noise(rng, seconds * RATE, rows) for _ in range(count)]
    return 1e-5 * np.stack([np.sqrt(shared) * common + np.sqrt(1 - shared) * o for o in own])


def with_gaps(people: np.ndarray, seed: int = 1) -> np.ndarray:
    """Holes of any length from a sample on, at other times in each person and row, and some in all rows at once."""
    rng = np.random.default_rng(seed)
    holed = people.copy()
    for person in holed:
        for row in range(person.shape[1]):
            for _ in range(4):
                start, length = rng.integers(0, len(person)), rng.integers(1, 600)
                person[start : start + length, row] = np.nan
            person[rng.random(len(person)) < 0.01, row] = np.nan
        person[rng.random(len(person)) < 0.01] = np.nan
    return holed


def seconds_of(people: np.ndarray) -> list[np.ndarray]:
    return [people[:, start : start + RATE] for start in range(0, people.shape[1], RATE)]


#: Two rows; and one row of two components, with an average of it that the mean over rows leaves out.
LAYOUTS = [RowLayout.plain(2), RowLayout(2, np.ones((1, 1), bool), np.array([True, False]))]


def assert_same(found: Observation, expected: Observation) -> None:
    for name, a, b in zip(Observation._fields, found, expected, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-9, err_msg=name)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("onset", [0, 700, 1234, -550])
@pytest.mark.parametrize("gaps", [False, True])
def test_against_a_reference_it_is_the_batch_formula(onset, gaps, layout):
    people, reference = people_of(3, 70), people_of(1, 90, seed=8)[0]
    if gaps:
        people, reference = with_gaps(people), with_gaps(reference[None], seed=5)[0]
    observer = ReferenceObserver(3, reference, onset, RATE, SETTINGS, layout=layout)
    seen = 0
    for k, second in enumerate(seconds_of(people), start=1):
        found = observer(second)
        start = (k - W) * RATE - onset
        inside = k >= W and 0 <= start <= len(reference) - W * RATE
        if not inside:
            assert k < W or found is None
            continue
        # The same reach to either side, on the session's seconds.
        reach = (SETTINGS.null_history_s - W) * RATE
        lead = -onset % RATE
        first = max(lead, start - reach)
        stop = min(start + reach + W * RATE, lead + (len(reference) - lead) // RATE * RATE)
        partner = np.broadcast_to(reference[first:stop], (3, stop - first, 2))
        windows = people[:, (k - W) * RATE : k * RATE]
        if found is not None:
            seen += 1
            assert_same(found, observe(windows, partner, start - first, RATE, SETTINGS, layout=layout))
    assert seen > 40


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("count", [2, 5])
@pytest.mark.parametrize("gaps", [False, True])
def test_of_a_group_it_is_the_batch_formula(count, gaps, layout):
    people = people_of(count, 90)
    people *= np.linspace(0.3, 3, count)[:, None, None]
    if gaps:
        people = with_gaps(people)
        people[1, 3000:4500] = np.nan
    scaled = causally_scaled(people, SETTINGS.null_history_s, layout.k)
    observer = GroupObserver(count, RATE, SETTINGS, layout=layout)
    for k, second in enumerate(seconds_of(people), start=1):
        found = observer(second)
        assert (found is None) == (k < W)
        if found is not None:
            recent = scaled[:, max(0, k - SETTINGS.null_history_s) * RATE : k * RATE]
            start = recent.shape[1] - W * RATE
            expected = observe(
                recent[:, start:], others_mean(recent), start, RATE, SETTINGS, layout=layout, mutual=True
            )
            assert_same(found, expected)


@pytest.mark.parametrize("count", [2, 4])
def test_pairwise_is_the_mean_over_the_others_of_each_pair(count):
    """Every pair's Pearson correlation by numpy; a person's value is their mean over the others by Fisher z."""
    people = people_of(count, 40)
    people *= np.linspace(0.3, 3, count)[:, None, None]
    pairwise = SETTINGS.model_copy(update={"method": "pairwise"})
    observer = GroupObserver(count, RATE, pairwise, layout=RowLayout.plain(2))
    scaled = causally_scaled(people, SETTINGS.null_history_s)
    for second in seconds_of(people):
        found = observer(second)
    assert found is not None
    window = scaled[:, -W * RATE :]
    expected = np.empty((count, 2))
    for person in range(count):
        for row in range(2):
            r = [np.corrcoef(window[person, :, row], window[o, :, row])[0, 1] for o in range(count) if o != person]
            expected[person, row] = np.tanh(np.arctanh(r).mean())
    np.testing.assert_allclose(found.each, expected, atol=1e-9)
    np.testing.assert_allclose(found.mean, np.tanh(np.arctanh(expected).mean(axis=0)), atol=1e-9)
    assert (found.low < found.high).all()


def test_pairwise_null_holds_its_level():
    """Unrelated people: about 5 % outside the band (each pair counts twice in place, once displaced)."""
    rng = np.random.default_rng(0)
    pairwise = SETTINGS.model_copy(update={"method": "pairwise"})
    outside, total = 0, 0
    for _ in range(4):
        people = np.stack([brain_noise(rng, 70 * RATE, 12) for _ in range(4)])
        observer = GroupObserver(4, RATE, pairwise, layout=RowLayout.plain(12))
        for k, second in enumerate(seconds_of(people), start=1):
            found = observer(second)
            if k >= 50 and k % W == 0:
                assert found is not None
                outside += int(((found.mean < found.low) | (found.mean > found.high)).sum())
                total += 12
    assert 0.01 < outside / total < 0.11


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("first", "then"), [(0, 37), (700, -550), (1234, 1233), (None, 420), (-800, 3150)])
def test_laid_elsewhere_it_is_a_fresh_observer_of_the_same_seconds(first, then, layout):
    """To the bit, the null included; and what the batch formula gives."""
    people, reference = with_gaps(people_of(2, 70)), people_of(1, 90, seed=8)[0]
    seconds, moved_at = seconds_of(people), 50
    moved = ReferenceObserver(2, reference, first, RATE, SETTINGS, layout=layout)
    fresh = ReferenceObserver(2, reference, then - (moved_at - W) * RATE, RATE, SETTINGS, layout=layout)
    for second in seconds[:moved_at]:
        found = moved(second)
        assert first is not None or found is None
    for second in seconds[moved_at - W : moved_at]:
        fresh(second)
    moved.place(then)
    for k, second in enumerate(seconds[moved_at:], start=moved_at + 1):
        moved.place(then)
        found, expected = moved(second), fresh(second)
        assert (found is None) == (expected is None)
        start = (k - W) * RATE - then
        # The reference's seconds are the session's: the last one counts if it is whole.
        lead = -then % RATE
        stop = lead + (len(reference) - lead) // RATE * RATE
        assert (found is None) == (not lead <= start <= stop - W * RATE)
        if found is None or expected is None:
            continue
        for name, a, b in zip(Observation._fields, found, expected, strict=True):
            np.testing.assert_array_equal(a, b, err_msg=name)
        reach = (SETTINGS.null_history_s - W) * RATE
        low, high = max(lead, start - reach), min(stop, start + reach + W * RATE)
        partner = np.broadcast_to(reference[low:high], (2, high - low, 2))
        batch = observe(people[:, (k - W) * RATE : k * RATE], partner, start - low, RATE, SETTINGS, layout=layout)
        np.testing.assert_allclose(found.each, batch.each, atol=1e-9)
        assert_same(found, batch)


def test_a_reference_of_hours_is_cut_only_where_it_is_compared():
    reference = np.zeros((7200 * RATE, 2), np.float32)
    observer = ReferenceObserver(1, reference, -3600 * RATE, RATE, SETTINGS, layout=RowLayout.plain(2))
    for second in seconds_of(people_of(1, 30)):
        observer(second)
    assert observer._placed.seconds._values.nbytes < 1e6


def test_a_loud_second_leaves_no_trace_once_it_is_out_of_the_window():
    people, reference = people_of(1, 60), people_of(1, 80, seed=3)[0]
    loud = people.copy()
    loud[0, 1500:1600] *= 1e4
    a, b = (ReferenceObserver(1, reference, 0, RATE, SETTINGS, layout=RowLayout.plain(2)) for _ in range(2))
    for k, (one, other) in enumerate(zip(seconds_of(people), seconds_of(loud), strict=True), start=1):
        found, disturbed = a(one), b(other)
        if k > 15 + W:
            assert found is not None
            assert disturbed is not None
            np.testing.assert_allclose(disturbed.mean, found.mean, atol=1e-6)


def test_an_hour_costs_no_more_memory_than_minutes():
    rng = np.random.default_rng(0)
    observer = GroupObserver(2, RATE, SETTINGS, layout=RowLayout.plain(1))
    second = rng.standard_normal((2, RATE, 1))
    for _ in range(3600):
        observer(second)
    stored = (observer._others._values, observer._observer._kept, observer._recent)
    assert sum(array.nbytes for array in stored) < 3e6


@settings(max_examples=40, deadline=None)
@given(keep=st.integers(1, 20), count=st.integers(1, 80), rate=st.sampled_from([64, 100, 125]))
def test_seconds_keep_the_newest(keep, count, rate):
    rng = np.random.default_rng(count)
    series = rng.standard_normal((count, 2, rate, 3))
    series[rng.random(series.shape) < 0.002] = np.nan
    store = Seconds(2, 3, rate, keep)
    for second in series:
        store.append(second)
    first = max(0, count - keep)
    assert (store.first, store.stop) == (first, count)
    present, total, power = store.moments(first, count)
    blocks = series[first:].transpose(1, 3, 0, 2).reshape(2, 3, count - first, -1, store.block)
    there = np.isfinite(blocks)
    clean = np.where(there, blocks, 0.0)
    np.testing.assert_array_equal(present, there.sum(axis=-1))
    np.testing.assert_allclose(total, clean.sum(axis=-1))
    np.testing.assert_allclose(power, (clean**2).sum(axis=-1))
    np.testing.assert_array_equal(store.values(first, count), clean.reshape(2, 3, count - first, rate))
    np.testing.assert_array_equal(store.there(first, count), there.reshape(2, 3, count - first, rate))
    some = there.any(axis=-1) & ~there.all(axis=-1)
    np.testing.assert_array_equal(store.ragged(first, count), some.any(axis=-1))


def test_where_samples_are_missing_a_session_has_what_calibration_has():
    """Single samples, a tenth of a second and longer: the same instants count live and offline."""
    (person, partner) = (with_gaps(people_of(1, 60, seed=seed), seed=seed)[0] for seed in (3, 4))
    observer = ReferenceObserver(1, partner, 0, RATE, SETTINGS, layout=LAYOUTS[0])
    least = int(np.ceil(SETTINGS.min_good * W * RATE))
    offline = running_correlation(person, partner, W * RATE, RATE, least)
    live = [observer(second) for second in seconds_of(person[None])]
    found = np.stack([np.full(2, np.nan) if each is None else each.each[0] for each in live])
    assert np.isfinite(offline).sum() > 50
    np.testing.assert_allclose(found, offline, atol=1e-10)


@pytest.mark.parametrize("method", ["leave-one-out", "pairwise"])
def test_what_turns_out_to_be_doubtful_is_taken_out_of_the_window_on_both_sides(method):
    chosen, people, wrong = (
        SETTINGS.model_copy(update={"method": method}),
        people_of(3, 30),
        slice(26 * RATE, 28 * RATE),
    )
    spoilt, missing = people.copy(), people.copy()
    spoilt[1, wrong], missing[1, wrong] = 1e-5, np.nan
    found, expected = (GroupObserver(3, RATE, chosen, layout=LAYOUTS[0]) for _ in range(2))
    for k, (bad, right) in enumerate(zip(seconds_of(spoilt), seconds_of(missing), strict=True), start=1):
        if k == 29:
            # Known with the 29th second: the 27th and the 28th lie two and one before it.
            doubt = np.zeros((3, W), bool)
            doubt[1, -3:-1] = True
            found.forget(doubt)
        ours, theirs = found(bad), expected(right)
    np.testing.assert_allclose(ours.each, theirs.each, atol=1e-3)
    assert not np.allclose(ours.each, 0)


def test_who_is_withheld_has_no_value_and_no_part_in_the_mean():
    people = people_of(3, 30)
    found, expected = (GroupObserver(3, RATE, SETTINGS, layout=LAYOUTS[0]) for _ in range(2))
    withheld = np.array([False, True, False])
    for second in seconds_of(people):
        ours, whole = found(second, withheld), expected(second)
    assert np.isnan(ours.each[1]).all()
    np.testing.assert_array_equal(ours.each[[0, 2]], whole.each[[0, 2]])
    np.testing.assert_allclose(ours.mean, np.tanh(np.arctanh(whole.each[[0, 2]]).mean(axis=0)))


def test_the_null_follows_where_everybody_turns_to_alpha():
    """Unrelated people whose eyes close at 60 s: the band of the next minute is as wide as values then spread."""
    rng, outside, before = np.random.default_rng(2), [], []
    for _ in range(3):
        people = np.stack([brain_noise(rng, 110 * RATE, 8) for _ in range(2)])
        alpha = np.stack([narrow_noise(rng, 110 * RATE, 8) for _ in range(2)])
        people += np.where(np.arange(110 * RATE) >= 60 * RATE, 3.0, 0.3)[:, None] * alpha
        observer = GroupObserver(2, RATE, SETTINGS.model_copy(update={"null_history_s": 60}), layout=RowLayout.plain(8))
        for k, second in enumerate(seconds_of(people), start=1):
            found = observer(second)
            if found is not None and (62 <= k <= 100 or 45 <= k < 60):
                if k < 60 or 70 <= k < 85:
                    assert observer.notice == (BY_WINDOW if k > 60 else "")
                (outside if k > 60 else before).append((found.mean < found.low) | (found.mean > found.high))
    assert np.mean(outside) < 0.12
    assert np.mean(before) < 0.12


def test_where_rows_come_to_share_alpha_their_mean_spreads_as_one_row():
    """Displaced windows, one side of which is of before, do not tell that: their mean over 8 rows spreads far less."""
    rng = np.random.default_rng(4)
    people = np.stack([brain_noise(rng, 84 * RATE, 8) for _ in range(2)])
    alpha = np.stack([narrow_noise(rng, 84 * RATE, 1) for _ in range(2)])
    people += np.where(np.arange(84 * RATE) >= 60 * RATE, 5.0, 0.0)[:, None] * alpha
    observer = GroupObserver(2, RATE, SETTINGS.model_copy(update={"null_history_s": 60}), layout=RowLayout.plain(8))
    found = [observer(second) for second in seconds_of(people)]
    of_rows = [(o.high - o.low).mean() for o in found[W:] if o is not None]
    of_mean = [o.overall_high - o.overall_low for o in found[W:] if o is not None]
    assert np.nanmean(of_mean[40:49]) < 0.5 * np.nanmean(of_rows[40:49]), "eyes open: independent rows"
    assert np.mean(of_mean[-10:]) > 0.85 * np.mean(of_rows[-10:])


def test_a_window_too_short_for_a_band_of_its_own_says_that_it_is_narrow():
    rng = np.random.default_rng(5)
    people = np.stack([brain_noise(rng, 75 * RATE, 4) for _ in range(2)])
    people[:, 60 * RATE :] += 5 * np.stack([narrow_noise(rng, 15 * RATE, 4) for _ in range(2)])
    chosen = SETTINGS.model_copy(update={"null_history_s": 60, "window_s": 8})
    observer = GroupObserver(2, RATE, chosen, layout=RowLayout.plain(4))
    found = [observer(second) for second in seconds_of(people)][-1]
    assert observer.notice == BY_SPECTRA
    assert (found.low < found.high).all()


def test_a_session_that_begins_inside_a_reference_has_no_whole_window_for_a_band_of_its_own():
    rng = np.random.default_rng(6)
    reference, people = brain_noise(rng, 90 * RATE, 2), brain_noise(rng, 12 * RATE, 2)[None]
    reference[5 * RATE : 17 * RATE] += 5 * narrow_noise(rng, 12 * RATE, 2)
    people[0] += 5 * narrow_noise(rng, 12 * RATE, 2)
    observer = ReferenceObserver(1, reference, -5 * RATE, RATE, SETTINGS, layout=RowLayout.plain(2))
    told = {}
    for k, second in enumerate(seconds_of(people), start=1):
        found = observer(second)
        if found is not None and np.isfinite(found.low).all():
            told[k] = observer.notice
    assert told == {k: BY_SPECTRA if k < W else BY_WINDOW for k in range(6, 13)}


def narrow_noise(rng: np.random.Generator, samples: int, rows: int) -> np.ndarray:
    """Unit-variance noise of 9 to 11 Hz."""
    frequency = np.fft.rfftfreq(samples, 1 / RATE)
    white = np.fft.rfft(rng.standard_normal((samples, rows)), axis=0)
    found = np.fft.irfft(white * (np.abs(frequency - 10) < 1)[:, None], samples, axis=0)
    return found / found.std(axis=0)
