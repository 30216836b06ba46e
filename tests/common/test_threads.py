"""Small matrices get one BLAS thread wherever rtaffect works on them; large ones keep all."""

from __future__ import annotations

import inspect
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import calibration.learner
import calibration.model
import calibration.sweep
import calibration.validation
import rtaffect.engine.measuring
from calibration.corrca import Moments
from calibration.model import RidgeSynchrony, basis_of
from calibration.sweep import Question, sweep
from calibration.validation import fit
from rtaffect.common.settings import PredictionSettings, Settings
from rtaffect.common.threads import LARGE, BlasThreads, one_thread, quick_turns, threads_for
from rtaffect.engine.engine import Engine
from rtaffect.observed.spaces import ChannelSpace
from rtaffect.predicted.featurizer import default_featurizer
from rtaffect.sources.recorded import ArraySource
from rtaffect.stream.source import StreamInfo

MANY = 3


def numbers() -> set[int]:
    """Return the numbers of threads of all BLAS libraries that are loaded."""
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


@pytest.fixture(autouse=True)
def many_threads():
    """Have more than one thread, on a computer with one core, too, and as many when the test has ended."""
    with threadpool_limits(MANY, user_api="blas"):
        assert numbers() == {MANY}
        yield
        assert numbers() == {MANY}


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any, str], list[set[int]]]:
    """Return what notes the threads at each call of a function that stays as it is."""

    def watch(owner: Any, name: str) -> list[set[int]]:
        found: list[set[int]] = []
        original = inspect.getattr_static(owner, name)

        def noted(*args: Any, **options: Any) -> Any:
            found.append(numbers())
            return original(*args, **options)

        monkeypatch.setattr(owner, name, noted)
        return found

    return watch


def study() -> tuple[list[np.ndarray], list[np.ndarray], Settings]:
    rng = np.random.default_rng(1)
    features = [rng.standard_normal((60, 20)) for _ in range(3)]
    targets = [0.1 * rng.standard_normal((60, 3)) for _ in features]
    return features, targets, Settings(prediction=PredictionSettings(n_components=4, lags_s=(0, 1)))


def test_a_fold_of_the_calibration_has_one_thread(seen: Callable[[Any, str], list[set[int]]]) -> None:
    inner, solved = seen(calibration.learner._InnerFold, "__init__"), seen(calibration.learner, "ridge_of")
    predicted = seen(calibration.validation, "_predicted")
    fit(*study())
    assert len(inner) > 6
    assert inner + solved + predicted == [{1}] * len(inner + solved + predicted)


def test_the_model_alone_has_one_thread_to_fit_refit_and_predict(seen: Callable[[Any, str], list[set[int]]]) -> None:
    learnt, made = seen(calibration.model.Learner, "learn"), seen(calibration.model, "components_of")
    (features, *_), (target, *_), _ = study()
    RidgeSynchrony(4).fit(features, target).refit(target).predict(features)
    assert learnt == [{1}, {1}]
    assert made == [{1}]


def test_nulls_and_their_folds_have_one_thread(seen: Callable[[Any, str], list[set[int]]]) -> None:
    watched = [seen(calibration.sweep, name) for name in ("shift_null", "phase_null", "exact_null")]
    features, targets, settings = study()
    people = [t[None].repeat(3, axis=0) for t in targets]
    sweep({"layer-0": features}, Question(targets, people, np.ones(3, np.bool_)), settings, lambda _: None, draws=5)
    # Shifts once more for the same with drifts left in.
    assert watched == [[{1}, {1}], [{1}], [{1}]]


def test_a_step_of_the_engine_has_one_thread(seen: Callable[[Any, str], list[set[int]]]) -> None:
    eeg = 1e-5 * np.random.default_rng(1).standard_normal((1000, 2))
    people = [ArraySource(StreamInfo(name, "eeg", 250.0, ("C3", "C4"), "memory"), eeg, 0.0) for name in "ab"]
    engine = Engine(people, ChannelSpace(("C3", "C4")), Settings(), 0.0)
    advanced, observed = seen(rtaffect.engine.measuring.Participant, "advance"), seen(Engine, "_observe")
    for source in people:
        source.advance(2.0)
    engine.step(2.0)
    assert advanced + observed == [{1}] * 3


def test_large_work_inside_of_small_work_has_all_threads() -> None:
    with one_thread():
        with threads_for(LARGE):
            assert numbers() == {MANY}
        with threads_for(LARGE - 1):
            assert numbers() == {1}
        assert numbers() == {1}
    with threads_for(LARGE - 1):
        assert numbers() == {1}


def test_the_components_of_many_features_have_all_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []

    def noted(matrix: np.ndarray, **options: Any) -> tuple[np.ndarray, np.ndarray]:
        found.append(numbers())
        return np.ones(2), np.eye(len(matrix))[:, -2:]

    monkeypatch.setattr(calibration.model, "eigh", noted)
    rng = np.random.default_rng(1)
    with one_thread():
        basis_of(rng.standard_normal((600, 8)), 2)
        basis_of(rng.standard_normal((600, 512)), 2)
    assert found == [{1}, {MANY}]


def test_the_sums_of_correlated_components_have_threads_by_their_size() -> None:
    seen: list[set[int]] = []

    class Noted(np.ndarray):
        def __iadd__(self, other: Any) -> Any:
            seen.append(numbers())
            return super().__iadd__(other)

    with one_thread():
        for people in (2, 20):
            moments = Moments(people, 32)
            moments._sums = moments._sums.view(Noted)
            moments.add(np.random.default_rng(1).standard_normal((people, 500, 32)))
    assert seen == [{1}, {MANY}]


def test_the_last_of_several_threads_at_small_work_gives_all_threads_back() -> None:
    inside, leave = threading.Event(), threading.Event()

    def other() -> None:
        with one_thread():
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=other)
    with one_thread():
        thread.start()
        assert inside.wait(10)
        with threads_for(LARGE):
            # The other one's work would pay for it.
            assert numbers() == {1}
    assert numbers() == {1}
    leave.set()
    thread.join()
    assert numbers() == {MANY}


def test_small_work_that_begins_beside_large_work_has_one_thread() -> None:
    begin, begun = threading.Event(), threading.Event()

    def other() -> None:
        begin.wait(10)
        with one_thread():
            begun.set()

    thread = threading.Thread(target=other)
    thread.start()
    with one_thread():
        with threads_for(LARGE):
            assert numbers() == {MANY}
            begin.set()
            assert begun.wait(10)
            thread.join()
            assert numbers() == {1}
        assert numbers() == {1}


def test_an_error_gives_all_threads_back() -> None:
    with pytest.raises(ValueError, match="wrong"), one_thread():
        raise ValueError("wrong")
    assert numbers() == {MANY}
    blas = BlasThreads()
    with pytest.raises(ValueError, match="wrong"), blas.at_small_work(), blas.at_work_of(LARGE):
        raise ValueError("wrong")


def test_a_library_that_has_a_number_for_each_thread_is_held_in_each() -> None:
    class Library:
        def __init__(self) -> None:
            self._mine = threading.local()

        def get_num_threads(self) -> int:
            return getattr(self._mine, "number", MANY)

        def set_num_threads(self, number: int) -> None:
            self._mine.number = number

    library, blas, found = Library(), BlasThreads(), []
    blas._found = ([], [library])

    def work() -> None:
        with blas.at_small_work():
            found.append(library.get_num_threads())
            with blas.at_work_of(LARGE):
                found.append(library.get_num_threads())
            found.append(library.get_num_threads())
        found.append(library.get_num_threads())

    with blas.at_small_work():
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        work()
    assert found == [1, MANY, 1, MANY, 1, MANY, 1, 1]


def test_threads_of_the_featurizer_sleep_while_it_is_idle() -> None:
    featurizer = default_featurizer(lambda _: None, threads=2)
    options = featurizer._session.get_session_options()
    for pool in ("intra", "inter"):
        assert options.get_session_config_entry(f"session.{pool}_op.allow_spinning") == "0"
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (2, 1)


@pytest.mark.parametrize(("threads", "seconds"), [(1, 5e-4), (8, 5e-4), (32, 2e-3), (100, 5e-3)])
def test_turns_are_short_only_where_few_threads_look_for_theirs(threads, seconds):
    """Each thread that waits looks as often: a hundred of them, every half a millisecond, would do nothing else."""
    before = sys.getswitchinterval()
    with quick_turns(threads):
        assert sys.getswitchinterval() == pytest.approx(min(before, seconds))
    assert sys.getswitchinterval() == before
