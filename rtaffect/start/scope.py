"""Of which stream the fields of names, unit, rate, channels and profile are, and what holds where they are empty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from rtaffect.common.channel_kinds import grouped
from rtaffect.common.errors import RtaffectError
from rtaffect.sources.channel_choice import TakenChannel, taken_channels
from rtaffect.sources.channel_plan import ChannelPlan, plan_of
from rtaffect.start.choices import Choices
from rtaffect.start.found import Found
from rtaffect.start.of_stream import NAMES, OfStream
from rtaffect.start.streams import StreamFacts, given_of, is_of, query_for, recognition_of
from rtaffect.start.table import StreamRow
from rtaffect.stream.source import StreamInfo

#: What stands in the fields of all streams where nothing is given.
OF_ALL: Final = {
    "channels": "as declared; else names in order: TP9, AF7, AF8, TP10",
    "unit": "as declared",
    "rate": "as declared",
    "without": "none",
    "only": "all that are EEG",
    "profile": "as recognised; none, a name or a file",
}


@dataclass(frozen=True, slots=True)
class Scope:
    """What the fields are of.

    Attributes
    ----------
    key
        The line of the table that they are of; None: they hold for all streams.
    own
        What is said of that one alone.
    hints
        What holds where a field is empty, in words, by the field's name.
    words
        What the stream was recognised as and why, or that it was not.
    why_not
        Why nothing can be said of it alone; '' where it can.
    channels
        All channels of a stream that is described.
    """

    key: tuple[str, ...] | None = None
    own: OfStream | None = None
    hints: Mapping[str, str] = field(default_factory=lambda: OF_ALL)
    words: str = "what is given here holds for every stream that has nothing of its own"
    why_not: str = ""
    channels: tuple[TakenChannel, ...] = ()

    def shown(self, choices: Choices) -> Choices:
        """Return the choices as the fields show them."""
        if self.key is None:
            return choices
        own = self.own or OfStream("")
        return replace(choices, **{name: getattr(own, name) for name in NAMES})

    def changed(self, choices: Choices, changes: Mapping[str, str]) -> dict[str, object]:
        """Return what changes of the choices where ``changes`` are made in the fields."""
        if self.key is None:
            return dict(changes)
        if self.own is None:
            return {}
        # What was changed since this was shown is kept.
        now = next((each for each in choices.headsets if each.stream == self.own.stream), OfStream(self.own.stream))
        return {"headsets": with_own(choices.headsets, replace(now, **changes))}


def with_own(headsets: tuple[OfStream, ...], own: OfStream) -> tuple[OfStream, ...]:
    """Return what is said of single streams with ``own`` in its place; what says nothing is left out."""
    others = [each for each in headsets if each.stream != own.stream]
    place = next((i for i, each in enumerate(headsets) if each.stream == own.stream), len(others))
    return (*others[:place], *([] if own.is_blank else [own]), *others[place:])


def scope_of(choices: Choices, real: Choices, found: Found, row: StreamRow | None) -> Scope:
    """Return what the fields are of where the line ``row`` is selected.

    ``real`` are the choices that take effect.
    """
    if row is None or (row.stream is None and row.key[0] != "board"):
        return Scope()
    if row.stream is None:
        return _of_board(choices, found, row)
    streams = found.streams_for(choices)
    own = own_of(choices, row.stream, streams)
    # Also of a stream that is not ticked yet, so that what it would be can be seen.
    as_chosen = real if real.as_it_ran else replace(real, headsets=choices.headsets)
    hints, words = _declared(as_chosen, row.stream)
    if own is None:
        why = "it cannot be told apart from another stream: give it a name or source_id of its own"
        return Scope(row.key, None, dict.fromkeys(NAMES, "as for all"), words, why, _channels(as_chosen, row.stream))
    return Scope(row.key, own, _with_common(choices, hints), words, channels=_channels(as_chosen, row.stream))


def own_of(choices: Choices, stream: StreamFacts, streams: Sequence[StreamFacts]) -> OfStream | None:
    """Return what is said of a stream alone, by a query that means no other; None if there is no such query."""
    own = next((each for each in choices.headsets if is_of(each, stream.header)), None)
    if own is not None:
        return own
    text = query_for(stream, [each for each in streams if each != stream])
    return OfStream(text) if text is not None and not text.startswith("type=") else None


def _of_board(choices: Choices, found: Found, row: StreamRow) -> Scope:
    text, known = row.key[1], found.boards.get(row.key[1])
    own = next((each for each in choices.headsets if each.stream == text), OfStream(text))
    hints = dict(OF_ALL)
    if isinstance(known, StreamInfo):
        hints |= {"channels": ", ".join(known.channels), "rate": f"{known.rate:g}"}
    return Scope(row.key, own, _with_common(choices, hints), "a board: its own text may say names, unit and rate, too")


def _with_common(choices: Choices, hints: Mapping[str, str]) -> dict[str, str]:
    """Return the hints with what is given for all streams."""
    common = {name: getattr(choices, name).strip() for name in NAMES}
    # What is said of one stands in place of both.
    chosen = bool(common["without"] or common["only"])

    def hint(name: str) -> str:
        if chosen and name in {"without", "only"}:
            return f"as for all: {common[name] or 'none'}"
        return f"as for all: {common[name]}" if common[name] else hints[name]

    return {name: hint(name) for name in NAMES}


def _declared(real: Choices, stream: StreamFacts) -> tuple[dict[str, str], str]:
    """Return what holds of a stream without anything given, by field, and what it was recognised as."""
    header, about = stream.header, recognition_of(real, stream)
    hints = dict(OF_ALL)
    hints["rate"] = f"{header.rate:g}, as declared" if header.rate > 0 else "irregular: give it"
    if not stream.described:
        return hints, stream.trouble or "being asked for its channels"
    hints["profile"] = f"{about.profile}, as recognised" if about.profile else "none is recognised"
    plan = _plan(real, stream)
    names = ", ".join(label for label in header.labels if label.strip())
    if plan is not None:
        names = ", ".join(plan.names)
        hints["only"] = f"the {len(plan.names)} of EEG and eyes"
    hints["channels"] = names or "no names are declared: give them in order"
    declared = f"{header.unit}, as declared" if header.unit else "not declared"
    hints["unit"] = "by its profile" if about.profile and not header.unit else declared
    said = [f"recognised as {about.why}" if about.why else "no profile is recognised: read as it describes itself"]
    said += list(about.assumed)
    said += [f"left out: {grouped(about.left_out)}"] if about.left_out else []
    return hints, "; ".join(said)


def _channels(real: Choices, stream: StreamFacts) -> tuple[TakenChannel, ...]:
    """Return the channels of a stream; none where it is not described, or what is given for it is wrong."""
    if not stream.described:
        return ()
    try:
        given = given_of(real, stream.header)
        chosen = given.get("without", ()), given.get("only", ())
        return taken_channels(stream.header, given.get("channels"), given.get("profile", ""), *chosen)
    except RtaffectError:
        return ()


def _plan(real: Choices, stream: StreamFacts) -> ChannelPlan | None:
    """Return how a stream would be read; None where that is not possible yet."""
    try:
        return plan_of(stream.header, given_of(real, stream.header))
    except RtaffectError:
        return None
