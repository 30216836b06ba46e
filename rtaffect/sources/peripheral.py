"""Streams of peripheral signals that are asked for, and whose signals they are: which person wears the device."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from rtaffect.common.body_kinds import BodyKind
from rtaffect.common.errors import SettingsError, setting
from rtaffect.sources.selection import FIELDS, Query
from rtaffect.stream.source import StreamHeader

#: The parts of a name: '3' is none of 'Shimmer3'.
_TOKEN: Final = re.compile(r"[^\W_]+")


class Asked(NamedTuple):
    """A stream of peripheral signals that is asked for, and the headset of the person who wears it ('' is not said)."""

    query: Query
    person: str = ""

    @classmethod
    def parse(cls, text: str) -> Asked:
        """Return what ``text`` means: a query as of headsets, or ``PERSON=`` and one; SettingsError if it is none."""
        person, equals, query = text.partition("=")
        if not equals or person.strip().lower() in FIELDS:
            return cls(Query.parse(text))
        if not person.strip():
            raise SettingsError(
                f"{setting('peripheral', repr(text))} names no person before '='",
                "a stream's name, or PERSON=QUERY, where PERSON is a headset's name",
                field="peripheral",
            )
        return cls(Query.parse(query), person.strip())


class Worn(NamedTuple):
    """A headset, as far as it tells whose a stream is: its name in the session, and what it says of itself."""

    name: str
    stream: str
    source_id: str
    host: str


class Owner(NamedTuple):
    """Whose a stream is: the headset's name in the session ('' where that is not known), and by what."""

    name: str = ""
    by: str = ""


class Device(NamedTuple):
    """A stream of peripheral signals: what it says of itself, what it carries, and who was named for it."""

    header: StreamHeader
    kinds: frozenset[BodyKind]
    person: str = ""


def owners(devices: Sequence[Device], worn: Sequence[Worn]) -> list[Owner]:
    """Return whose each stream is.

    What a board sends by BrainFlow is of who wears the board. Else who is named counts; else the one headset there is;
    else the one of the same source_id; else the one that alone is on the same computer, while others are on others, or
    alone shares a part of its name ('Shimmer B' is of 'Muse B'), where these two do not contradict each other. Nobody
    wears two devices for one signal: where that would come of computers and names, it is not known whose they are.

    Raises
    ------
    SettingsError
        If somebody is named who wears no headset.
    """
    found = [_owner(device, worn) for device in devices]
    for name in {each.name for each in found if each.by in _GUESSED}:
        mine = [number for number, each in enumerate(found) if each.name == name]
        kinds = [kind for number in mine for kind in devices[number].kinds]
        if len(kinds) > len(set(kinds)):
            found = [Owner() if n in mine and each.by in _GUESSED else each for n, each in enumerate(found)]
    return found


#: The session has one source of each board, and names it so: what has its source_id comes from the same device.
BY_BOARD: Final = "board"
_BOARD: Final = "brainflow:"
_GUESSED: Final = frozenset({"computer", "name"})


def _owner(device: Device, worn: Sequence[Worn]) -> Owner:
    header = device.header
    alike = [each for each in worn if header.source_id and each.source_id == header.source_id]
    if header.source_id.startswith(_BOARD) and len(alike) == 1:
        return Owner(alike[0].name, BY_BOARD)
    if device.person:
        return Owner(_named(device, worn), "option")
    if len(worn) == 1:
        return Owner(worn[0].name, "the only headset")
    if len(alike) == 1:
        return Owner(alike[0].name, "source_id")
    guesses = {"computer": _on_one_computer(header, worn), "name": _of_one_name(header, worn)}
    said = {each[0].name: by for by, each in guesses.items() if each}
    return Owner(*next(iter(said.items()))) if len(said) == 1 else Owner()


def _named(device: Device, worn: Sequence[Worn]) -> str:
    for field in ("name", "stream", "source_id"):
        if len(meant := [each.name for each in worn if getattr(each, field) == device.person]) == 1:
            return meant[0]
    raise SettingsError(
        f"{setting('peripheral', device.person)}: no headset is called that",
        f"one of {', '.join(each.name for each in worn)} before '=' and the stream {device.header.name!r}",
        field="peripheral",
    )


def _on_one_computer(header: StreamHeader, worn: Sequence[Worn]) -> list[Worn]:
    """Return the one headset that is on the stream's computer, where others are on others; else none."""
    there = [each for each in worn if header.host and each.host == header.host]
    return there if len(there) == 1 < len({each.host for each in worn}) else []


def _of_one_name(header: StreamHeader, worn: Sequence[Worn]) -> list[Worn]:
    """Return the one headset that shares a part of its name with the stream that no other headset has; else none."""
    parts = {each: _tokens(each.name) | _tokens(each.stream) for each in worn}
    own = {e: mine - set().union(*(p for other, p in parts.items() if other != e)) for e, mine in parts.items()}
    found = [each for each, mine in own.items() if mine & _tokens(header.name)]
    return found if len(found) == 1 else []


def _tokens(name: str) -> set[str]:
    return {part.casefold() for part in _TOKEN.findall(name)}


def whose(found: Sequence[Owner], devices: Sequence[Device]) -> list[str]:
    """Return what is to be told of streams, in words: whose they are taken to be, or that this is not known."""
    lines = []
    for owner, device in zip(found, devices, strict=True):
        if owner.by in _GUESSED:
            lines.append(f"{device.header.name}: taken for what {owner.name} wears, by its {owner.by}")
        elif not owner.name:
            example = f"PERSON={device.header.name}"
            lines.append(
                f"{device.header.name}: whose signals these are is not known, so that they are not exported with "
                f"anybody's; say so with {setting('peripheral', example)}, PERSON being the headset's name"
            )
    return lines
