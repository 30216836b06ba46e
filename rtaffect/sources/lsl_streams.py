"""What is on the lab network: finding LSL streams and reading what they say of themselves."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pylsl

from rtaffect.common.errors import StreamError
from rtaffect.sources.selection import ANY_EEG, Query, describe_all, matches_any
from rtaffect.stream.source import StreamHeader

FORMATS = ("undefined", "float32", "double64", "string", "int32", "int16", "int8", "int64")
#: Resolvers ask once in half a second: after the first answer, a second stream is waited for this long, s.
SETTLE_S = 1.0
#: An outlet that has not answered for this long is no longer on the network, s.
FORGET_S = 2.0
#: In a hurry it is asked this often, s, for so long, s: what is away for longer is not back in the next moment.
ASK_S = 0.1
HURRY_S = 30.0


@dataclass(frozen=True, slots=True)
class FoundStream:
    """An outlet that answered: its header without what resolving leaves out, and what liblsl opens it by."""

    header: StreamHeader
    handle: Any = field(repr=False, compare=False)


class Network:
    """The streams that answer now, asked for in liblsl's own thread.

    A one-shot resolve that finds nothing may block 5 s beyond its timeout (liblsl 1.18), so it is never used.
    """

    def __init__(self, forget_s: float = FORGET_S) -> None:
        self._forget_s = forget_s
        self._resolver = pylsl.ContinuousResolver(forget_after=forget_s)
        # One more, made anew again and again while there is a hurry: a new one asks at once.
        self._quick: pylsl.ContinuousResolver | None = None
        self._asked_at = self._hurried_until = -math.inf

    def hurry(self, seconds: float = HURRY_S) -> None:
        """Ask more often for ``seconds``: what was lost and comes back is found within a tenth of a second.

        liblsl's own interval is half a second and more, in which samples of a stream that is back are lost.
        """
        self._hurried_until = time.monotonic() + seconds

    def streams(self) -> list[FoundStream]:
        """Return the streams that answered lately, by name, then source_id, then host."""
        handles = self._resolver.results() + self._quick_results()
        found = {stream.header.uid: stream for stream in map(_found, handles)}
        return sorted(found.values(), key=lambda s: (s.header.name, s.header.source_id, s.header.host, s.header.uid))

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
    header = StreamHeader(
        handle.name(), handle.type(), float(handle.nominal_srate()), FORMATS[handle.channel_format()],
        ("",) * int(handle.channel_count()), source_id=handle.source_id(), host=handle.hostname(), uid=handle.uid(),
    )  # fmt: skip
    return FoundStream(header, handle)


def find_streams(
    queries: Sequence[Query] = (ANY_EEG,), timeout: float = 5.0, settle: float = SETTLE_S
) -> list[FoundStream]:
    """Return the streams that meet one of ``queries``, by name, then source_id.

    After the first answer, others are waited for ``settle`` s: each sender answers in its own time.

    Raises
    ------
    StreamError
        If none answers within ``timeout`` s, or two outlets cannot be told apart.
    """
    network = Network(forget_s=timeout + settle + 1.0)
    start = time.monotonic()
    first: float | None = None
    while True:
        now = time.monotonic()
        everything = network.streams()
        matching = [s for s in everything if matches_any(queries, s.header)]
        first = now if first is None and matching else first
        if first is not None and now - first >= settle:
            _refuse_twins([s.header for s in matching])
            return matching
        if first is None and now - start >= timeout:
            raise StreamError(_nothing_found(queries, [s.header for s in everything], timeout))
        time.sleep(0.02)


def find_stream(query: Query, timeout: float = 5.0, settle: float = SETTLE_S) -> FoundStream:
    """Return the one stream that matches; StreamError if there is none or more than one."""
    found = find_streams([query], timeout, settle)
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
    inlet = pylsl.StreamInlet(stream.handle, max_buflen=1, recover=False)
    try:
        return inlet.info(timeout)
    except (pylsl.util.TimeoutError, pylsl.util.LostError) as error:
        raise StreamError(
            f"stream {stream.header.name!r} on {stream.header.host} was found but does not answer within "
            f"{timeout:g} s; check the firewall on both computers (LSL uses TCP and UDP ports 16572-16604) and restart "
            "the device"
        ) from error


def read_header(stream: FoundStream, timeout: float = 5.0) -> StreamHeader:
    """Return all that a stream says of itself; StreamError if it does not answer within ``timeout`` s."""
    info = read_info(stream, timeout)
    channels = []
    element = info.desc().child("channels").child("channel")
    while not element.empty():
        channels.append({key: str(element.child_value(key)) for key in ("label", "unit", "type")})
        element = element.next_sibling("channel")
    return stream.header.described(channels, info.as_xml())


def describe_streams(timeout: float = 2.0) -> list[StreamHeader]:
    """Return what every stream on the network says of itself, after listening for ``timeout`` s."""
    network = Network(forget_s=timeout + 1.0)
    time.sleep(timeout)
    return [_described(stream) for stream in network.streams()]


def _described(stream: FoundStream) -> StreamHeader:
    try:
        return read_header(stream, timeout=1.0)
    except StreamError:
        return stream.header
