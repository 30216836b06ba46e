"""What may be relied on at a step: decided once, from what every part says of its own health."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rtaffect.common.settings import STEP_S
from rtaffect.common.words import together
from rtaffect.stream.doubt import About, Doubt, Doubts
from rtaffect.stream.source import Source
from rtaffect.stream.status import SourceStatus

#: With more seconds of a window in doubt than this, its other seconds are not relied on either.
MOST_DOUBTFUL: Final = 2
#: States of a source in which nothing of it may be relied on now.
UNSURE: Final = frozenset({"stalled", "lost", "duplicate", "changed", "wrong-rate"})


@dataclass(frozen=True, slots=True)
class Trust:
    """What may be used at one step.

    Attributes
    ----------
    doubts : tuple of Doubt
        All that is in doubt now, each with what it is about and who says so.
    withheld : (P,) bool
        People whose window holds something that is in doubt.
    missing : (P,) bool
        People whose newest second is in doubt: it is not to be used, now or later.
    foreign : (P, window) bool
        Seconds, oldest first, that turned out to be in doubt after they had been used.
    prediction, reference : bool
        Whether what is predicted, and what is compared with a known stimulus, may be shown.
    late : bool
        Whether the step comes too late to be shown as now.
    """

    doubts: tuple[Doubt, ...]
    withheld: NDArray[np.bool_]
    missing: NDArray[np.bool_]
    foreign: NDArray[np.bool_]
    prediction: bool
    reference: bool
    late: bool

    @property
    def reasons(self) -> list[str]:
        """What is in doubt, in words, each once."""
        return together((d.part, d.words) for d in self.doubts if d.about != "arrival")


def judge(doubts: Iterable[Doubt], people: Sequence[str], used: NDArray[np.bool_], end: float, sound_s: float) -> Trust:
    """Decide what may be relied on at the step that ends at ``end`` (s, LSL clock).

    A second that is in doubt before it is used is missing, like one that never came: what is left of the window can
    still have a value. One that turns out to be in doubt afterwards has gone into filters and sums, so that its
    person has no value until the window is past it. Whoever's newest second is in doubt has no value now, and whose
    seconds are often in doubt has none in between: what troubles a stream seldom leaves its other seconds alone.

    Parameters
    ----------
    doubts
        Of all parts.
    people
        Names of the headsets, which are the parts of doubts about persons.
    used : (P, window) bool
        Which of the window's seconds, oldest first, were used; the last is the newest, which is not used yet.
    end
        Of the step.
    sound_s
        How much of the sound a prediction rests on, s.
    """
    window = used.shape[1]
    reach = max(float(window * STEP_S), sound_s)
    now = tuple(d for d in doubts if d.overlaps(end - (window * STEP_S if d.about == "person" else reach), end))
    covered = np.zeros(used.shape, np.bool_)
    ends = end - STEP_S * np.arange(window - 1, -1, -1)
    for doubt in (d for d in now if d.about == "person"):
        for person in (p for p, name in enumerate(people) if name == doubt.part):
            covered[person] |= (doubt.since <= ends) & (doubt.until > ends - STEP_S)
    foreign = covered & used
    foreign[:, -1] = False
    about = {d.about for d in now}
    return Trust(
        doubts=now,
        withheld=covered[:, -1] | foreign.any(axis=1) | (covered.sum(axis=1) > MOST_DOUBTFUL),
        missing=covered[:, -1],
        foreign=foreign,
        prediction=not about & {"sound", "place"},
        reference=not about & {"place", "stimulus"},
        late="step" in about,
    )


def doubts_of(source: Source, status: SourceStatus, first: float, last: float) -> Iterator[Doubt]:
    """Return what a source says of its samples in (``first``, ``last``], s, and of its state at ``last``."""
    about: About = "sound" if source.info.kind == "audio" else "person"
    for doubt in source.buffer.doubts.within(first, last):
        yield replace(doubt, about=about, part=source.info.name)
    if status.state in UNSURE:
        yield Doubt(status.state, last, math.inf, status.message or f"it is {status.state}", about, source.info.name)


def doubts_about(what: About, ledger: Doubts, first: float, last: float) -> Iterator[Doubt]:
    """Return what stands in ``ledger`` of (``first``, ``last``], s, as doubts about the sound's place or the step."""
    return (replace(doubt, about=what) for doubt in ledger.within(first, last))


def with_lateness(trust: Trust, end: float, now: float, late_s: float) -> Trust:
    """Say that the values of a step that ends at ``end`` are there too late ``now``, if it is later than ``late_s``."""
    lag = now - end
    if lag <= late_s:
        return trust
    words = f"this step was made {lag:.1f} s too late: its values are of the past"
    return replace(trust, doubts=(*trust.doubts, Doubt("late", end, math.inf, words, "step")), late=True)
