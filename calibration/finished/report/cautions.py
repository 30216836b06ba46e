"""What a comparison of blocks cannot tell from regulation: other sounds, and time on task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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

    def key(part: HeardPart) -> str:
        return content.get(part.file, part.name)

    heard, before = ({key(part) for run in side for part in run.parts} for side in (other, baseline))
    if heard != before:
        named = [_named([part for run in side for part in run.parts]) for side in (other, baseline)]
        if named[0] == named[1]:
            return (
                f"In {kind} sounds of the same name as in the baseline ({named[0]}) were others by their content: the "
                "difference is one of sounds as much as of regulation."
            )
        return (
            f"In {kind} other sounds were heard than in the baseline ({named[0]}; {named[1]}): the difference is one "
            "of sounds as much as of regulation."
        )
    parts = [
        sorted({(key(p), p.first, p.last, p.name) for run in side for p in run.parts}) for side in (other, baseline)
    ]
    if all(_among(part, parts[1]) for part in parts[0]) and all(_among(part, parts[0]) for part in parts[1]):
        return ""
    told = ["; ".join(f"{name} {minutes(first)} to {minutes(last)}" for _, first, last, name in some) for some in parts]
    return (
        f"In {kind} other parts of the sounds were heard than in the baseline ({told[0]}, against {told[1]}): the "
        "difference is one of these parts as much as of regulation."
    )


def _named(parts: Sequence[HeardPart]) -> str:
    return ", ".join(sorted({part.name for part in parts})) or "none"


def _among(part: tuple[str, float, float, str], others: Sequence[tuple[str, float, float, str]]) -> bool:
    return any(
        part[0] == other[0] and abs(part[1] - other[1]) <= SAME_S and abs(part[2] - other[2]) <= SAME_S
        for other in others
    )


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
