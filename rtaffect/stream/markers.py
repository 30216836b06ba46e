"""When the stimulus began, from the markers that the stimulus program sends."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import numpy as np

from rtaffect.common.errors import StreamError, setting
from rtaffect.common.text import clean
from rtaffect.stream.limits import MOST_MARKERS

#: The stream in which a session tells others what happens; in its recording it is none that a stimulus program sent.
OWN_MARKERS: Final = "rtaffect-markers"
#: So many kinds of markers, or times of one, are named in a message.
_NAMED: Final = 8
#: The same text again within this time is the same marker, sent twice, s.
SAME_S: Final = 1e-3
#: Numbers of this size or more are not known to the last digit.
MOST_WHOLE: Final = 1e15
_CHOICE: Final = re.compile(r"(?P<text>.*)@(?P<which>first|last|[1-9][0-9]{0,5})", re.DOTALL)


class Marker(NamedTuple):
    """A marker: its text, and its time on the LSL clock, s."""

    text: str
    time: float

    @classmethod
    def sent(cls, text: str, time: float) -> Marker:
        """Return a marker as it came from outside, its text made clean (:func:`rtaffect.common.text.clean`)."""
        return cls(clean(text), time)


class Wanted(NamedTuple):
    """The marker that is meant: its text, and which of several, by their times.

    ``which`` is 1 for the first one, 2 for the second, ..., -1 for the last one so far, None where only one may come.
    """

    text: str
    which: int | None

    @classmethod
    def parse(cls, name: str) -> Wanted:
        """Return what ``name`` means: a text, or a text, '@' and 'first', 'last' or a number from 1 on.

        Blanks around the text do not count. A text that itself ends like that is written with '@first' behind it.

        Raises
        ------
        StreamError
            If there is no text.
        """
        found = _CHOICE.fullmatch(name.strip())
        text = (found["text"] if found else name).strip()
        if not text:
            raise StreamError("the onset marker's name is empty; give the text that the stimulus program sends")
        if found is None:
            return cls(text, None)
        return cls(text, {"first": 1, "last": -1}.get(found["which"]) or int(found["which"]))

    def fits(self, text: str) -> bool:
        """Return whether a marker of this ``text`` is one of those that may be meant."""
        return text.strip() == self.text

    def waited_for(self) -> str:
        """Return what is waited for, in words."""
        which = f"number {self.which} of " if self.which is not None and self.which > 1 else ""
        return f"{which}the marker {self.text!r}"


def number_text(value: np.generic) -> str:
    """Return a marker's number as the text that it is written with: 111 and not 111.0."""
    number = float(value)
    if isinstance(value, np.integer) or (number.is_integer() and abs(number) < MOST_WHOLE):
        return str(int(value))
    return str(value)


def onset_so_far(markers: Iterable[Marker], name: str) -> float | None:
    """Return the time of the marker that ``name`` means, s on the LSL clock, None while it has not come.

    Texts are compared as they are, but for blanks around them. Markers may stand in any order. The same text again
    within ``SAME_S`` is the same marker.

    Raises
    ------
    StreamError
        If ``name`` is empty, or several fit it and it does not say which: then none of them is sure to be the one
        meant. The message says how to choose.
    """
    wanted = Wanted.parse(name)
    times = _distinct([marker.time for marker in markers if wanted.fits(marker.text)])
    if wanted.which is None and len(times) > 1:
        raise StreamError(_several(wanted.text, times))
    if wanted.which == -1:
        return times[-1] if times else None
    number = wanted.which or 1
    return times[number - 1] if len(times) >= number else None


def _distinct(times: Iterable[float]) -> list[float]:
    """Return times, s, in order, without those of a marker that was sent again."""
    found: list[float] = []
    for time in sorted(times):
        if not found or time - found[-1] > SAME_S:
            found.append(time)
    return found


def _several(text: str, times: Sequence[float]) -> str:
    listed = ", ".join(f"{time:.3f}" for time in times[:_NAMED]) + (", ..." if len(times) > _NAMED else "")
    example = setting("onset-marker", f'"{text}@1"')
    return (
        f"marker {text!r} came {len(times)} times, at {listed} s on the LSL clock, and none of them is sure; choose "
        f"one, as by {example} for the first (@2, ..., @last), or let the stimulus program send one per session"
    )


def flooded_at(times: Iterable[float]) -> float:
    """Return from when on too many of the ``times``, s, lie within a second to be sure that they are all, else inf."""
    ordered = sorted(times)
    floods = (later for first, later in zip(ordered, ordered[MOST_MARKERS:], strict=False) if later - first < 1.0)
    return next(floods, math.inf)


def flood(name: str) -> StreamError:
    """Return the error that so many markers came that the one of this ``name`` is not sure."""
    example = setting("onset-marker", f'"{Wanted.parse(name).text}@1"')
    return StreamError(
        f"more than {MOST_MARKERS} markers came within a second, so that some may be lost and none is sure; choose "
        f"one, as by {example} for the first, or let the stimulus program send fewer"
    )


def onset_from(markers: Sequence[Marker], name: str) -> float:
    """Return the time of the marker that ``name`` means, s on the LSL clock.

    Raises
    ------
    StreamError
        If it is not among ``markers``, or more than once, or it is not sure that they are all; the message says what
        came.
    """
    onset = onset_so_far(markers, name)
    if onset is None:
        raise StreamError(
            f"no marker {name!r} came; {_what_came(markers)}. Name one of those, or have the stimulus program send it"
        )
    if Wanted.parse(name).which is None and math.isfinite(flooded_at(marker.time for marker in markers)):
        raise flood(name)
    return onset


def _what_came(markers: Sequence[Marker]) -> str:
    kinds = Counter(marker.text.strip() for marker in markers)
    if not kinds:
        return "none came at all"
    listed = ", ".join(f"{text!r}" + (f" ({n} times)" if n > 1 else "") for text, n in kinds.most_common(_NAMED))
    more = len(kinds) - _NAMED
    return f"what came: {listed}" + (f" and {more} more" if more > 0 else "")
