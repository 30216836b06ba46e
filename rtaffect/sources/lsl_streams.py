"""What is on the lab network: finding LSL streams and reading what they say of themselves."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import pylsl

from rtaffect.common.errors import StreamError
from rtaffect.sources.device_profile import recognise
from rtaffect.sources.lsl_description import channels_of, maker_of
from rtaffect.sources.selection import ANY_EEG, Query, describe_all, matches_any, meant
from rtaffect.stream.limits import MOST_CHANNELS, MOST_NAME, MOST_STREAMS, size_trouble
from rtaffect.stream.source import StreamHeader

FORMATS = ("undefined", "float32", "double64", "string", "int32", "int16", "int8", "int64")
#: Resolvers ask once in half a second: after the first answer, a second stream is waited for this long, s.
SETTLE_S = 1.0
#: An outlet that has not answered for this long is no longer on the network, s.
FORGET_S = 2.0
#: Who looks around without a hurry sees what another has seen so shortly before, s.
FRESH_S = 0.25
#: In a hurry it is asked this often, s, for so long, s: what is away for longer is not back in the next moment.
ASK_S = 0.1
HURRY_S = 30.0
#: What all streams together may take to describe themselves for a list, s.
DESCRIBE_ALL_S = 15.0
#: What liblsl calls a stream whose answer it cannot read.
_INVALID = "(invalid: "
_NO_NUMBER = {"stoi": "a number in it is missing, or is none"}
#: What such a stream is called here.
UNREADABLE = "(unreadable)"


@dataclass(frozen=True, slots=True)
class FoundStream:
    """An outlet that answered: its header without what resolving leaves out, and what liblsl opens it by.

    ``created`` is when the outlet was made, s on its sender's clock.
    ``trouble`` says why what it says of itself cannot be read, or is larger than anything that is taken: then it is
    listed, and never opened.
    """

    header: StreamHeader
    handle: Any = field(repr=False, compare=False)
    trouble: str = ""
    created: float = field(default=math.nan, compare=False)


class Network:
    """The streams that answer now, asked for in liblsl's own thread.

    A one-shot resolve that finds nothing may block 5 s beyond its timeout (liblsl 1.18), so it is never used.
    """

    def __init__(self, forget_s: float = FORGET_S) -> None:
        self._forget_s = forget_s
        self._resolver = pylsl.ContinuousResolver(forget_after=forget_s)
        # One more, made anew again and again while there is a hurry: a new one asks at once.
        self._quick: pylsl.ContinuousResolver | None = None
        self._asked_at = self._hurried_until = self._looked_at = -math.inf
        self._latest: list[FoundStream] = []
        self._known: dict[str, FoundStream] = {}

    def hurry(self, seconds: float = HURRY_S) -> None:
        """Ask more often for ``seconds``: what was lost and comes back is found within a tenth of a second.

        liblsl's own interval is half a second and more, in which samples of a stream that is back are lost.
        """
        self._hurried_until = time.monotonic() + seconds

    def streams(self) -> list[FoundStream]:
        """Return the streams that answered lately, by name, then source_id, then host."""
        handles = (self._resolver.results() + self._quick_results())[:MOST_STREAMS]
        # One that cannot be read has no uid.
        found = {stream.header.uid or str(n): stream for n, stream in enumerate(map(self._read, handles))}
        self._known = {uid: stream for uid, stream in found.items() if stream.header.uid}
        order = sorted(found.values(), key=lambda s: (s.header.name, s.header.source_id, s.header.host, s.header.uid))
        self._latest, self._looked_at = order, time.monotonic()
        return list(order)

    def lately(self) -> list[FoundStream]:
        """Return the same for those who look around now and then, as a hundred sources do once a second each.

        Where there is no hurry it may be of :data:`FRESH_S` ago.
        """
        if self._hurried_until <= time.monotonic() < self._looked_at + FRESH_S:
            return list(self._latest)
        return self.streams()

    def _read(self, handle: Any) -> FoundStream:
        """Return what an answer says, which is read once: an outlet says the same for as long as it lives."""
        with suppress(Exception):
            if (known := self._known.get(handle.uid())) is not None:
                return known
        return _found(handle)

    def _quick_results(self) -> list[Any]:
        """Return what has answered since the last question, and ask again if it is time to."""
        now = time.monotonic()
        results = self._quick.results() if self._quick is not None else []
        if now >= self._hurried_until:
            self._quick = None
        elif now >= self._asked_at + ASK_S:
            self._quick = pylsl.ContinuousResolver(forget_after=self._forget_s)
            self._asked_at = time.monotonic()
        return list(results)


def _found(handle: Any) -> FoundStream:
    """Return what an answer says, whatever it is: one that cannot be read must not hide the others."""
    try:
        name = handle.name()
        if name.startswith(_INVALID):
            return _unreadable(handle, name[len(_INVALID) : -1])
        count, rate = int(handle.channel_count()), float(handle.nominal_srate())
        texts = [name, handle.type(), handle.source_id(), handle.hostname(), handle.uid()]
        trouble = size_trouble(count, rate)
        if (longest := max(map(len, texts))) > MOST_NAME:
            trouble = trouble or f"gives a name of {longest} letters, expected {MOST_NAME} or fewer"
            texts = [text if len(text) <= MOST_NAME else f"{text[:64]}..." for text in texts]
        labels = ("",) * count if count <= MOST_CHANNELS else ()
        name, kind, source_id, host, uid = texts
        form, created = FORMATS[handle.channel_format()], float(handle.created_at())
    except Exception as error:
        return _unreadable(handle, f"{type(error).__name__}: {error}")
    header = StreamHeader(name, kind, rate, form, labels, source_id=source_id, host=host, uid=uid)
    found = recognise(header)
    shares_id = found is not None and found.profile.shares_id
    return FoundStream(replace(header, shares_id=shares_id), handle, trouble, created)


def _unreadable(handle: Any, why: str) -> FoundStream:
    header, why = StreamHeader(UNREADABLE, "", 0.0, "undefined", ()), _NO_NUMBER.get(why, why[:MOST_NAME])
    return FoundStream(header, handle, f"sends a description that is none of LSL's ({why})")


def find_streams(
    queries: Sequence[Query] = (ANY_EEG,),
    timeout: float = 5.0,
    settle: float = SETTLE_S,
    *,
    allow_missing: bool = False,
    of_any_kind: bool = False,
) -> list[FoundStream]:
    """Return the streams that meet one of ``queries``, by name, then source_id.

    After each new answer, others are waited for ``settle`` s: each sender answers in its own time. Whoever is meant by
    name or source_id is waited for longer: a session does not begin without somebody who was asked for, unless
    ``allow_missing``. Where a query means several streams, those of EEG are taken, unless streams ``of_any_kind`` are
    looked for.

    Raises
    ------
    StreamError
        If none answers within ``timeout`` s, or one that is meant by name or source_id does not and must, or two
        outlets cannot be told apart.
    """
    network = Network(forget_s=timeout + settle + 1.0)
    start = latest = time.monotonic()
    known: set[str] = set()
    while True:
        now = time.monotonic()
        everything = network.streams()
        matching = _matching(queries, everything, of_any_kind=of_any_kind)
        if new := {s.header.uid for s in matching} - known:
            known, latest = known | new, now
        missing = absent(queries, matching)
        late = now - start >= timeout
        lacking = bool(missing) and not (late and allow_missing)
        if matching and not lacking and now - latest >= settle:
            _refuse_twins([s.header for s in matching])
            return matching
        if late and (lacking or not matching):
            raise StreamError(_nothing_found(missing or queries, [s.header for s in everything], timeout))
        time.sleep(0.02)


def _matching(queries: Sequence[Query], streams: Sequence[FoundStream], *, of_any_kind: bool) -> list[FoundStream]:
    """Return the streams that ``queries`` mean."""
    if of_any_kind:
        return [stream for stream in streams if matches_any(queries, stream.header)]
    return [streams[i] for i in meant(queries, [stream.header for stream in streams])]


def absent(queries: Sequence[Query], found: Sequence[FoundStream]) -> list[Query]:
    """Return which of ``queries`` mean one stream, by name or source_id, that is not among those found."""
    one = [query for query in queries if query.field != "type"]
    return [query for query in one if not any(query.matches(stream.header) for stream in found)]


def find_stream(query: Query, timeout: float = 5.0, settle: float = SETTLE_S) -> FoundStream:
    """Return the one stream that matches; StreamError if there is none or more than one."""
    found = find_streams([query], timeout, settle, of_any_kind=True)
    if len(found) > 1:
        headers = [s.header for s in found]
        listed = ", ".join(f"{s.name!r} (source_id {s.source_id!r}) on {s.host}" for s in headers)
        raise StreamError(
            f"{len(found)} streams match {query.describe()}: {listed}; choose one with source_id=... or name=..."
        )
    return found[0]


def _nothing_found(queries: Sequence[Query], everything: Sequence[StreamHeader], timeout: float) -> str:
    there = ", ".join(f"{s.name!r} (type {s.type!r}) on {s.host}" for s in everything) or "no stream at all"
    return (
        f"no LSL stream with {describe_all(queries)} answered within {timeout:g} s; on the network: {there}. "
        "Start the device's LSL output, choose one of those, or check that both computers are on one network "
        "and the firewall lets LSL through"
    )


def _refuse_twins(streams: Sequence[StreamHeader]) -> None:
    for stream in streams:
        twins = [s for s in streams if s.identity == stream.identity]
        if len(twins) > 1:
            raise StreamError(twins_message(twins))


def twins_message(twins: Sequence[StreamHeader]) -> str:
    """Say which outlets cannot be told apart, and what to do."""
    hosts = " and ".join(f"{s.name!r} on {s.host}" for s in twins)
    what = f"source_id {twins[0].source_id!r}" if twins[0].source_id else "name and host, without a source_id,"
    return (
        f"{len(twins)} live streams share the {what}: {hosts}; after a loss they could not be told apart. "
        "Close all but one, or give each outlet its own source_id"
    )


def read_info(stream: FoundStream, timeout: float = 5.0) -> Any:
    """Return the stream's full description (pylsl.StreamInfo), which resolving leaves out."""
    refuse_unreadable(stream)
    try:
        inlet = pylsl.StreamInlet(stream.handle, max_buflen=1, recover=False)
        return inlet.info(timeout)
    except (pylsl.util.TimeoutError, pylsl.util.LostError) as error:
        raise StreamError(
            f"stream {stream.header.name!r} on {stream.header.host} was found but does not answer within "
            f"{timeout:g} s; check the firewall on both computers (LSL uses TCP and UDP ports 16572-16604) and restart "
            "the device"
        ) from error
    except RuntimeError as error:
        raise cannot_be_read(stream, f"cannot be opened ({error})") from error


def refuse_unreadable(stream: FoundStream) -> None:
    """Raise StreamError for a stream that cannot be read, or is larger than any that is taken."""
    if stream.trouble:
        raise cannot_be_read(stream, stream.trouble)


def cannot_be_read(stream: FoundStream, why: str) -> StreamError:
    """Return the error that says ``why`` a stream cannot be read; the words go on from 'it'."""
    header = stream.header
    where = f" on {header.host}" if header.host else ""
    return StreamError(
        f"stream {header.name!r}{where} cannot be read: it {why}; correct the program that sends it, or leave the "
        "stream out"
    )


def read_header(stream: FoundStream, timeout: float = 5.0) -> StreamHeader:
    """Return all that a stream says of itself.

    Raises
    ------
    StreamError
        If it does not answer within ``timeout`` s, or what it says cannot be read or is larger than what is taken.
    """
    return header_from(stream, read_info(stream, timeout))


def header_from(stream: FoundStream, info: Any) -> StreamHeader:
    """Return all that a stream says of itself in its full description (pylsl.StreamInfo); StreamError if it is none."""
    try:
        channels = channels_of(info)
        return replace(stream.header.described(channels, info.as_xml()), maker=maker_of(info))
    except ValueError as error:
        raise cannot_be_read(stream, str(error)) from error
    except Exception as error:
        raise cannot_be_read(stream, f"sends a description that is none ({type(error).__name__}: {error})") from error


def describe_streams(timeout: float = 2.0) -> list[FoundStream]:
    """Return every stream on the network with what it says of itself, after listening for ``timeout`` s.

    One that cannot be read, or does not answer, is among them, and its ``trouble`` says why.
    """
    network = Network(forget_s=timeout + 1.0)
    time.sleep(timeout)
    until = time.monotonic() + DESCRIBE_ALL_S
    return [_described(stream, until) for stream in network.streams()[:MOST_STREAMS]]


def _described(stream: FoundStream, until: float) -> FoundStream:
    if time.monotonic() > until:
        return replace(stream, trouble=f"was not asked: the others took more than {DESCRIBE_ALL_S:g} s to answer")
    try:
        return replace(stream, header=read_header(stream, timeout=1.0))
    except StreamError as error:
        return replace(stream, trouble=stream.trouble or str(error))
