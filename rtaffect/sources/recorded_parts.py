"""Which part of a recording is replayed, and which of its streams are on one clock.

A hole in which no stream has samples, longer than is stated, parts a recording: nobody waits through it. A stream that
has nothing in the part where the others are has a clock of its own, or was recorded at another time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from rtaffect.common.arrays import FloatArray
from rtaffect.common.errors import RecordingError, SettingsError, setting, under
from rtaffect.common.words import duration
from rtaffect.sources.recorded_times import by_number, on_one_course, unit_of
from rtaffect.sources.xdf_source import XdfSource

#: Holes that are longer part a recording, s.
HOLE_S: Final = 60.0
#: Seconds since 1970 between these, from 2001 to 2100, are Unix time; no computer runs for so long.
UNIX_S: Final = (978_307_200.0, 4_102_444_800.0)
#: Stamps that begin so near zero are counted from the start, s: no computer records so soon after it was switched on.
FROM_ZERO_S: Final = 5.0
#: Stamps lie no further than this from when the sender's clock was measured, s.
_MEASURED_S: Final = 120.0
#: A stream of which less than this share is where another is as a whole is on another clock.
_WHOLE: Final = 0.9
#: A stream on a clock of its own is placed where the others begin; its end may be this far from theirs, s, and what
#: is placed less surely than the second is not relied on.
MOST_OFF_S: Final = 2.0
SURE_S: Final = 0.05


class Timed(NamedTuple):
    """A stream's times (n,), s, as they would be delivered, and its rate, Hz; ``own`` is what shows another clock."""

    name: str
    times: FloatArray
    rate: float
    own: str = ""


class Part(NamedTuple):
    """A part of a recording: first and last time in it, s, and how many s of samples each stream has there."""

    first: float
    last: float
    seconds: tuple[float, ...]


def is_lsl(time: float) -> bool:
    """Return whether a time, s, may be one of an LSL clock by its size."""
    return abs(time) >= FROM_ZERO_S and not UNIX_S[0] <= time < UNIX_S[1]


def clock_of_its_own(stamps: FloatArray, measured: FloatArray, corrected: FloatArray) -> str:
    """Return in words what shows that ``stamps`` (n,) are on no LSL clock; '' for nothing.

    ``measured`` (m,) are the times on the sender's LSL clock at which it was measured, ``corrected`` (n,) the stamps
    on the recorder's clock; all in s.
    """
    if not len(stamps):
        return ""
    middle, at = float(np.median(stamps)), float(np.median(corrected))
    if UNIX_S[0] <= at < UNIX_S[1]:
        return "Unix time"
    if abs(float(corrected[0])) < FROM_ZERO_S:
        return "counted from 0"
    if len(measured) and not measured.min() - _MEASURED_S <= middle <= measured.max() + _MEASURED_S:
        return f"not that by which it was measured at {measured[0]:.1f} s"
    return ""


def parts_of(streams: Sequence[Timed], hole_s: float) -> list[Part]:
    """Return the parts of a recording, in order of time: between them no stream has a sample for over ``hole_s``."""
    stretches: list[tuple[float, float, int, float]] = []
    for number, stream in enumerate(streams):
        if not len(stream.times):
            continue
        edges = np.flatnonzero(np.diff(stream.times) > hole_s) + 1
        pieces = np.split(stream.times, edges)
        stretches += [(float(each[0]), float(each[-1]), number, len(each) / stream.rate) for each in pieces]
    parts: list[Part] = []
    for first, last, number, seconds in sorted(stretches):
        if not parts or first - parts[-1].last > hole_s:
            parts.append(Part(first, last, (0.0,) * len(streams)))
        held = parts[-1]
        added = tuple(s + seconds * (n == number) for n, s in enumerate(held.seconds))
        parts[-1] = Part(held.first, max(held.last, last), added)
    return parts


def choose_part(
    streams: Sequence[Timed], parts: Sequence[Part], *, number: int | None = None, holding: float = math.nan
) -> int:
    """Return the number, from 0, of the part to be replayed.

    It is the one asked for by ``number``, from 1; or the one that ``holding`` (s) lies in; or that with the most EEG,
    of streams of which nothing shows a clock of their own where there are any.

    Raises
    ------
    SettingsError
        If there are not so many parts.
    """
    if number is not None:
        if not 1 <= number <= len(parts):
            raise SettingsError(
                f"{setting('part', number)} is not in the recording, which has {_counted(len(parts))}",
                remedy="leave it out, or give the number of one",
            )
        return number - 1
    for at, part in enumerate(parts):
        if part.first <= holding <= part.last:
            return at

    def worth(at: int) -> tuple[float, float]:
        held = parts[at].seconds
        return sum(s for s, stream in zip(held, streams, strict=True) if not stream.own), sum(held)

    return max(range(len(parts)), key=worth)


def _counted(n: int) -> str:
    return f"{n} part{'' if n == 1 else 's'}"


def describe_parts(parts: Sequence[Part], chosen: int, hole_s: float) -> str:
    """Return in one line that a recording has several parts, and which is replayed."""
    told = []
    for at, part in enumerate(parts[:5]):
        gap = part.first - parts[at - 1].last if at else 0.0
        told.append(f"{f'after {_lasting(gap)} ' if at else ''}part {at + 1} of {_lasting(part.last - part.first)}")
    more = f" and {len(parts) - 5} more" if len(parts) > 5 else ""
    return (
        f"in the recording there are holes of more than {hole_s:g} s: {', '.join(told)}{more}. Part {chosen + 1} is "
        f"replayed; choose another {under('part')}, or let longer holes be waited through {under('longest-hole')}"
    )


def _lasting(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 10 else duration(seconds)


def elsewhere(stream: Timed, part: Part) -> str:
    """Return in words that a stream has nothing in the part that is replayed, and what can be done."""
    off = float(stream.times[0]) - part.first
    what = (
        f"has a clock of its own ({stream.own})"
        if stream.own
        else f"has no samples in the part that is replayed: it begins {off:+.1f} s from that"
    )
    return (
        f"stream {stream.name!r}: it {what}, and is left out. If it was recorded together with the others, "
        f"{setting('resync')} places it by when its samples came"
    )


def main_span(stamps: FloatArray, rate: float) -> tuple[float, float]:
    """Return first and last time of the largest part of a stream stamped ``stamps`` (n,), all s; NaN for no samples."""
    if len(stamps) < 2 or rate <= 0:
        return (float(stamps[0]), float(stamps[-1])) if len(stamps) else (math.nan, math.nan)
    stamps = stamps / unit_of(stamps, rate)
    course = on_one_course(stamps, rate)
    times = stamps if course.why else course.stamps[course.used]
    parts = parts_of([Timed("", np.maximum.accumulate(times), rate)], HOLE_S)
    largest = max(parts, key=lambda part: part.seconds)
    return largest.first, largest.last


def longest_together(spans: Sequence[tuple[float, float]]) -> float:
    """Return how long the longest stretch is that spans (first, last), s, cover without a long hole; 0 for none."""
    longest, began, ended = 0.0, math.nan, -math.inf
    for first, last in sorted(span for span in spans if not math.isnan(span[0])):
        if first - ended > HOLE_S:
            began = first
        ended = max(ended, last)
        longest = max(longest, ended - began)
    return longest


class Settled(NamedTuple):
    """The sources that take part, first and last time of what is replayed (s), and what should be known of it."""

    sources: list[XdfSource]
    bounds: tuple[float, float] | None
    notes: list[str]


def settle(
    sources: Sequence[XdfSource],
    *,
    part: int | None,
    hole_s: float,
    resync: bool,
    holding: float = math.nan,
    beside: Sequence[tuple[float, float]] = (),
) -> Settled:
    """Choose what of a recording is replayed, and leave out of its ``sources`` what lies elsewhere.

    Other parameters, and what is raised, are those of :meth:`rtaffect.sources.xdf.XdfRecording.settle`; ``beside`` is
    when other streams, on the recorder's clock, begin and end, s.
    """
    notes = _resync(sources, hole_s, beside) if resync else []
    streams = [_timed(each) for each in sources]
    parts = parts_of(streams, hole_s)
    if not parts:
        return Settled(list(sources), None, notes)
    at = choose_part(streams, parts, number=part, holding=holding)
    played = parts[at]
    notes += [
        elsewhere(stream, played)
        for stream, held in zip(streams, played.seconds, strict=True)
        if not held and len(stream.times)
    ]
    # A stream elsewhere makes a part by itself; a hole is where streams of the part go on after it, or before.
    if any(
        a and b for other in parts if other is not played for a, b in zip(other.seconds, played.seconds, strict=True)
    ):
        notes.append(describe_parts(parts, at, hole_s))
    for source in sources:
        source.keep(played.first, played.last)
    bounds = played.first - hole_s, played.last + hole_s
    return Settled([source for source in sources if len(source)], bounds, notes)


def _timed(source: XdfSource) -> Timed:
    times = source.due if len(source) and not source.unusable else np.empty(0)
    return Timed(source.info.name, times, source.info.rate, source.own_clock)


def _resync(sources: Sequence[XdfSource], hole_s: float, beside: Sequence[tuple[float, float]]) -> list[str]:
    """Place by arrival the sources that are not on the clock of most; return what was done."""
    streams = [_timed(each) for each in sources]
    lone = _lone(sources, streams, hole_s)
    if len(sources) == 1 and beside and streams[0].own:
        lone = [True]
    others = [(s.times[0], s.times[-1]) for s, alone in zip(streams, lone, strict=True) if not alone] or beside
    notes = []
    for source, alone in zip(sources, lone, strict=True):
        if not alone:
            continue
        numbered = by_number(source.stamps, source.info.rate)
        why = source.unusable or source.own_clock
        times, off_s, note = place_by_arrival(source.info.name, numbered, others, why)
        source.place(times)
        if off_s > SURE_S:
            words = f"it is placed by when its samples came, by which it may be {off_s:.2g} s off"
            source.buffer.doubts.begin("clock-unknown", float(times[0]), words)
        notes.append(note)
    return notes


def _lone(sources: Sequence[XdfSource], streams: Sequence[Timed], hole_s: float) -> list[bool]:
    """Return which of the sources are not where the others are."""
    parts = parts_of(streams, hole_s)
    held = parts[choose_part(streams, parts)].seconds if parts else (0.0,) * len(sources)
    shares = [h * each.info.rate / max(len(each), 1) for h, each in zip(held, sources, strict=True)]
    # Where all have less there, they have more in other parts.
    return [share == 0 or share < _WHOLE <= max(shares) for share in shares]


def place_by_arrival(
    name: str, numbered: FloatArray, others: Sequence[tuple[float, float]], own: str
) -> tuple[FloatArray, float, str]:
    """Place a stream whose stamps are on no clock that is known where the others of a recording begin and end.

    A recorder takes all streams from one moment to another: the first and last samples of each came at the same times.

    Parameters
    ----------
    numbered
        Its times from the first sample on (n,), s.
    others
        When each of the others begins and ends, s.
    own
        What is wrong with its stamps, in words.

    Returns
    -------
    times : (n,) float64, s
    off_s : float
        By how much beginning and end disagree, s: what is placed so is no surer; inf where there are no others.
    note : str
        What was done.

    Raises
    ------
    RecordingError
        If it does not begin and end with them.
    """
    if not others:
        how = "its samples are timed by their number from its beginning on, and nothing is compared with it"
        return numbered, math.inf, f"stream {name!r}: {own}; there is no other stream to place it by: {how}"
    first, last = (float(np.median(each)) for each in zip(*others, strict=True))
    spread = max(max(abs(a - first), abs(b - last)) for a, b in others) if len(others) > 1 else 0.0
    off = abs((last - first) - float(numbered[-1]))
    if off > MOST_OFF_S:
        lasts = f"it lasts {numbered[-1]:.1f} s and the others {last - first:.1f} s"
        raise RecordingError(
            f"stream {name!r}: {setting('resync')} cannot place it: {lasts}, so that they were not recorded together "
            f"all the time; leave it out {under('eeg')}"
        )
    sure = max(off, spread)
    note = (
        f"stream {name!r}: its stamps are not used ({own or 'they lie elsewhere'}); it is placed by when its samples "
        f"came, with the beginning of the others, and its end shows that to be right to {max(sure, 0.001):.3f} s, "
        "but for its delay on the way"
    )
    if sure > SURE_S:
        note += f". Nothing is compared with it, for which {SURE_S:g} s are needed"
    return first + numbered, sure, note
