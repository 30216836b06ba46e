"""Until when samples had come when a step was made: what came later is kept from that step in a replay, too."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

from rtaffect.observed.participant import Participant
from rtaffect.stream.doubt import Doubt
from rtaffect.stream.status import SourceStatus

#: By number of the step, what was in doubt when it was made.
RecordedDoubts = Mapping[int, Sequence[Doubt]]
#: States in which samples that are missing may still come.
_MAY_COME: Final = frozenset({"ok", "waiting", "stalled", "duplicate", "wrong-rate"})
_WORDS: Final = "what is newer came after the step was made, if at all"


def taken_until(step: int, recorded: RecordedDoubts | None) -> Mapping[str, float]:
    """Return by person until when the samples for ``step`` had come, s on the LSL clock, where not all had."""
    doubts = () if recorded is None else recorded.get(step, ())
    return {doubt.part: doubt.since for doubt in doubts if doubt.about == "arrival"}


def arrivals(
    ways: Sequence[Sequence[Participant]], status: Sequence[SourceStatus], step: int, recorded: RecordedDoubts | None
) -> list[Doubt]:
    """Return for each of the people whose samples for ``step`` may still come until when they had come, as a doubt.

    Each of the ``ways`` that the EEG goes has all people, whose ``status`` is the first ones, or none.
    """
    if recorded is not None:
        return [doubt for doubt in recorded.get(step, ()) if doubt.about == "arrival"]
    return [
        Doubt("late-samples", person.reached, math.inf, _WORDS, "arrival", person.name)
        for people in ways
        for person, at in zip(people, status, strict=False)
        if person.lacks(step) and at.state in _MAY_COME
    ]
