"""The streams that were found, which of them are ticked, and what a session would make of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from rtaffect.common.errors import RtaffectError, SettingsError, StreamError
from rtaffect.plan.eeg_plan import EegPlan
from rtaffect.sources.channel_plan import DTYPES, Given, plan_of, prepare_eeg
from rtaffect.sources.device_profile import describe, recognise
from rtaffect.sources.lsl_streams import twins_message
from rtaffect.sources.selection import ANY_EEG, Query, distinct_names, given_for, matches_any, meant
from rtaffect.sources.xdf import Span
from rtaffect.start.choices import Choices
from rtaffect.start.fields import only_in, rate_in, without_in
from rtaffect.start.of_stream import OfStream, plan_of_stream
from rtaffect.stream.source import Recognition, StreamHeader, StreamInfo

#: Types of streams that are never EEG; they are not listed.
OTHER_TYPES: Final = frozenset({"audio", "markers", "feedback", "shown"})


@dataclass(frozen=True, slots=True)
class StreamFacts:
    """A stream on the network or in a recording, as far as it is known.

    The ``header`` has labels, types and units once it is ``described``; ``trouble`` says why it is not. ``span`` is
    what a recording has of it.
    """

    header: StreamHeader
    described: bool = False
    trouble: str = ""
    span: Span | None = None

    @property
    def is_empty(self) -> bool:
        """Whether a recording has nothing of it."""
        return self.span is not None and not self.span.samples

    @property
    def may_be_eeg(self) -> bool:
        """Whether it sends numbers, or cannot be read, and is not of a type that means something else."""
        numbers = self.header.format in DTYPES or (self.header.format == "undefined" and bool(self.trouble))
        return numbers and self.header.type.casefold() not in OTHER_TYPES

    def meets(self, queries: Iterable[Query]) -> bool:
        """Return whether it meets at least one of ``queries``."""
        return matches_any(queries, self.header)


def queries_of(choices: Choices) -> tuple[Query, ...]:
    """Return what the streams must meet; a text that is no query is passed over."""
    if choices.streams is None:
        return () if choices.boards else (ANY_EEG,)
    found = []
    for text in choices.streams:
        try:
            found.append(Query.parse(text))
        except SettingsError:
            continue
    return tuple(found)


def ticked(choices: Choices, streams: Sequence[StreamFacts]) -> tuple[StreamFacts, ...]:
    """Return the streams that the session would take, in the order of ``streams``."""
    numbers = meant(queries_of(choices), [stream.header for stream in streams])
    return tuple(streams[i] for i in numbers if not streams[i].is_empty)


def missing(choices: Choices, streams: Sequence[StreamFacts]) -> tuple[Query, ...]:
    """Return the queries that no stream meets, other than 'every stream of EEG'."""
    if choices.streams is None:
        return ()
    return tuple(query for query in queries_of(choices) if not any(stream.meets([query]) for stream in streams))


def toggle(
    choices: Choices, stream: StreamFacts, on: bool, streams: Sequence[StreamFacts]
) -> tuple[tuple[str, ...], str]:
    """Tick or untick ``stream``.

    Returns
    -------
    the queries that mean the streams that are ticked then, and those of streams that are not there now; and why that
    cannot be, '' if it can. Where it cannot be, the queries are those from before.
    """
    chosen = [s for s in ticked(choices, streams) if s != stream]
    chosen += [stream] if on else []
    others = [s for s in streams if s not in chosen]
    texts: list[str] = []
    for each in sorted(chosen, key=streams.index):
        text = query_for(each, others)
        if text is None:
            kept = ("type=EEG",) if choices.streams is None else choices.streams
            return kept, _inseparable(each.header, [s.header for s in others])
        texts.append(text)
    absent = [f"{query.field}={query.value}" for query in missing(choices, streams)]
    return tuple(dict.fromkeys([*texts, *absent])), ""


def without_query(choices: Choices, query: Query) -> tuple[str, ...]:
    """Return the queries but for one whose stream is not there."""
    return tuple(f"{each.field}={each.value}" for each in queries_of(choices) if each != query)


def query_for(stream: StreamFacts, others: Sequence[StreamFacts]) -> str | None:
    """Return the query that means ``stream`` and none of ``others``: by source_id, else name, else type."""
    header = stream.header
    for field, value in (("source_id", header.source_id), ("name", header.name), ("type", header.type)):
        if value.strip():
            text = f"{field}={value}"
            headers = [header, *(other.header for other in others)]
            if meant([Query.parse(text)], headers) == [0]:
                return text
    return None


def _inseparable(stream: StreamHeader, others: Sequence[StreamHeader]) -> str:
    values = {"name": stream.name, "source_id": stream.source_id, "type": stream.type}
    same = next((s for s in others if s.name == stream.name or s.type == stream.type), None)
    other = f" from {same.name!r} ({same.type}) on {same.host}" if same is not None else ""
    described = ", ".join(f"{field} {value!r}" for field, value in values.items() if value)
    return (
        f"stream {stream.name!r} cannot be told apart{other} by {described}: give one of them a name or source_id of "
        "its own in its program, or switch the other off"
    )


def twins(streams: Sequence[StreamFacts]) -> tuple[str, ...]:
    """Return what is said of each set of streams that could not be told apart after a loss."""
    headers = [stream.header for stream in streams]
    alike = ([other for other in headers if other.identity == header.identity] for header in headers)
    return tuple(dict.fromkeys(twins_message(same) for same in alike if len(same) > 1))


def ready(choices: Choices, stream: StreamHeader, name: str) -> StreamInfo:
    """Return what a session would make of a described stream, called ``name``; the session's own checks.

    Raises
    ------
    SettingsError, StreamError
        If names, units, rate or format do not do.
    """
    plan, rate = prepare_eeg(stream, given_of(choices, stream))
    origin = "xdf" if choices.mode == "replay" else "lsl"
    return StreamInfo(name, "eeg", rate, plan.names, origin, stream.source_id, stream.host, plan.about)


def eeg_of(choices: Choices) -> EegPlan:
    """Return what replaces the description of headsets, of all and of each; SettingsError if that of all cannot be.

    What cannot be of a single one is passed over: it is told where it is.
    """
    single = []
    for each in choices.headsets:
        with suppress(SettingsError):
            single += [] if each.is_blank else [plan_of_stream(each)]
    return EegPlan(
        channels=choices.channel_names or (),
        unit=choices.unit.strip() or None,
        rate=rate_in(choices.rate),
        without=without_in(choices.without),
        only=only_in(choices.only),
        profile=choices.profile.strip() or None,
        headsets=tuple(single),
    )


def given_of(choices: Choices, stream: StreamHeader, board: str = "") -> Given:
    """Return what replaces the description of one headset; raises SettingsError if that cannot be."""
    return given_for(eeg_of(choices), stream, board)


def is_of(each: OfStream, stream: StreamHeader) -> bool:
    """Return whether what is said of one is said of ``stream``."""
    with suppress(SettingsError):
        return Query.parse(each.stream).matches(stream)
    return False


def taking_part(choices: Choices, streams: Sequence[StreamFacts]) -> tuple[OfStream, ...]:
    """Return what is said of those that take part: of ticked streams and boards, and of such as are not there now."""
    chosen = [stream.header for stream in ticked(choices, streams)]
    absent = [f"{query.field}={query.value}" for query in missing(choices, streams)]
    absent += [query.value for query in missing(choices, streams) if query.field == "name"]
    boards = choices.boards if choices.mode == "live" else ()
    return tuple(
        each
        for each in choices.headsets
        if each.stream in boards or each.stream in absent or any(is_of(each, header) for header in chosen)
    )


def recognition_of(choices: Choices, stream: StreamFacts) -> Recognition:
    """Return what is recognised of a stream, as far as it is described; nothing where that cannot be said."""
    try:
        given = given_of(choices, stream.header)
        if stream.described:
            return plan_of(stream.header, given).about
        found = recognise(stream.header, given.get("profile", ""))
    except (SettingsError, StreamError):
        return Recognition()
    return Recognition(found.profile.name, describe(found)) if found is not None else Recognition()


def people(
    choices: Choices, streams: Sequence[StreamFacts]
) -> tuple[tuple[StreamInfo, ...], tuple[tuple[RtaffectError, StreamHeader], ...]]:
    """Return what the session would make of the ticked streams that can be used, and what is wrong with which other.

    Streams that have not been described yet are in neither.
    """
    chosen = ticked(choices, streams)
    names = distinct_names([(stream.header.name, stream.header.source_id) for stream in chosen])
    usable: list[StreamInfo] = []
    wrong: list[tuple[RtaffectError, StreamHeader]] = []
    for stream, name in zip(chosen, names, strict=True):
        if stream.header.format in DTYPES and not stream.described:
            continue
        try:
            usable.append(ready(choices, stream.header, name))
        except (SettingsError, StreamError) as error:
            wrong.append((error, stream.header))
    return tuple(usable), tuple(wrong)
