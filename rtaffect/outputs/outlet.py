"""Results and markers for other programs on the lab network: two LSL outlets."""

from __future__ import annotations

import re
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal, Protocol

import numpy as np

from rtaffect import __version__
from rtaffect.common.arrays import FloatArray
from rtaffect.engine.feedback import MEAN_ROW, Feedback
from rtaffect.outputs.lsl_outlet import LslOutlet
from rtaffect.stream.markers import OWN_MARKERS

FEEDBACK_STREAM: Final = "rtaffect-feedback"
FEEDBACK_TYPE: Final = "Feedback"
MARKER_STREAM: Final = OWN_MARKERS
MARKER_TYPE: Final = "Markers"

Quantity = Literal["predicted", "observed", "null_low", "null_high", "trusted"]
_QUANTITIES: Final[tuple[Quantity, ...]] = ("predicted", "observed", "null_low", "null_high", "trusted")

#: Steps that are kept for a reader that does not pull, in hundreds: an hour.
_KEPT_HUNDREDS = 36
_XML_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")


class Rows(Protocol):
    """What has rows: a Feedback, or the space of a session before its first step."""

    @property
    def rows(self) -> tuple[str, ...]:
        """Names of the rows."""

    @property
    def row_kinds(self) -> tuple[str, ...]:
        """What each row is: channel, zone, region, group or component."""


@dataclass(frozen=True, slots=True)
class FeedbackChannel:
    """One channel of the stream of feedback.

    Attributes
    ----------
    label : str
        ``quantity/row``; where two rows have one name, ``quantity/row (kind)``.
    quantity : Quantity
        What the value is.
    row : str
        The row's name, 'mean' for the mean over rows.
    kind : str
        What the row is: channel, zone, region, group, component or rating; 'mean' for the mean over rows.
    """

    label: str
    quantity: Quantity
    row: str
    kind: str

    @property
    def unit(self) -> str:
        """'correlation', 'rating' for the rows that are such, or 'fraction' for what is trusted."""
        if self.quantity == "trusted":
            return "fraction"
        return "rating" if self.kind == "rating" else "correlation"


def feedback_channels(of: Rows) -> tuple[FeedbackChannel, ...]:
    """Return the channels of the stream for these R rows, in the order of :func:`feedback_values`.

    First ``predicted`` of all rows, then ``observed`` of all rows, then the mean over rows (``predicted``,
    ``observed``, ``null_low``, ``null_high``, ``trusted``), then ``null_low``, ``null_high`` and ``trusted`` of all
    rows: 5 R + 5 channels, no two with the same label.
    """
    rows = [*zip(distinct_names(of.rows, of.row_kinds), of.rows, of.row_kinds, strict=True)]
    mean = [(MEAN_ROW, MEAN_ROW, MEAN_ROW)]
    first, last = _QUANTITIES[:2], _QUANTITIES[2:]
    return tuple(
        FeedbackChannel(f"{quantity}/{name}", quantity, row, kind)
        for quantities, of_rows in ((first, rows), (_QUANTITIES, mean), (last, rows))
        for quantity in quantities
        for name, row, kind in of_rows
    )


def feedback_values(f: Feedback) -> FloatArray:
    """Return the sample of one step (5 R + 5,) float64, in the order of :func:`feedback_channels`; absent is NaN.

    ``trusted`` of a row is 1 or 0. That of the mean is the share of trusted rows: among the zones where there are
    zones, because the mean is over zones then, else among all rows.
    """
    means = (f.predicted_mean, f.observed_mean, f.null_mean_low, f.null_mean_high, _trusted_share(f))
    parts = (f.predicted, f.observed, means, f.null_low, f.null_high, f.trusted)
    return np.concatenate([np.asarray(part, np.float64) for part in parts])


def new_session_id() -> str:
    """Return what tells this session from all others: its start in UTC and a random part."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:6]}"


class FeedbackOutlet:
    """Offers each step to other programs: a sink of Feedback.

    The stream is of irregular rate: a step's time is that of its window's end on the LSL clock, as given, and readers
    must not even it out.

    Parameters
    ----------
    of
        What has the session's rows; without it the stream appears with the first Feedback.
    about
        What the stream's description says of the session beside rtaffect's version and the session's id: names and
        values (None: left out), as in ``{"bundle": "study", "bundle_sha256": "...", "window_s": 10, "mode": "live"}``.
        Everybody on the network can read it: nothing that identifies a person or tells the arm.
    session
        From :func:`new_session_id`, the same for both outlets of a session.

    Raises
    ------
    ValueError
        If a name in ``about`` cannot be an element of XML.
    """

    def __init__(
        self, of: Rows | None = None, *, about: Mapping[str, object] | None = None, session: str | None = None
    ) -> None:
        self.session = session or new_session_id()
        self._about = texts_of(about or {}, self.session)
        self._outlet = _feedback_outlet(of, self._about) if of is not None else None
        self._closed = False

    def __call__(self, feedback: Feedback) -> None:
        """Send one step; a closed outlet sends nothing."""
        if self._closed:
            return
        if self._outlet is None:
            self._outlet = _feedback_outlet(feedback, self._about)
        self._outlet.push_sample(feedback_values(feedback), stamp_of(feedback.lsl_time))

    def close(self) -> None:
        """Take the stream off the network; may be called twice."""
        self._closed = True
        if self._outlet is not None:
            self._outlet.close()


class MarkerOutlet:
    """Offers the session's markers to other programs, as texts.

    Parameters
    ----------
    about, session
        As for :class:`FeedbackOutlet`.

    Raises
    ------
    ValueError
        If a name in ``about`` cannot be an element of XML.
    """

    def __init__(self, *, about: Mapping[str, object] | None = None, session: str | None = None) -> None:
        self.session = session or new_session_id()
        said = texts_of(about or {}, self.session)
        channels = [{"label": "marker", "type": MARKER_TYPE}]
        self._outlet = open_outlet(MARKER_STREAM, MARKER_TYPE, "string", channels, said)

    def send(self, text: str, lsl_time: float) -> None:
        """Send ``text`` with its time on the LSL clock, s; a closed outlet sends nothing."""
        self._outlet.push_sample([text], stamp_of(lsl_time))

    def close(self) -> None:
        """Take the stream off the network; may be called twice."""
        self._outlet.close()


def _feedback_outlet(of: Rows, about: Mapping[str, str]) -> LslOutlet:
    channels = [
        {"label": c.label, "unit": c.unit, "type": c.quantity, "row": c.row, "kind": c.kind}
        for c in feedback_channels(of)
    ]
    return open_outlet(FEEDBACK_STREAM, FEEDBACK_TYPE, "double64", channels, about, max_buffered=_KEPT_HUNDREDS)


def open_outlet(
    name: str, kind: str, form: str, channels: Sequence[Mapping[str, str]], about: Mapping[str, str], **options: int
) -> LslOutlet:
    """Return a new outlet that describes its session and each of its channels by these texts."""
    # Here, not above: who writes or reads the channels alone needs no LSL.
    import pylsl

    info = pylsl.StreamInfo(name, kind, len(channels), pylsl.IRREGULAR_RATE, form, f"{name}-{about['session']}")
    session, listed = info.desc().append_child("rtaffect"), info.desc().append_child("channels")
    for node, texts in [(session, about), *((listed.append_child("channel"), channel) for channel in channels)]:
        for key, value in texts.items():
            node.append_child_value(key, value)
    return LslOutlet(lambda: pylsl.StreamOutlet(info, **options))


def texts_of(about: Mapping[str, object], session: str) -> dict[str, str]:
    """Return what a stream says of its session; ValueError if a name in ``about`` cannot be an element of XML."""
    about = {"version": __version__, "session": session, **about}
    wrong = [key for key in about if not _XML_NAME.fullmatch(key)]
    if wrong:
        raise ValueError(f"about has {wrong}; expected names of letters, digits, '_', '-' and '.'")
    return {key: str(value) for key, value in about.items() if value is not None}


def _trusted_share(f: Feedback) -> float:
    zones = np.array([kind == "zone" for kind in f.row_kinds], np.bool_)
    asked = f.trusted[zones] if zones.any() else f.trusted
    return float(asked.mean()) if asked.size else 0.0


def distinct_names(rows: tuple[str, ...], kinds: tuple[str, ...]) -> list[str]:
    """Return a name for each of these rows, no two alike.

    Its own, with its kind where it is not the only one, with a number if need be.
    """
    count = Counter((*rows, MEAN_ROW))
    taken = {row for row in count if count[row] == 1} | {MEAN_ROW}
    names = []
    for row, kind in zip(rows, kinds, strict=True):
        name = described = row if count[row] == 1 else f"{row} ({kind})"
        number = 1
        while count[row] > 1 and name in taken:
            number += 1
            name = f"{described} #{number}"
        taken.add(name)
        names.append(name)
    return names


def stamp_of(lsl_time: float) -> float:
    """Return the time as LSL takes it: a zero would mean 'now'."""
    return lsl_time if lsl_time else 1e-9
