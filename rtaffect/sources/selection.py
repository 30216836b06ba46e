"""Which streams are meant: one small query language for live LSL streams and recorded ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from rtaffect.common.errors import SettingsError, setting
from rtaffect.plan.eeg_plan import EegPlan
from rtaffect.plan.headset_plan import HeadsetPlan
from rtaffect.sources.channel_plan import Given
from rtaffect.sources.device_profile import is_eeg
from rtaffect.stream.source import StreamHeader

Field = Literal["name", "type", "source_id"]

#: What a query may compare.
FIELDS: tuple[Field, ...] = ("name", "type", "source_id")


@dataclass(frozen=True, slots=True)
class Query:
    """One criterion that a stream must meet.

    ``field`` is what is compared and ``value`` what it must be: names and source ids exactly, types without regard to
    case (both 'EEG' and 'eeg' are in use). Type EEG also means a stream of another type whose device is recognised, as
    some are. Several queries together select every stream that meets one of them.
    """

    field: Field
    value: str

    @classmethod
    def parse(cls, text: str) -> Query:
        """Return the query that ``text`` means: an exact name, or ``name=``, ``type=`` or ``source_id=`` and a value.

        A name that itself contains '=' is written ``name=a=b``.

        Raises
        ------
        SettingsError
            If the text is empty or starts with a word and '=' that is none of the three.
        """
        key, equals, value = text.partition("=")
        field = key.strip().lower() if equals else "name"
        value = value if equals else text
        if field not in FIELDS:
            raise SettingsError(
                f"stream selection {text!r} starts with {key.strip()!r}; expected name=, type= or source_id= and a "
                f"value, or an exact name. If the stream is really called that, write name={text}"
            )
        if not value.strip():
            raise SettingsError(
                f"stream selection {text!r} has no value; expected an exact stream name, or name=, type= or source_id= "
                "and a value, as in type=EEG"
            )
        return cls(field, value)

    def matches(self, stream: StreamHeader) -> bool:
        """Return whether ``stream`` is meant."""
        if self.field == "type":
            same = stream.type.casefold() == self.value.casefold()
            return same or (self.value.casefold() == "eeg" and is_eeg(stream))
        return self.value == (stream.name if self.field == "name" else stream.source_id)

    def describe(self) -> str:
        """Return the query as words for a message: ``name 'ANT'``, ``type 'EEG'`` or ``source id 'x'``."""
        return f"{self.field.replace('_', ' ')} {self.value!r}"


#: What is meant when nothing is said: every stream of EEG.
ANY_EEG = Query("type", "EEG")
#: Every stream of sound.
ANY_AUDIO = Query("type", "Audio")
#: Every stream of markers.
ANY_MARKERS = Query("type", "Markers")


def matches_any(queries: Iterable[Query], stream: StreamHeader) -> bool:
    """Return whether ``stream`` meets at least one of ``queries``."""
    return any(query.matches(stream) for query in queries)


def meant(queries: Iterable[Query], streams: Sequence[StreamHeader]) -> list[int]:
    """Return the numbers of the streams of EEG that ``queries`` mean.

    A headset may send its EEG, acceleration and more as streams of one name and one source id: then whoever names it
    means the EEG. Where none of those that a query means is of EEG, all are meant.
    """
    numbers: set[int] = set()
    for query in queries:
        met = [i for i, stream in enumerate(streams) if query.matches(stream)]
        numbers.update([i for i in met if is_eeg(streams[i])] or met)
    return sorted(numbers)


def describe_all(queries: Iterable[Query]) -> str:
    """Return the queries as words for a message, as in ``name 'ANT' or type 'EEG'``."""
    return " or ".join(query.describe() for query in queries)


def distinct_names(streams: Sequence[tuple[str, str]]) -> list[str]:
    """Return a name for each stream (name, source id); where streams share one, the id or a number tells them apart."""
    names = [name for name, _ in streams]
    result: list[str] = []
    for own, source_id in streams:
        alike = [other_id for name, other_id in streams if name == own]
        name = own
        if len(alike) > 1 and all(alike) and len(set(alike)) == len(alike):
            name = f"{own} ({source_id})"
        number, candidate = 1, name
        while candidate in result or (candidate != own and candidate in names):
            number += 1
            candidate = f"{name} #{number}"
        result.append(candidate)
    return result


def queries_of(eeg: EegPlan) -> tuple[Query, ...]:
    """Return what the EEG streams must meet."""
    return tuple(Query.parse(text) for text in eeg.streams) or (ANY_EEG,)


def given_for(eeg: EegPlan, stream: StreamHeader, board: str = "") -> Given:
    """Return what replaces the description of one headset: its own, where that is given, else that of all.

    Parameters
    ----------
    eeg
        What was asked for.
    stream
        What the headset says of itself.
    board
        The text of the board that it is; '' for a stream.

    Raises
    ------
    SettingsError
        If several are given for it, or one for something that can be no stream.
    """
    given, own = given_by(eeg), [each for each in eeg.headsets if _is_of(each, stream, board)]
    if len(own) > 1:
        raise SettingsError(
            f"{setting('headset', own[0].text)} and {setting('headset', own[1].text)} both mean {stream.name!r}",
            remedy="give one of them, with all that is to be said",
        )
    for each in own:
        chooses = bool(each.without or each.only)
        given |= Given(
            channels=each.channels or given["channels"],
            unit=each.unit or given["unit"],
            rate=each.rate or given["rate"],
            without=each.without if chooses else given["without"],
            only=each.only if chooses else given["only"],
            profile=each.profile or given["profile"],
            headset=each.text,
        )
    return given


def undescribed(name: str, source_id: str = "") -> StreamHeader:
    """Return a headset of which no more is known: a board that is not open, or one that is not there yet."""
    return StreamHeader(name, "EEG", 0.0, "float32", (), source_id=source_id)


def _is_of(plan: HeadsetPlan, stream: StreamHeader, board: str) -> bool:
    if plan.is_board or board:
        return plan.stream == board
    return Query.parse(plan.stream).matches(stream)


def require_meant(eeg: EegPlan, streams: Sequence[StreamHeader], boards: Sequence[str] = ()) -> None:
    """Refuse what is given for one headset and means none, or several, of those that a session has.

    Raises
    ------
    SettingsError
        For the first.
    """
    there = [*((stream, "") for stream in streams), *((undescribed(board), board) for board in boards)]
    for each in eeg.headsets:
        met = [stream.name for stream, board in there if _is_of(each, stream, board)]
        if len(met) != 1:
            names = ", ".join(dict.fromkeys(stream.name for stream, _ in there)) or "none"
            raise SettingsError(
                f"{setting('headset', each.text)} means {len(met) or 'no'} headset{'s' if len(met) > 1 else ''} of the "
                f"session, which has {names}",
                remedy="name it by source_id=" if met else "name one of them",
            )


def given_by(eeg: EegPlan) -> Given:
    """Return what replaces the description of every headset that has none of its own."""
    return Given(
        channels=eeg.channels or None,
        unit=eeg.unit,
        rate=eeg.rate,
        without=eeg.without,
        only=eeg.only,
        profile=eeg.profile or "",
    )
