"""What an operator should know of the network while a session runs: headsets that are offered, and new ones."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from pylsl import local_clock

from rtaffect.sources.live import LiveSource, Offer
from rtaffect.sources.lsl import LOOK_S, LslConnection
from rtaffect.sources.lsl_expected import ExpectedHeadset
from rtaffect.sources.lsl_streams import Network
from rtaffect.sources.selection import Query, matches_any
from rtaffect.stream.source import Source, StreamHeader

_log = logging.getLogger(__name__)


class Newcomers:
    """Tells of headsets that appear while a session runs and are no part of it.

    People cannot be added to a session that runs: a headset that comes later has to be declared before.

    Parameters
    ----------
    people
        The session's headsets.
    queries
        What a headset must meet to be told of.
    """

    def __init__(self, people: Sequence[Source], queries: Sequence[Query]) -> None:
        self._people = [source for source in people if isinstance(source, LslConnection)]
        self._queries, self._network = tuple(queries), Network()
        self._before: set[str] = set()
        self._told: set[str] = set()
        self._look_at = 0.0
        self._notices: tuple[str, ...] = ()

    def begin(self) -> None:
        """Take note of who is there when the session begins."""
        self._before = {stream.header.uid for stream in self._network.streams()}

    def notices(self) -> tuple[str, ...]:
        """Return one line for each that is there now; it is looked once a second."""
        now = local_clock()
        if now >= self._look_at:
            self._look_at = now + LOOK_S
            new = [s.header for s in self._network.streams() if s.header.uid not in self._before]
            self._notices = tuple(self._words(each) for each in new if self._is_foreign(each))
        return self._notices

    def _is_foreign(self, header: StreamHeader) -> bool:
        return matches_any(self._queries, header) and not any(_is_of(source, header) for source in self._people)

    def _words(self, header: StreamHeader) -> str:
        called = f"source_id={header.source_id}" if header.source_id else header.name
        words = (
            f"headset {header.name!r} on {header.host} appeared after the session began and takes no part; begin again "
            f"with it there, or declare it beforehand: --expect {called!r}"
        )
        if header.uid not in self._told:
            self._told.add(header.uid)
            _log.warning(words)
        return words


def _is_of(source: LslConnection, header: StreamHeader) -> bool:
    """Return whether ``header`` is the outlet of ``source``, or what that has to say something of itself."""
    if any(offer.key == header.uid for offer in source.offers):
        return True
    if isinstance(source, ExpectedHeadset) and source.query.matches(header):
        return True
    outlet = source.outlet
    return outlet is not None and outlet.identity == header.identity


class Offers:
    """What may be taken for sources that are lost; one at a time is shown to the operator."""

    def __init__(self, sources: Sequence[Source | None]) -> None:
        self._sources = [source for source in sources if isinstance(source, LiveSource)]
        self._shown = 0

    def notice(self) -> str:
        """Return which one is shown, in words, '' if there is none."""
        if not (all_offers := self._all()):
            return ""
        _, offer = all_offers[self._shown % len(all_offers)]
        more = f"; Shift+A shows the next of {len(all_offers)}" if len(all_offers) > 1 else ""
        return f"{offer.words}: the key A takes it{more}"

    def show_next(self) -> None:
        """Show the next one."""
        self._shown += 1

    def take(self) -> str:
        """Take the one that is shown; return which, in words, '' if there is none."""
        if not (all_offers := self._all()):
            return ""
        source, offer = all_offers[self._shown % len(all_offers)]
        source.take(offer)
        self._shown = 0
        _log.warning("the operator takes it: %s", offer.words)
        return offer.words

    def _all(self) -> list[tuple[LiveSource, Offer]]:
        return [(source, offer) for source in self._sources for offer in source.offers]
