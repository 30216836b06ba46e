"""Until when samples had come when a step was made: what came later is kept from that step in a replay, too."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from rtaffect.observed.participant import Participant
from rtaffect.stream.doubt import Doubt
from rtaffect.stream.status import SourceStatus

#: By number of the step, what was in doubt when it was made.
RecordedDoubts = Mapping[int, Sequence[Doubt]]
#: States in which samples that are missing may still come.
_MAY_COME: Final = frozenset({"ok", "waiting", "stalled", "duplicate", "wrong-rate"})
_WORDS: Final = "what is newer came after the step was made, if at all"


class Taker(Protocol):
    """What takes in the samples of one source beside the EEG.

    ``name`` is what it is called where it is told until when samples had come, ``of`` its source's name, ``reached``
    the time of the newest sample that it has, s on the LSL clock.
    """

    name: str
    of: str
    reached: float

    def lacks(self, step: int) -> bool:
        """Return whether samples that ``step`` needs have not been taken in."""


def taken_until(step: int, recorded: RecordedDoubts | None) -> Mapping[str, float]:
    """Return by who takes them in until when the samples for ``step`` had come, where not all had, s, LSL clock."""
    doubts = () if recorded is None else recorded.get(step, ())
    return {doubt.part: doubt.since for doubt in doubts if doubt.about == "arrival"}


def arrivals(
    ways: Sequence[Sequence[Participant]],
    status: Sequence[SourceStatus],
    step: int,
    recorded: RecordedDoubts | None,
    beside: Sequence[Taker] = (),
) -> list[Doubt]:
    """Return for each of the people whose samples for ``step`` may still come until when they had come, as a doubt.

    Each of the ``ways`` that the EEG goes has all people, whose ``status`` is the first ones, or none. What is taken in
    ``beside`` the EEG is told, too.
    """
    if recorded is not None:
        return [doubt for doubt in recorded.get(step, ()) if doubt.about == "arrival"]
    states = {at.name: at.state for at in status}
    lacking: list[Participant | Taker] = [
        person
        for people in ways
        for person, at in zip(people, status, strict=False)
        if person.lacks(step) and at.state in _MAY_COME
    ]
    lacking += [each for each in beside if each.lacks(step) and states.get(each.of) in _MAY_COME]
    return [Doubt("late-samples", each.reached, math.inf, _WORDS, "arrival", each.name) for each in lacking]
