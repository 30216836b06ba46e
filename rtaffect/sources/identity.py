"""Who an outlet is: which of those that appear may be the one that was lost, and which can never be."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rtaffect.sources.live import Adopt, NotOursError, Offer
from rtaffect.sources.lsl_streams import FORGET_S, FoundStream, twins_message
from rtaffect.stream.source import StreamHeader
from rtaffect.stream.status import StreamState

#: An outlet that was made this long before the last sample of another one came is not its successor, s.
OVERLAP_S: Final = 0.05
#: An outlet that was closed is listed for at most so long, s.
_LISTED_S: Final = FORGET_S + 0.5


@dataclass(frozen=True, slots=True)
class Candidates:
    """What is there while a stream is lost.

    ``take`` may be opened; ``offers`` are for a person to choose; ``why`` says why none is taken, '' if none is there.
    """

    take: FoundStream | None = None
    offers: tuple[Offer, ...] = ()
    state: StreamState = "lost"
    why: str = ""


def description_of(header: StreamHeader) -> str:
    """Return what an LSL description says beside the channels: maker, serial number, software, ..."""
    _, _, rest = header.xml.partition("<desc>")
    before, _, rest = rest.rpartition("</desc>")[0].partition("<channels>")
    return " ".join((before + rest.rpartition("</channels>")[2]).split())


class Identity:
    """Tells the outlet of one source from others, over a whole session.

    An outlet that was there while ours sent can never become ours. As long as no other one of the same identity was
    ever seen, a new one of the same identity, name and host is ours come back. All else is for a person to decide.
    None of this rests on the source_id alone: many programs have none, one that changes (pylsl makes it up from a
    hash), or the same one for all headsets of a kind.

    Parameters
    ----------
    ours
        The outlet that the source was opened with.
    adopt
        What is taken without asking beside what is surely ours.
    """

    def __init__(self, ours: FoundStream, adopt: Adopt = "never") -> None:
        self.ours, self._adopt = ours, adopt
        self._own = {ours.header.uid}
        self._gone: set[str] = set()
        self._seen: dict[str, float] = {}
        self._beside: set[str] = set()
        self._refused: dict[str, NotOursError] = {}
        self._twins = self._alike = False
        self._chosen = ""
        # When each was listed last while ours is lost, and since when there are several of our identity, s.
        self._listed: dict[str, float] = {}
        self._several_since = math.inf

    def look(self, streams: Sequence[FoundStream], now: float, last_at: float) -> list[StreamHeader]:
        """Note who is there beside ours, which is open; return ours and those that cannot be told from it.

        ``last_at`` is when its newest sample came, NaN before the first, s.
        """
        here = any(stream.header.uid == self.ours.header.uid for stream in streams)
        others = [stream for stream in streams if self._related(stream) and stream.header.uid not in self._own]
        for stream in others:
            seen = self._seen.setdefault(stream.header.uid, now)
            # An outlet that is closed is listed until it is forgotten: only what is listed longer is still there.
            if here and now - seen > _LISTED_S:
                self._note_beside(stream)
        self.settle([stream for stream in others if stream.header.uid not in self._beside], last_at)
        return [self.ours.header, *(stream.header for stream in others if self._same(stream))]

    def settle(self, streams: Sequence[FoundStream], last_at: float) -> None:
        """Note which of ``streams`` were there already when the newest sample of ours came, at ``last_at`` (s)."""
        for stream in streams:
            if last_at > self._seen.get(stream.header.uid, math.inf):
                self._note_beside(stream)

    def candidates(self, streams: Sequence[FoundStream], now: float, *, forgotten: bool) -> Candidates:
        """Return which of ``streams`` may be ours, which is lost at ``now`` (s).

        ``forgotten``: whether it is lost so long that, were it closed, it would not be listed any more.
        """
        new = self._new(streams)
        same = [stream for stream in new if self._same(stream)]
        self._note_several(same, now)
        twins = [stream for stream in streams if self._is_twin(stream)]
        offers = tuple(self._offer(stream) for stream in new if not self._never_fits(stream))
        taken = self._old(streams) if forgotten else None
        if taken is None and (taken := self._taken(new, same, twins, now)) is None:
            state, why = self._why(same, twins, new)
        elif (refused := self._refused.get(taken.header.uid)) is None:
            return Candidates(taken, offers)
        else:
            state, why = refused.state, str(refused)
        return Candidates(None, offers, state, _with_offers(why, offers))

    def _old(self, streams: Sequence[FoundStream]) -> FoundStream | None:
        """Return the very outlet that was lost, if it is there."""
        return next((stream for stream in streams if stream.header.uid == self.ours.header.uid), None)

    def _is_twin(self, stream: FoundStream) -> bool:
        """Return whether ``stream`` has our identity, but was there beside ours."""
        return stream.header.uid in self._beside and self._same(stream)

    def _new(self, streams: Sequence[FoundStream]) -> list[FoundStream]:
        """Return which of ``streams`` could be ours, come back as a new outlet."""
        known = self._own | self._gone | self._beside
        return [stream for stream in streams if self._related(stream) and stream.header.uid not in known]

    def _note_several(self, same: Sequence[FoundStream], now: float) -> None:
        """Note whether several of our identity are there: when one of them goes, it is not known which is left.

        What was closed is listed until it is forgotten, so those that are listed longer are there side by side.
        """
        self._listed |= {stream.header.uid: now for stream in same}
        if not self._several(now):
            self._several_since = math.inf
            return
        self._several_since = min(self._several_since, now)
        self._twins = self._twins or now - self._several_since > 2 * _LISTED_S

    def _several(self, now: float) -> bool:
        """Return whether several of our identity were listed lately: an answer may be missed now and then."""
        lately = {uid for uid, at in self._listed.items() if now - at < _LISTED_S}
        return len(lately - self._own - self._gone - self._beside) > 1

    def _taken(
        self, new: Sequence[FoundStream], same: Sequence[FoundStream], twins: Sequence[FoundStream], now: float
    ) -> FoundStream | None:
        """Return the one of the ``new`` streams that is ours, if one is: it may have been refused."""
        if (chosen := next((stream for stream in new if self.is_chosen(stream)), None)) is not None:
            return chosen
        if len(same) == 1 and not twins and not self._several(now) and self._is_surely(same[0]):
            return same[0]
        if not same and not twins and self._adopt == "same-name" and len(new) == 1 and self._may_adopt(new[0]):
            return new[0]
        return None

    def choose(self, uid: str) -> None:
        """Take the outlet ``uid`` for ours, as a person has decided."""
        self._chosen = uid
        if uid in self._refused and self._refused[uid].state != "changed":
            del self._refused[uid]

    def is_chosen(self, stream: FoundStream) -> bool:
        """Return whether a person has decided that ``stream`` is ours."""
        return bool(self._chosen) and stream.header.uid == self._chosen

    def check(self, stream: FoundStream, header: StreamHeader, before: StreamHeader, made: float, last: float) -> None:
        """Refuse an opened ``stream`` that is not ours by what only an open one tells.

        Parameters
        ----------
        header, before
            What it says of itself, and what ours said.
        made, last
            When it was made, and when the newest sample of ours came, s on the LSL clock.

        Raises
        ------
        NotOursError
            If it is not ours, or that is not sure.
        """
        if self.is_chosen(stream) or stream.header.uid in self._own:
            return
        if made < last - OVERLAP_S:
            self._note_beside(stream)
            raise NotOursError(twins_message([before, header]), "duplicate")
        if before.xml and header.xml and description_of(header) != description_of(before):
            raise NotOursError(
                f"stream {header.name!r} on {header.host} describes its device otherwise than the one that was lost",
                "duplicate",
            )

    def refuse(self, stream: FoundStream, why: NotOursError) -> None:
        """Note that ``stream`` is not ours; what it says of itself cannot change."""
        self._refused[stream.header.uid] = why
        if self.is_chosen(stream):
            self._chosen = ""

    def is_gone(self, stream: FoundStream) -> None:
        """Note that ``stream`` is listed, but closed."""
        if stream.header.uid not in self._own:
            self._gone.add(stream.header.uid)

    def took(self, stream: FoundStream) -> None:
        """Note that ``stream`` is ours from now on."""
        self.ours, self._chosen = stream, ""
        self._own.add(stream.header.uid)
        self._seen.clear()
        self._listed.clear()

    def _never_fits(self, stream: FoundStream) -> bool:
        """Return whether ``stream`` does not fit ours, whoever it is."""
        refused = self._refused.get(stream.header.uid)
        return refused is not None and refused.state == "changed"

    def _note_beside(self, stream: FoundStream) -> None:
        self._beside.add(stream.header.uid)
        if self._same(stream):
            self._twins = True
        else:
            self._alike = True

    def _same(self, stream: FoundStream) -> bool:
        return stream.header.identity == self.ours.header.identity

    def _related(self, stream: FoundStream) -> bool:
        """Return whether ``stream`` could be meant by the same words as ours: its source_id or its name."""
        one, other = stream.header, self.ours.header
        if one.type.lower() != other.type.lower():
            return False
        return one.name == other.name or (bool(one.source_id) and one.source_id == other.source_id)

    def _is_surely(self, stream: FoundStream) -> bool:
        one, other = stream.header, self.ours.header
        return not self._twins and (one.name, one.host) == (other.name, other.host)

    def _may_adopt(self, stream: FoundStream) -> bool:
        return not self._twins and not self._alike and stream.header.host == self.ours.header.host

    def _offer(self, stream: FoundStream) -> Offer:
        one, ours = stream.header, self.ours.header
        source = f"source_id {one.source_id!r}" if one.source_id else "no source_id"
        return Offer(one.uid, f"{ours.name!r} is perhaps back as {one.name!r} ({source}) on {one.host}")

    def _why(
        self, same: Sequence[FoundStream], twins: Sequence[FoundStream], new: Sequence[FoundStream]
    ) -> tuple[StreamState, str]:
        """Return the state, and why none of those that are there is taken, '' if none is there."""
        if len(same) + len(twins) > 1:
            return "duplicate", twins_message([stream.header for stream in (*same, *twins)])
        if twins:
            (twin,) = twins
            return "duplicate", (
                f"stream {twin.header.name!r} on {twin.header.host} looks the same as the one that is gone, but was "
                "there beside it: it is not taken in its place; restart the one that is gone"
            )
        if same and self._twins:
            return "duplicate", "it is gone, and there were several streams that cannot be told apart"
        return "lost", "it is gone" if new else ""


def _with_offers(why: str, offers: Sequence[Offer]) -> str:
    if not offers:
        return why
    return f"{why}; {', and '.join(offer.words for offer in offers)}: that is taken only if the operator says so"
