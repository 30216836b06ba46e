"""What a comparison of blocks cannot tell from regulation: other sounds, and time on task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from calibration.finished.regulation import Estimate
from calibration.finished.report.blocks import BlockRun, HeardPart
from calibration.pages import decimal
from rtaffect.common.words import minutes

#: Parts whose ends differ by less are the same, s: sounds begin and end a little beside their blocks.
SAME_S: Final = 3.0
#: From this p on nothing is claimed.
LEVEL: Final = 0.05
#: What a change over blocks can be, too.
LEARNING: Final = (
    "What changes from one block of feedback to the next by more than a straight line over the session is time on task "
    "as much as learning: compare arms."
)


def sounds_caution(
    kind: str, other: Sequence[BlockRun], baseline: Sequence[BlockRun], stimuli: Sequence[Mapping[str, Any]]
) -> str:
    """Return what is to be told where blocks of ``kind`` had other sounds, or other parts of them; else empty.

    ``stimuli`` tells the SHA-256 of each ``file``: sounds are the same by what is in them, whatever their names. One
    that was not kept is told by its name.
    """
    content = {str(each.get("file")): str(each.get("sha256")) for each in stimuli}
    heard, before = ([_Heard.of(part, content) for run in side for part in run.parts] for side in (other, baseline))
    named = [_names(side) for side in (heard, before)]
    if {part.content for part in heard} != {part.content for part in before}:
        told = f"other sounds were heard than in the baseline ({named[0]}; {named[1]})"
        if named[0] == named[1]:
            told = f"sounds of the same name as in the baseline ({named[0]}) were others by their content"
        return f"In {kind} {told}: the difference is one of sounds as much as of regulation."
    if _covers(heard, before) and _covers(before, heard):
        return ""
    parts = [_words(side) for side in (heard, before)]
    return (
        f"In {kind} other parts of the sounds were heard than in the baseline ({parts[0]}, against {parts[1]}): the "
        "difference is one of these parts as much as of regulation."
    )


@dataclass(frozen=True, slots=True)
class _Heard:
    """A part of a sound: what is in it, its name, and from when to when, s of the sound."""

    content: str
    name: str
    first: float
    last: float

    @classmethod
    def of(cls, part: HeardPart, content: Mapping[str, str]) -> _Heard:
        return cls(content.get(part.file, part.name), part.name, part.first, part.last)

    @property
    def words(self) -> str:
        return f"{self.name} {minutes(self.first)} to {minutes(self.last)}"

    def is_like(self, other: _Heard) -> bool:
        ends = max(abs(self.first - other.first), abs(self.last - other.last))
        return self.content == other.content and ends <= SAME_S


def _covers(parts: Sequence[_Heard], others: Sequence[_Heard]) -> bool:
    """Return whether each of ``others`` is among ``parts``."""
    return all(any(part.is_like(other) for part in parts) for other in others)


def trend_caution(kind: str, other: Sequence[BlockRun], baseline: Sequence[BlockRun], *, line: bool) -> str:
    """Return what is to be told where baselines do not lie on both sides of the blocks of ``kind``; else empty."""
    first, last = min(run.start for run in baseline), max(run.end for run in baseline)
    begin, end = min(run.start for run in other), max(run.end for run in other)
    if (first < begin and end < last) or (begin < first and last < end):
        return ""
    taken = "a straight line over the session is taken out, a bent one is not" if line else "no trend is taken out"
    return (
        f"An uncontrolled trend: baselines do not lie on both sides of {kind}, so that waning or rising with time on "
        f"task differs between them by itself ({taken}). Put a baseline on both sides, as in the example "
        "baselines-around.toml, or compare arms."
    )


def line_caution(name: str, with_line: Estimate, without: Estimate, change: float) -> str:
    """Return what is to be told where the verdict hangs on the line over the session; ``change`` is its, in 10 min."""
    verdicts = [each.p is not None and each.p < LEVEL for each in (with_line, without)]
    if verdicts[0] == verdicts[1]:
        return ""
    wanes = "falls" if change < 0 else "rises"
    start = (
        f"{name.capitalize()} depends on the trend over the session: the value {wanes} by {decimal(abs(change))} in "
        f"ten minutes within blocks. With that line taken out the difference is {decimal(with_line.value)}, else "
        f"{decimal(without.value)}"
    )
    if verdicts[1]:
        return f"{start} with p < .05: it is not to be told from time on task."
    return f"{start} and not distinguishable from 0: it rests on the line being straight."


def _names(heard: Sequence[_Heard]) -> str:
    return ", ".join(sorted({part.name for part in heard})) or "none"


def _words(heard: Sequence[_Heard]) -> str:
    return "; ".join(dict.fromkeys(part.words for part in heard))
