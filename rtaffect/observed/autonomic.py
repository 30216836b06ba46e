"""Synchrony of what the body shows of arousal: electrodermal activity, heart rate and breathing of people together."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

import numpy as np

from rtaffect.common.arrays import BoolArray, FloatArray
from rtaffect.common.body_kinds import BodyKind
from rtaffect.common.errors import SettingsError, setting
from rtaffect.common.settings import STEP_S, SynchronySettings
from rtaffect.measures.measure import MeasureValues
from rtaffect.observed.body_course import AHEAD_S, COURSE_HZ, DELAY_S, LEAST_HZ, BodyCourse
from rtaffect.observed.observer import GroupObserver
from rtaffect.observed.synchrony import Observation, RowLayout
from rtaffect.stream.body import Body, body_of
from rtaffect.stream.buffer import Block
from rtaffect.stream.doubt import Doubt
from rtaffect.stream.source import Source

#: The window, s: arousal is slow, and ten seconds of it are one rise and fall.
WINDOW_S: Final = 30
#: Rows, and the signals that they are made of; the first that a person has is used.
ROWS: Final[tuple[tuple[str, tuple[BodyKind, ...]], ...]] = (
    ("eda", ("eda",)),
    ("heart rate", ("ecg", "ppg")),
    ("respiration", ("respiration",)),
)
#: The null's windows come from so long ago at most, s.
_SETTINGS: Final = SynchronySettings(window_s=WINDOW_S, null_separation_s=WINDOW_S, null_history_s=180)
#: Of a step that had all samples.
_ALL: Final[Mapping[str, float]] = MappingProxyType({})
#: What is put behind a source's name to name its peripheral signals, in doubts about what had arrived.
_PATH: Final = "/body"


class Device:
    """Takes in the peripheral signals of one source, step by step.

    Attributes
    ----------
    name, of : str
        What it is called where it is told until when samples had come, and its source's name.
    reached : float
        Time of the newest sample that was taken in, s on the LSL clock; -inf before the first.
    """

    def __init__(self, of: str, body: Body, origin: float) -> None:
        self.of, self.name, self.body, self.reached = of, f"{of}{_PATH}", body, -math.inf
        self._origin, self._cursor = origin, 0

    def take(self, step: int, before: Mapping[str, float]) -> Block:
        """Return what is new of seconds 1 to ``step``, up to what ``before`` says, s on the LSL clock."""
        until = min(self._origin + step * STEP_S, before.get(self.name, math.inf))
        block = self.body.buffer.read(self._cursor, until)
        self._cursor = block.stop
        self.reached = max([self.reached, *block.times.max(initial=-math.inf, keepdims=True).tolist()])
        return block

    def lacks(self, step: int) -> bool:
        """Return whether samples that the second of ``step`` looks at have not been taken in."""
        return self.reached < self._origin + step * STEP_S - DELAY_S + AHEAD_S


class _Part(NamedTuple):
    """One row of one person: which of their devices has the signal, in which column, and its course."""

    row: int
    device: int
    column: int
    course: BodyCourse


class _Person:
    """One person's peripheral signals on the session's grid: of one source, or of a headset and its other presets."""

    def __init__(self, name: str, devices: Sequence[Device], rows: Sequence[str]) -> None:
        self.name, self.devices, bodies = name, devices, [device.body for device in devices]
        self.parts = list(_parts(bodies, rows))
        used = [(bodies[part.device].buffer.rate, bodies[part.device].channels[part.column]) for part in self.parts]
        self.slow = [channel.name for rate, channel in used if rate < LEAST_HZ[channel.kind]]

    def second(self, step: int, origin: float, rows: int, before: Mapping[str, float]) -> FloatArray:
        """Return the courses (10, rows) of the second that is known at ``step``; NaN where there is none.

        ``before`` says until when samples had come, s on the LSL clock, in a replay where not all had.
        """
        end = float(step * STEP_S)
        blocks = [device.take(step, before) for device in self.devices]
        found = np.full((COURSE_HZ, rows), np.nan)
        for part in self.parts:
            block = blocks[part.device]
            part.course.take(block.samples[:, part.column].astype(np.float64), block.times - origin, end)
            found[:, part.row] = part.course.second(end - DELAY_S)
        return found


def _parts(bodies: Sequence[Body], rows: Sequence[str]) -> Iterable[_Part]:
    places = [(device, column) for device, body in enumerate(bodies) for column in range(len(body.channels))]
    for row, wanted in ROWS:
        having = {kind: [at for at in places if bodies[at[0]].channels[at[1]].kind == kind] for kind in wanted}
        found = next((at[0] for at in having.values() if at), None)
        if found is not None and row in rows:
            device, column = found
            channel, rate = bodies[device].channels[column], bodies[device].buffer.rate
            yield _Part(rows.index(row), device, column, BodyCourse(channel.kind, rate, channel.unit))


def _by_person(sources: Sequence[Source], origin: float) -> dict[str, list[Device]]:
    """Return everybody's peripheral signals: what a board sends in a preset of its own is of who wears the board."""
    found: dict[str, list[Device]] = {}
    for source in sources:
        if (body := body_of(source)) is not None:
            found.setdefault(body.of or source.info.name, []).append(Device(source.info.name, body, origin))
    return found


def _require_one_owner(sources: Sequence[Source]) -> None:
    """Refuse a signal that both headsets and streams without EEG have: one person might count as two.

    Raises
    ------
    SettingsError
        If there is one.
    """
    of: dict[str, set[BodyKind]] = {"eeg": set(), "body": set()}
    for source in sources:
        if (body := body_of(source)) is not None:
            of.setdefault("eeg" if body.of else source.info.kind, set()).update(
                channel.kind for channel in body.channels
            )
    for row, kinds in ROWS:
        if of["eeg"].intersection(kinds) and of["body"].intersection(kinds):
            raise SettingsError(
                f"headsets and the streams of {setting('peripheral')} both have {row}: whose it is cannot be told",
                remedy="leave those streams out, or have the headsets send none (a board: peripheral=off)",
            )


class Autonomic:
    """Inter-subject correlation of slow courses, each person with the mean of the others, in a window of 30 s.

    Parameters
    ----------
    sources
        Headsets that send peripheral signals beside EEG, and streams of these alone. Each is a person, but for what
        comes from a headset's own device, which is of who wears it.
    origin
        LSL time of the session's zero, s.

    Attributes
    ----------
    devices : list of Device
        What takes in its sources.
    """

    name, kind, unit = "autonomic", "autonomic", ""
    #: How far back its values reach, s.
    reach_s = WINDOW_S + DELAY_S

    def __init__(self, sources: Sequence[Source], origin: float) -> None:
        people = _by_person(sources, origin)
        self.devices = [device for devices in people.values() for device in devices]
        there = {channel.kind for device in self.devices for channel in device.body.channels}
        self.rows = tuple(row for row, kinds in ROWS if there.intersection(kinds))
        _require_one_owner(sources)
        self._people = [_Person(name, devices, self.rows) for name, devices in people.items()]
        self._origin = origin
        count = len(self._people)
        layout = RowLayout.plain(len(self.rows))
        several = count > 1 and bool(self.rows)
        self._observer = GroupObserver(count, COURSE_HZ, _SETTINGS, layout=layout, spectra=False) if several else None
        # Seconds of the window, oldest first: used ones, and which of them turned out not to be what they seemed.
        self._used = np.zeros((count, WINDOW_S), np.bool_)
        self._foreign = np.zeros((count, WINDOW_S), np.bool_)

    def __call__(self, step: int, doubts: Iterable[Doubt], before: Mapping[str, float] = _ALL) -> MeasureValues:
        """Return the synchrony of the window that ends ``DELAY_S`` before ``step``.

        ``before`` says until when samples had come, s on the LSL clock, by device, in a replay where not all had.
        """
        seconds = np.zeros((len(self._people), COURSE_HZ, len(self.rows)))
        for number, person in enumerate(self._people):
            seconds[number] = person.second(step, self._origin, len(self.rows), before)
        covered = self._covered(self._origin + (step - DELAY_S) * STEP_S, tuple(doubts))
        self._used, self._foreign = (np.roll(each, -1, axis=1) for each in (self._used, self._foreign))
        self._used[:, -1] = self._foreign[:, -1] = False
        new = covered & self._used & ~self._foreign
        self._foreign |= new
        seconds[covered[:, -1]] = np.nan
        self._used[:, -1] = ~covered[:, -1]
        if self._observer is None:
            return self._values(None)
        if new.any():
            self._observer.forget(new)
        withheld = np.asarray(self._foreign.any(axis=1)) | covered[:, -1]
        return self._values(self._observer(seconds, withheld if withheld.any() else None))

    def _covered(self, end: float, doubts: Sequence[Doubt]) -> BoolArray:
        """Return which seconds of the window that ends at ``end`` (s, LSL clock) are in doubt (people, seconds)."""
        ends = end - STEP_S * np.arange(WINDOW_S - 1, -1, -1)
        covered = np.zeros((len(self._people), WINDOW_S), np.bool_)
        for number, person in enumerate(self._people):
            for doubt in (each for each in doubts if each.about == "person" and each.part == person.name):
                covered[number] |= (doubt.since <= ends) & (doubt.until > ends - STEP_S)
        return covered

    def _values(self, found: Observation | None) -> MeasureValues:
        people, rows = len(self._people), len(self.rows)
        nothing = np.full(rows, np.nan)
        each = found.each if found is not None else np.full((people, rows), np.nan)
        mean, low, high = (found.mean, found.low, found.high) if found is not None else (nothing,) * 3
        # Who has no such signal has no value, and with one person alone nobody has.
        names = tuple(person.name for person in self._people)
        return MeasureValues(
            self.name, self.kind, self.unit, -1.0, 1.0, self.rows, names, each, mean, low, high, self._trouble()
        )

    def _trouble(self) -> str:
        slow = [f"{person.name}: {', '.join(person.slow)}" for person in self._people if person.slow]
        alone = ["synchrony needs two people with such signals"] if self._observer is None else []
        return "; ".join([*alone, *(f"{text} comes too slowly" for text in slow)])

    def describe(self) -> dict[str, object]:
        """Return what ``session.toml`` says of it."""
        people = [person.name for person in self._people]
        return {"name": self.name, "kind": self.kind, "window_s": WINDOW_S, "rows": list(self.rows), "of": people}
