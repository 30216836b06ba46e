"""Runs a session's measures, each on a thread of its own, and lets none of them hold or end a step."""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rtaffect.common.arrays import FloatArray
from rtaffect.common.errors import SettingsError, setting
from rtaffect.common.text import clean
from rtaffect.measures.choice import ChosenMeasure
from rtaffect.measures.measure import Measure, MeasureValues, Values, Window, of_whom

#: A step waits so long for all measures together, s; and where nobody waits for the step.
WAIT_S, PATIENCE_S = 0.2, 30.0
#: So long it may take once before the session, where it loads what it needs, s.
_FIRST_S: Final = 20.0
#: After so many steps in a row without it, a measure is switched off.
_MOST_SLOW: Final = 3


class Failure(NamedTuple):
    """Why a measure has no values: in ``step``, or from it on if it ``lasts``."""

    name: str
    words: str
    step: int
    lasts: bool


class NewSecond(NamedTuple):
    """What a step brings: P people.

    ``samples`` (P, rate, C) V, NaN where missing; ``missing`` and ``withheld`` (P,) people whose newest second, or who
    at all, cannot be relied on; ``foreign`` (P, seconds) which earlier seconds, oldest first, the newest for the last,
    turned out not to be what they seemed.
    """

    samples: FloatArray
    missing: NDArray[np.bool_]
    withheld: NDArray[np.bool_]
    foreign: NDArray[np.bool_]


class MeasureHost:
    """The measures of a session.

    Parameters
    ----------
    chosen
        Which.
    people, channels
        Names of the headsets, and of the channels that all have.
    rate
        Samples per second.
    wait_s
        How long a step waits for them, s.

    Raises
    ------
    SettingsError
        If one is for more people than there are, or fails at once.
    """

    def __init__(
        self,
        chosen: Sequence[ChosenMeasure],
        people: Sequence[str],
        channels: Sequence[str],
        rate: int,
        wait_s: float = WAIT_S,
    ) -> None:
        self.chosen, self._people, self._channels = tuple(chosen), tuple(people), tuple(channels)
        self._rate, self._wait_s, self._step = rate, wait_s, 0
        self._seconds = max((each.reach_s for each in chosen), default=1)
        shape = len(people), len(channels), self._seconds * rate
        self._samples: FloatArray = np.full(shape, np.nan)
        self._missing = np.ones((len(people), self._seconds), np.bool_)
        self._doubtful = np.zeros_like(self._missing)
        self._runners = [_Runner(each, self._people) for each in chosen]
        self._rehearse()

    def _rehearse(self) -> None:
        """Call another object of each measure once with nothing, so that what is wrong is known before the session."""
        for each in self.chosen:
            if each.kind == "pair" and len(self._people) < 2:
                raise SettingsError(
                    f"{setting('measure', each.asked)} is of every two people, but there is {len(self._people)}",
                    remedy="connect another headset, or leave it out",
                )
            trial = _Runner(each, self._people, each.another())
            nobody = np.zeros(len(self._people), np.bool_)
            trial.begin(self._window(each, nobody), nobody)
            if (failure := trial.end(time.monotonic() + _FIRST_S)[1]) is not None:
                trial.kill()
                raise SettingsError(f"{setting('measure', each.asked)}: {failure.words}", remedy="mend it")

    def describe(self) -> list[dict[str, object]]:
        """Return what ``session.toml`` says of them."""
        return [
            {
                "name": each.name,
                "asked": each.asked,
                "kind": each.kind,
                "window_s": each.window_s,
                "low": each.low,
                "high": each.high,
                "unit": each.unit,
                "rows": list(each.rows),
                "sha256": each.sha256 or None,
            }
            for each in self.chosen
        ]

    def step(self, new: NewSecond, off: Iterable[Failure] = ()) -> tuple[tuple[MeasureValues, ...], list[Failure]]:
        """Take in the newest second; return what each measure gave, and why some gave nothing.

        ``off`` are measures that have no value in this step whatever they give, as it was when the session was live.
        """
        self._step += 1
        self._take_in(new)
        told = {each.name: each for each in off}
        withheld = [new.withheld | self._doubtful[:, -each.reach_s :].any(axis=1) for each in self.chosen]
        for runner, gone in zip(self._runners, withheld, strict=True):
            runner.begin(self._window(runner.chosen, gone), gone)
        deadline = time.monotonic() + self._wait_s
        values, failures = [], []
        for runner in self._runners:
            found, failure = runner.end(deadline)
            failure = told.get(runner.chosen.name, failure)
            if failure is not None:
                failures.append(failure)
                if failure.lasts:
                    runner.switch_off(failure)
            values.append(runner.values(found if failure is None else None, failure))
        return tuple(values), failures

    def _take_in(self, new: NewSecond) -> None:
        """Keep the newest second; new arrays, for a measure that is slow still has the old ones."""
        newest = np.where(new.missing[:, None, None], np.nan, new.samples).swapaxes(1, 2)
        self._samples = np.concatenate([self._samples[..., self._rate :], newest], axis=-1)
        self._missing = np.concatenate([self._missing[:, 1:], new.missing[:, None]], axis=1)
        self._doubtful = np.concatenate([self._doubtful[:, 1:], np.zeros((len(newest), 1), np.bool_)], axis=1)
        kept = min(new.foreign.shape[1], self._seconds)
        foreign = new.foreign[:, new.foreign.shape[1] - kept :]
        self._doubtful[:, self._seconds - kept :] |= foreign
        self._missing |= self._doubtful
        self._samples[np.repeat(self._doubtful, self._rate, axis=1)[:, None].repeat(newest.shape[1], axis=1)] = np.nan
        self._samples.flags.writeable = False

    def _window(self, chosen: ChosenMeasure, withheld: NDArray[np.bool_]) -> Window:
        seconds = chosen.window_s
        samples = self._samples[..., -seconds * self._rate :]
        if chosen.kind == "group" and withheld.any():
            # Nobody could tell whose part of a value it was.
            samples = np.where(withheld[:, None, None], np.nan, samples)
        missing = self._missing[:, -seconds:].copy()
        return Window(self._step, self._people, self._channels, self._rate, samples, missing, withheld.copy())


class _Found(NamedTuple):
    """What a measure gave: R rows, N people or pairs; the mean ``value``, and its null band."""

    each: FloatArray
    value: FloatArray
    low: FloatArray
    high: FloatArray


class _Runner:
    """One measure: calls it on a thread, and takes what it gave only if that is what it should be."""

    def __init__(self, chosen: ChosenMeasure, people: Sequence[str], measure: Measure | None = None) -> None:
        self.chosen, self._people = chosen, len(people)
        self._measure = measure or chosen.measure
        self._of = of_whom(chosen.kind, people)
        self._thread: threading.Thread | None = None
        self._found: list[_Found | str] = []
        self._off: Failure | None = None
        self._slow, self._remark, self._step = 0, "", 0

    def begin(self, window: Window, withheld: NDArray[np.bool_]) -> None:
        """Let it measure a window, unless it is off or is still at an earlier one."""
        if self._off is not None:
            return
        self._step = window.step
        if self._thread is not None and self._thread.is_alive():
            self.switch_off(self._failure("it takes longer than from one step to the next: switched off", lasts=True))
            return
        found: list[_Found | str] = []
        self._found, task = found, f"measure {self.chosen.name}"
        self._thread = threading.Thread(target=self._call, args=(window, withheld, found), name=task, daemon=True)
        self._thread.start()

    def end(self, deadline: float) -> tuple[_Found | None, Failure | None]:
        """Return what it gave until ``deadline``, s of the monotonic clock, or why it gave nothing."""
        if self._off is not None:
            return None, self._off
        assert self._thread is not None
        self._thread.join(max(0.0, deadline - time.monotonic()))
        if self._thread.is_alive():
            self._slow += 1
            if self._slow < _MOST_SLOW:
                return None, self._failure("it took too long for this step", lasts=False)
            return None, self._failure(f"it took too long in {_MOST_SLOW} steps in a row: switched off", lasts=True)
        self._slow = 0
        found = self._found[0] if self._found else "it ended without a value"
        if isinstance(found, str):
            return None, self._failure(f"{found}: switched off", lasts=True)
        return found, None

    def switch_off(self, failure: Failure) -> None:
        """Call it no more."""
        self._off = failure
        self.kill()

    def kill(self) -> None:
        """End its call, where that goes on in Python."""
        if self._thread is not None and self._thread.is_alive() and self._thread.ident is not None:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self._thread.ident), ctypes.py_object(SystemExit))

    def _failure(self, words: str, *, lasts: bool) -> Failure:
        return Failure(self.chosen.name, words, self._step, lasts)

    def _call(self, window: Window, withheld: NDArray[np.bool_], found: list[_Found | str]) -> None:
        try:
            with np.errstate(all="ignore"):
                found.append(self._checked(self._measure(window), withheld))
        except SystemExit:
            return
        except BaseException as error:
            found.append(f"it raised {clean(f'{type(error).__name__}: {error}'[:300])}")

    def _checked(self, given: object, withheld: NDArray[np.bool_]) -> _Found | str:
        """Return what it gave as numbers of the right shape, or what is wrong with it."""
        each, *band = given if isinstance(given, Values) else (given,)
        whole = len(self._of), len(self.chosen.rows)
        raw, nothing = np.asarray(each), np.full(whole[1], np.nan)
        expected = whole[1:] if self.chosen.kind == "group" and raw.ndim == 1 else whole
        if raw.dtype.kind not in "fiub":
            return f"it gave {raw.dtype} where numbers were expected"
        if raw.shape != expected:
            return f"it gave values of shape {raw.shape}; expected {expected}"
        values = _finite(raw).reshape(whole)
        if np.isinf(raw).any():
            self._remark = "infinite values are left out"
        values[list(self._gone(withheld))] = np.nan
        value = _finite(self._measure.mean(values))
        low, high = map(_finite, band or (nothing, nothing))
        if not value.shape == low.shape == high.shape == whole[1:]:
            shapes = f"{value.shape}, {low.shape} and {high.shape}"
            return f"its mean and null band have shapes {shapes}; expected {whole[1:]}"
        there = np.isfinite(value)
        return _Found(values, value, np.where(there, low, np.nan), np.where(there, high, np.nan))

    def values(self, found: _Found | None, failure: Failure | None) -> MeasureValues:
        """Return what is shown of it."""
        chosen = self.chosen
        nothing = np.full(len(chosen.rows), np.nan)
        shown = found or _Found(np.full((len(self._of), len(nothing)), np.nan), nothing, nothing, nothing)
        return MeasureValues(
            name=chosen.name,
            kind=chosen.kind,
            unit=chosen.unit,
            low=chosen.low,
            high=chosen.high,
            rows=chosen.rows,
            of=self._of,
            each=shown.each,
            value=shown.value,
            null_low=shown.low,
            null_high=shown.high,
            trouble=failure.words if failure is not None else self._remark,
        )

    def _gone(self, withheld: NDArray[np.bool_]) -> Iterator[bool]:
        """Yield whether what each value is of cannot be relied on."""
        if self.chosen.kind == "group":
            yield bool(withheld.all())
        elif self.chosen.kind == "person":
            yield from map(bool, withheld)
        else:
            yield from (bool(withheld[[a, b]].any()) for a, b in combinations(range(self._people), 2))


def _finite(values: ArrayLike) -> FloatArray:
    """Return a copy of ``values`` as numbers, NaN for what is without end."""
    given = np.array(values, np.float64)
    return np.where(np.isfinite(given), given, np.nan)
