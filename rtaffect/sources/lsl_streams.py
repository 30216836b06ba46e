"""What is on the lab network: finding LSL streams and reading what they say of themselves."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pylsl

from rtaffect.common.errors import StreamError
from rtaffect.sources.selection import ANY_EEG, Query, describe_all, matches_any

FORMATS = ("undefined", "float32", "double64", "string", "int32", "int16", "int8", "int64")
#: Resolvers ask once in half a second: after the first answer, a second stream is waited for this long, s.
SETTLE_S = 1.0
#: An outlet that has not answered for this long is no longer on the network, s.
FORGET_S = 2.0


@dataclass(frozen=True, slots=True)
class FoundStream:
    """An outlet that answered: ``rate`` in Hz (0 = irregular), ``channels`` a number, ``uid`` new at each restart."""

    name: str
    type: str
    rate: float
    channels: int
    format: str
    source_id: str
    host: str
    uid: str
    handle: Any = field(repr=False, compare=False)

    @property
    def identity(self) -> tuple[str, ...]:
        """What stays the same when the outlet is restarted; one device may give several types one source_id."""
        kind = self.type.lower()
        return (self.source_id, kind) if self.source_id else ("", self.name, kind, self.host)


@dataclass(frozen=True, slots=True)
class StreamDescription:
    """A stream as the command ``devices`` lists it; ``unit`` joins the channels' units with '/'."""

    name: str
    type: str
    rate: float
    channels: int
    format: str
    unit: str
    channel_names: tuple[str, ...]
    source_id: str
    host: str
    uid: str


class Network:
    """The streams that answer now, asked for in liblsl's own thread.

    A one-shot resolve that finds nothing may block 5 s beyond its timeout (liblsl 1.18), so it is never used.
    """

    def __init__(self, forget_s: float = FORGET_S) -> None:
        self._resolver = pylsl.ContinuousResolver(forget_after=forget_s)

    def streams(self) -> list[FoundStream]:
        """Return the streams that answered lately, by name, then source_id, then host."""
        found = [_found(handle) for handle in self._resolver.results()]
        return sorted(found, key=lambda s: (s.name, s.source_id, s.host, s.uid))


def _found(handle: Any) -> FoundStream:
    return FoundStream(
        name=handle.name(),
        type=handle.type(),
        rate=float(handle.nominal_srate()),
        channels=int(handle.channel_count()),
        format=FORMATS[handle.channel_format()],
        source_id=handle.source_id(),
        host=handle.hostname(),
        uid=handle.uid(),
        handle=handle,
    )


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
        matching = [s for s in everything if matches_any(queries, s.name, s.type, s.source_id)]
        first = now if first is None and matching else first
        if first is not None and now - first >= settle:
            _refuse_twins(matching)
            return matching
        if first is None and now - start >= timeout:
            raise StreamError(_nothing_found(queries, everything, timeout))
        time.sleep(0.02)


def find_stream(query: Query, timeout: float = 5.0, settle: float = SETTLE_S) -> FoundStream:
    """Return the one stream that matches; StreamError if there is none or more than one."""
    found = find_streams([query], timeout, settle)
    if len(found) > 1:
        listed = ", ".join(f"{s.name!r} (source_id {s.source_id!r}) on {s.host}" for s in found)
        raise StreamError(
            f"{len(found)} streams match {query.describe()}: {listed}; choose one with source_id=... or name=..."
        )
    return found[0]


def _nothing_found(queries: Sequence[Query], everything: Sequence[FoundStream], timeout: float) -> str:
    there = ", ".join(f"{s.name!r} (type {s.type!r}) on {s.host}" for s in everything) or "no stream at all"
    return (
        f"no LSL stream with {describe_all(queries)} answered within {timeout:g} s; on the network: {there}. "
        "Start the device's LSL output, choose one of those, or check that both computers are on one network "
        "and the firewall lets LSL through"
    )


def _refuse_twins(streams: Sequence[FoundStream]) -> None:
    for stream in streams:
        twins = [s for s in streams if s.identity == stream.identity]
        if len(twins) > 1:
            raise StreamError(twins_message(twins))


def twins_message(twins: Sequence[FoundStream]) -> str:
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
            f"stream {stream.name!r} on {stream.host} was found but does not answer within {timeout:g} s; "
            "check the firewall on both computers (LSL uses TCP and UDP ports 16572-16604) and restart the device"
        ) from error


def describe_streams(timeout: float = 2.0) -> list[StreamDescription]:
    """Return what every stream on the network says of itself, after listening for ``timeout`` s."""
    network = Network(forget_s=timeout + 1.0)
    time.sleep(timeout)
    return [_describe(stream) for stream in network.streams()]


def _describe(stream: FoundStream) -> StreamDescription:
    try:
        info = read_info(stream, timeout=1.0)
        units, names = channel_fields(info, "unit"), channel_fields(info, "label")
    except StreamError:
        units, names = (), ()
    return StreamDescription(
        name=stream.name,
        type=stream.type,
        rate=stream.rate,
        channels=stream.channels,
        format=stream.format,
        unit="/".join(dict.fromkeys(u for u in units if u)),
        channel_names=names if any(names) else (),
        source_id=stream.source_id,
        host=stream.host,
        uid=stream.uid,
    )


def channel_fields(info: Any, key: str) -> tuple[str, ...]:
    """Return desc/channels/channel/``key`` of each channel, '' where absent or where the count does not fit."""
    values: list[str] = []
    element = info.desc().child("channels").child("channel")
    while not element.empty():
        values.append(str(element.child_value(key)).strip())
        element = element.next_sibling("channel")
    count = int(info.channel_count())
    return tuple(values) if len(values) == count else ("",) * count
