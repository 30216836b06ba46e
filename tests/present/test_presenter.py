"""The presenter and its pure functions, without Qt."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rtaffect.common.errors import RtaffectError
from rtaffect.common.settings import NO_DRIFT
from rtaffect.observed.operator import LEAST_SPECIFICITY
from rtaffect.present.number_text import session_clock, signed
from rtaffect.present.sections import (
    chosen_channel,
    lacking,
    list_lines,
    percent,
    resolved,
    row_hint,
    row_remark,
    row_title,
    section_hint,
)
from rtaffect.present.session_state import (
    correlation_limits,
    describe_notices,
    describe_source,
    describe_step,
    resolve_headline,
    short_names,
)
from rtaffect.present.time_courses import agreement, break_at_gaps, running_mean
from rtaffect.stream.status import SourceStatus
from rtaffect.view import Presenter, run_window
from tests.support.fake_feedback import (
    BLOCKS,
    CHANNELS,
    PEOPLE,
    WARM_UP,
    FakeRows,
    component_rows,
    fake_protocol_step,
    fake_session,
    region_rows,
)


def fed(steps: int, **options: object) -> Presenter:
    presenter = Presenter()
    for feedback in fake_session(steps, **options):  # type: ignore[arg-type]
        presenter.add(feedback)
    return presenter


def test_state_holds_what_was_added() -> None:
    session = fake_session(60)
    presenter = fed(60)
    presenter.select(5)
    state = presenter.state()
    np.testing.assert_array_equal(state.row.time, [f.time for f in session])
    for quantity in ("predicted", "predicted_low", "predicted_high", "observed", "null_low", "null_high"):
        np.testing.assert_array_equal(getattr(state.row, quantity), [getattr(f, quantity)[5] for f in session])
    np.testing.assert_array_equal(state.mean.observed, [f.observed_mean for f in session])
    np.testing.assert_array_equal(state.mean.predicted_high, [f.predicted_mean_high for f in session])
    assert state.row.name == CHANNELS[5]
    assert state.latest is not None
    assert state.latest.quality.shape == (len(PEOPLE), len(CHANNELS))


def test_history_is_bounded_and_keeps_the_newest() -> None:
    presenter = Presenter(history_s=50)
    session = fake_session(180)
    presenter.add(session[0])
    arrays_at_first = (presenter._time, presenter._values)
    for feedback in session[1:]:
        presenter.add(feedback)
    state = presenter.state()
    np.testing.assert_array_equal(state.row.time, np.arange(131, 181))
    assert presenter._time is arrays_at_first[0]
    assert presenter._values is arrays_at_first[1]


def test_old_steps_leave_by_time_even_when_steps_are_missing() -> None:
    presenter = Presenter(history_s=50)
    for feedback in fake_session(200)[::4]:
        presenter.add(feedback)
    time = presenter.state().row.time
    assert time[-1] - time[0] < 50


def test_missing_steps_break_the_line() -> None:
    session = fake_session(40)
    presenter = Presenter()
    for feedback in session[:20] + session[25:]:
        presenter.add(feedback)
    course = presenter.state().row
    assert course.time.size == 36
    assert np.isnan(course.predicted[20])
    assert np.isfinite(course.predicted[[19, 21]]).all()
    assert (np.diff(course.time) > 0).all()


def test_revision_grows_with_every_change_only() -> None:
    presenter = fed(3)
    before = presenter.revision
    presenter.state()
    presenter.select(0)
    assert presenter.revision == before
    presenter.select(1)
    presenter.end("over")
    presenter.end("over again")
    assert presenter.revision == before + 2
    assert presenter.state().revision == presenter.revision
    assert presenter.state().ended == "over"


@pytest.mark.parametrize("row", [-1, len(CHANNELS)])
def test_a_row_that_is_not_there_is_refused(row: int) -> None:
    with pytest.raises(ValueError, match=f"row {row} does not exist; expected 0 to 23"):
        fed(1).select(row)


def test_other_rows_begin_anew_and_keep_the_choice_by_name() -> None:
    presenter = fed(30)
    presenter.select(CHANNELS.index("Cz"))
    for feedback in fake_session(12, rows=("Cz", "Pz", "Oz")):
        presenter.add(feedback)
    state = presenter.state()
    assert (state.selected, state.row.name, state.row.time.size) == (0, "Cz", 12)


def test_the_choice_is_kept_by_kind_and_name() -> None:
    shares = np.array([0.5, 0.6, 0.1])
    first = FakeRows(("insula", "insula", "cuneus-lh"), ("zone", "group", "region"), shares, CHANNELS, "1 zone")
    turned = FakeRows(first.rows[::-1], first.kinds[::-1], shares[::-1], CHANNELS, "1 zone")
    presenter = fed(12, rows=first)
    presenter.select(1)
    for feedback in fake_session(12, rows=turned):
        presenter.add(feedback)
    assert presenter.state().selected == 1
    presenter.select(0)
    for feedback in fake_session(12, rows=region_rows()):
        presenter.add(feedback)
    assert presenter.state().selected == region_rows().rows.index("cuneus-lh")
    for feedback in fake_session(12, rows=turned):
        presenter.add(feedback)
    assert presenter.state().selected == 0
    assert fed(12, rows=turned).state().selected == 2, "the first line of the list, not the first row"
    assert presenter.state().mean.name == "mean over 1 zone"


def test_a_step_number_that_falls_begins_anew() -> None:
    presenter = fed(30)
    presenter.add(fake_session(1)[0])
    assert presenter.state().row.time.tolist() == [1.0]


@pytest.mark.parametrize("wrong", [{"history_s": 0.5}, {"step_s": 0.0}, {"smooth_steps": 0}, {"window_s": 0.2}])
def test_settings_that_cannot_work_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected history_s >= step_s > 0"):
        Presenter(**wrong)  # type: ignore[arg-type]


def test_the_longest_step_is_kept() -> None:
    presenter, session = Presenter(), fake_session(4)
    for feedback, cost in zip(session, (0.02, 0.3, 0.05, 0.01), strict=True):
        presenter.add(dataclasses.replace(feedback, stage_s={"eeg": cost, "features": 0.1}))
    assert presenter.state().longest_step_s == pytest.approx(0.4)


def test_moments_are_kept_without_what_the_participant_is_shown() -> None:
    presenter = Presenter()
    assert presenter.state().protocol is None
    for step in range(1, 130):
        presenter.add_protocol_step(fake_protocol_step(step, level=0.8))
    state = presenter.state()
    assert state.protocol is not None
    assert (state.protocol.name, state.protocol.phase, state.protocol.left_s) == ("Run 1", "running", 91.0)
    assert [(mark.time, mark.text) for mark in state.marks] == [(20.0, "Baseline"), (100.0, "Run 1")]
    assert "shown" not in {field.name for field in dataclasses.fields(state.protocol)}
    other = Presenter()
    for step in range(1, 130):
        other.add_protocol_step(fake_protocol_step(step, level=None))
    assert other.state().protocol == state.protocol


def test_blocks_are_named_as_far_as_they_are_known() -> None:
    presenter = Presenter()
    for step in (10, 30, 90, 110):
        presenter.add_protocol_step(fake_protocol_step(step))
    assert [block.name for block in presenter.state().blocks] == ["Baseline", "Run 1", "Pause", "", ""]
    presenter.plan(BLOCKS)
    assert presenter.state().blocks == BLOCKS


def test_markers_leave_with_the_history_they_stand_in() -> None:
    presenter, session = Presenter(history_s=50), fake_session(100)
    presenter.add(session[9])
    presenter.mark(10.2, "cough")
    assert [mark.text for mark in presenter.state().marks] == ["cough"]
    for feedback in session[10:]:
        presenter.add(feedback)
    presenter.mark(99.0, "door {1}")
    assert [mark.text for mark in presenter.state().marks] == ["door {1}"]


def test_adding_and_reading_from_two_threads() -> None:
    presenter, session = Presenter(history_s=40), fake_session(400)
    engine = threading.Thread(target=lambda: [presenter.add(f) for f in session])
    engine.start()
    revision = -1
    while engine.is_alive():
        state = presenter.state()
        assert state.revision >= revision
        revision = state.revision
        if state.latest is not None:
            assert state.row.time[-1] == state.latest.time
            np.testing.assert_array_equal(state.row.predicted[-1], state.latest.predicted[0])
    engine.join()
    assert presenter.state().revision == 400


@given(
    values=arrays(np.float64, st.integers(0, 40), elements=st.floats(-0.99, 0.99) | st.just(float("nan"))),
    steps=st.integers(1, 8),
)
def test_running_mean_is_the_causal_mean_of_fisher_z(values: np.ndarray, steps: int) -> None:
    expected = np.full(values.size, np.nan)
    for i in range(values.size):
        window = [v for v in values[max(0, i - steps + 1) : i + 1] if not np.isnan(v)]
        if not np.isnan(values[i]):
            expected[i] = np.tanh(np.mean(np.arctanh(window)))
    np.testing.assert_allclose(running_mean(values, steps), expected, atol=1e-12)


def test_agreement_is_pearson_over_the_steps_with_both() -> None:
    rng = np.random.default_rng(1)
    x = 0.3 * rng.normal(size=100)
    y = np.tanh(x + 0.3 * rng.normal(size=100))
    x = np.tanh(x)
    x[:10], y[50:60] = np.nan, np.nan
    both = np.isfinite(x) & np.isfinite(y)
    found = agreement(x, y, drift=NO_DRIFT)
    assert found.steps == 80
    assert found.r == pytest.approx(np.corrcoef(np.arctanh(x[both]), np.arctanh(y[both]))[0, 1])
    assert found.distance == pytest.approx(np.abs(x - y)[both].mean())
    assert found.text == f"r = {found.r:.2f} over 80 steps, by chance n/a (needs 120 steps)"
    assert found.distance_text == f"mean size {found.distance:.2f}, by chance n/a (needs 120 steps)"


def test_agreement_says_what_chance_gives_once_there_is_enough() -> None:
    rng = np.random.default_rng(2)
    x = 0.3 * rng.normal(size=150)
    found = agreement(np.tanh(x), np.tanh(-x + 0.3 * rng.normal(size=150)))
    assert found.r_chance is not None
    assert found.distance_chance is not None
    low, high = found.r_chance
    assert found.r < low < 0 < high  # type: ignore[operator]
    assert found.text == f"r = {signed(found.r)} over 150 steps, by chance {signed(low)} to {signed(high)}"  # type: ignore[arg-type]
    assert "\N{MINUS SIGN}" in found.text
    assert "-" not in found.text


def test_agreement_has_no_value_when_it_means_nothing() -> None:
    assert agreement(np.arange(19.0), np.arange(19.0)).r is None
    assert agreement(np.arange(19.0), np.arange(19.0)).text == "r = n/a (19 of 20 steps needed)"
    assert agreement(np.full(30, 0.1), np.arange(30.0)).r is None
    assert "n/a" in agreement(np.full(30, 0.1), np.arange(30.0)).text


def test_break_at_gaps_leaves_regular_steps_alone() -> None:
    time, values = np.arange(5.0), np.ones((5, 2))
    assert break_at_gaps(time, values, 1.0)[0] is time


def test_headlines() -> None:
    assert resolve_headline(Presenter().state(), 0.0) == ("waiting for data", "no step yet")
    assert resolve_headline(fed(WARM_UP).state(), 0.2)[0] == "waiting for data"
    running = fed(40)
    assert resolve_headline(running.state(), 0.2) == ("running", "")
    assert resolve_headline(running.state(), 7.4) == ("stalled", "no step for 7 s")
    assert resolve_headline(fed(40, lost=PEOPLE[1]).state(), 0.2) == ("fault", "Muse-27C0 lost")
    running.end("the sound is over")
    assert resolve_headline(running.state(), 7.4) == ("ended", "the sound is over")
    running.fail("fault: disk full")
    assert resolve_headline(running.state(), 7.4) == ("fault", "fault: disk full")


def test_words_about_sources_and_steps() -> None:
    source = SourceStatus("muse", "eeg", "ok", 0.12, 10, 2, 1, 0, -3.4, "battery low")
    words = describe_source(source, 1.0)
    assert (words.state, words.age, words.gaps, words.drift) == ("ok", "1.1 s", "2", "-3 ppm")
    assert describe_source(source, 9.0).state == "was ok"
    unseen = dataclasses.replace(source, state="waiting", age_s=float("nan"), drift_ppm=float("nan"))
    assert describe_source(unseen, 1.0).age == "none yet"
    feedback = dataclasses.replace(fake_session(40)[-1], sources=(source,), reason="no reference")
    assert describe_step(feedback) == "step 40  ·  observed against the stored reference"
    assert describe_notices(feedback) == "no reference   ·   muse: battery low"
    assert describe_step(None) == "no step yet"
    assert describe_notices(None) == ""


@pytest.mark.parametrize(("state", "headline"), [("wrong-rate", "fault"), ("duplicate", "fault"), ("ended", "running")])
def test_each_state_of_a_source_has_words(state: str, headline: str) -> None:
    presenter, last = fed(40), fake_session(41)[-1]
    source = dataclasses.replace(last.sources[0], state=state)  # type: ignore[arg-type]
    presenter.add(dataclasses.replace(last, sources=(source,)))
    assert describe_source(source, 0.0).state == state
    assert resolve_headline(presenter.state(), 0.0)[0] == headline


def test_sections_are_in_order_and_hold_each_row_once() -> None:
    assert list_lines(()) == ()
    assert list_lines(("channel",) * 3) == (0, 1, 2)
    assert list_lines(("region", "zone", "group", "region")) == ("zone", 1, "group", 2, "region", 0, 3)
    assert section_hint("group") == "Groups: named sets of regions, each an average"
    assert section_hint("channel") == "Channels"


def test_words_about_rows() -> None:
    feedback = fake_session(40, rows=region_rows())[-1]
    zone, region, group = 0, feedback.rows.index("insula-rh"), feedback.rows.index("prefrontal")
    shares = feedback.specificity.copy()
    shares[[zone, region]] = 0.42, 0.18
    feedback = dataclasses.replace(feedback, specificity=shares)
    assert row_title(feedback, zone) == "Zone frontal lh"
    assert row_title(feedback, region) == "Region insula-rh (18 % own)"
    assert row_hint(feedback, zone) == "Zone frontal lh\n42 % of its estimated power is its own"
    assert row_hint(feedback, group).endswith("is its own: not told apart from its neighbours by this montage")
    assert [row_remark(feedback, row) for row in (zone, 2, region)] == ["", "(not trusted now)", "(not told apart)"]
    assert resolved(feedback)[[zone, region, group]].tolist() == [True, False, False]
    assert chosen_channel(feedback, zone) is None
    early = fake_session(2, rows=region_rows())[-1]
    assert row_remark(early, region) == "(not trusted now, not told apart)"
    channel, component = fake_session(40)[-1], fake_session(40, rows=component_rows())[-1]
    assert (row_title(channel, 3), row_hint(channel, 3), chosen_channel(channel, 3)) == ("Channel F3", "Channel F3", 3)
    assert (row_title(component, 1), chosen_channel(component, 1)) == ("Component 2", None)


def test_a_share_never_seems_to_reach_a_limit_that_it_misses() -> None:
    assert [percent(share) for share in (0.3999, 0.4, float(np.float32(0.29)), 0.0, 0.997)] == [
        *("39 %", "40 %", "29 %", "0 %", "99 %")
    ]


def test_bad_data_and_a_montage_too_small_are_two_things() -> None:
    feedback = fake_session(40, rows=region_rows())[-1]
    np.testing.assert_array_equal(resolved(feedback), feedback.specificity >= LEAST_SPECIFICITY)
    assert np.flatnonzero(lacking(feedback)).tolist() == [2]
    assert not feedback.trusted[~resolved(feedback)].any()
    observed = np.where(resolved(feedback), feedback.observed, np.nan)
    np.testing.assert_array_equal(
        lacking(dataclasses.replace(feedback, observed=observed)), ~resolved(feedback) | (np.arange(86) == 2)
    )


def test_clock_and_limits() -> None:
    assert [session_clock(s) for s in (0, 59.9, 61, 3725)] == ["0:00", "0:59", "1:01", "1:02:05"]
    assert correlation_limits(np.array([np.nan])) == (-0.2, 0.4)
    assert correlation_limits(np.array([-0.31, 0.3, 0.62])) == (-0.4, 0.7)
    assert correlation_limits(np.array([-1.0, 1.0])) == (-1.0, 1.0)


def test_importing_the_view_imports_no_qt() -> None:
    code = "import sys, rtaffect.view; sys.exit(any(m.startswith(('PySide6', 'pyqtgraph')) for m in sys.modules))"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("missing", ["PySide6", "pyqtgraph"])
def test_without_qt_the_remedy_is_named(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Absent:
        def find_spec(self, name: str, path: object = None, target: object = None) -> None:
            if name.split(".", maxsplit=1)[0] == missing:
                raise ModuleNotFoundError(f"No module named {missing!r}", name=missing)

    for name in [m for m in sys.modules if m.split(".")[0] == missing or m.startswith("rtaffect.view.")]:
        if name not in ("rtaffect.present.session_presenter", "rtaffect.present.session_state"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr("rtaffect.view.show", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Absent(), *sys.meta_path])
    with pytest.raises(RtaffectError, match=r'needs .* pip install "rtaffect\[view\]"'):
        run_window(Presenter(), title="", on_close=lambda: None, now=lambda: 0.0)


def test_short_names_lose_the_ending_that_all_share() -> None:
    names = ["Orange-Muse-2262: EEG", "Green-Muse-1E58: EEG"]
    assert list(short_names(names).values()) == ["Orange-Muse-2262", "Green-Muse-1E58"]
    for kept in (["cap 1", "cap 2"], ["alone: EEG"], [], ["xEEG", "yEEG"], [": EEG", "a: EEG"], ["same", "same"]):
        assert list(short_names(kept).values()) == list(dict.fromkeys(kept))
