"""When blocks begin and end: whole seconds of session time, moved on by steps and the operator's keys alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from rtaffect.common.errors import SettingsError
from rtaffect.protocol.model import LEAD_S, Block, Protocol
from rtaffect.protocol.protocol_step import BlockKind, Phase

Key = Literal["go", "skip"]


@dataclass(frozen=True, slots=True)
class Event:
    """What happened in the protocol. ``onset`` is session time, s; a key's is the step at which it counted."""

    onset: float
    what: Literal["block-begin", "block-end", "go", "skip"]
    block: int
    kind: BlockKind
    name: str


class Ran(NamedTuple):
    """A block that ran: its number from 1, and when it began and ended, s; None where it never ended."""

    block: int
    start_s: float
    end_s: float | None = None


class Timeline:
    """The blocks of a protocol in time.

    A block is running at the instants ``start <= t < end``. Keys of a step count for what was there before it, so that
    one pressed in a block's last second does not start the next.

    Parameters
    ----------
    protocol
        Whose blocks.

    Attributes
    ----------
    start : int or None
        When the block began or will begin, s; None while nobody knows.
    """

    def __init__(self, protocol: Protocol) -> None:
        self._blocks = protocol.blocks
        self._at = 0
        self._begun = False
        self.start: int | None = protocol.lead_s if self._blocks[0].start == "auto" else None

    @property
    def block(self) -> Block:
        """The block that runs or is waited for, the last one after its end."""
        return self._blocks[min(self._at, len(self._blocks) - 1)]

    @property
    def following(self) -> Block | None:
        """The block after it."""
        return self._blocks[self._at + 1] if self._at + 1 < len(self._blocks) else None

    @property
    def phase(self) -> Phase:
        """Where it stands."""
        if self._at == len(self._blocks):
            return "done"
        return "running" if self._begun else "waiting"

    @property
    def end(self) -> int | None:
        """When the block ends, s; None while nobody knows, and where it has no end."""
        return None if self.start is None or self.block.seconds is None else self.start + self.block.seconds

    def advance(self, step: int, keys: Sequence[Key]) -> list[Event]:
        """Move on to the end of second ``step`` with the keys that were pressed since the one before."""
        events: list[Event] = []
        for key in keys:
            self._press(key, step, events)
        if self._begun and self.end is not None and step >= self.end:
            self._leave(self.end, events)
        if not self._begun and self.start is not None and step >= self.start:
            self._begun = True
            events.append(self._event("block-begin", self.start))
        return events

    def _press(self, key: Key, step: int, events: list[Event]) -> None:
        over = self.phase == "done" or (self._begun and self.end is not None and step >= self.end)
        if over or (key == "go" and self.start is not None):
            return
        events.append(self._event(key, step))
        if key == "go":
            self.start = step + _lead_of(self.block)
        else:
            self._leave(step, events)

    def _leave(self, step: int, events: list[Event]) -> None:
        """Go on to the next block at ``step``: when the present one ends, early or not, or is passed over."""
        ends = self.end == step
        if self._begun:
            events.append(self._event("block-end", step))
        self._at, self._begun, self.start = self._at + 1, False, None
        if self._at < len(self._blocks) and self.block.start == "auto":
            self.start = step if ends else step + _lead_of(self.block)

    def _event(self, what: Literal["block-begin", "block-end", "go", "skip"], onset: int) -> Event:
        return Event(float(onset), what, self.block.number, self.block.kind, self.block.name)

    def upcoming(self, now_s: float) -> tuple[tuple[float, Block], ...]:
        """Return the blocks that begin after ``now_s`` and when, s, as far as that is known."""
        found: list[tuple[float, Block]] = []
        start = self.start
        for place in range(self._at, len(self._blocks)):
            if start is None:
                break
            block = self._blocks[place]
            if start > now_s:
                found.append((float(start), block))
            follows = place + 1 < len(self._blocks) and self._blocks[place + 1].start == "auto"
            start = start + block.seconds if follows and block.seconds is not None else None
        return tuple(found)


def keys_that_gave(protocol: Protocol, ran: Sequence[Ran]) -> Mapping[int, tuple[Key, ...]]:
    """Return the operator's keys by step under which the blocks begin and end as they did.

    Parameters
    ----------
    protocol
        Whose blocks.
    ran
        Those that ran, in order. One that is missing between others was passed over; when it was, is not in here, and
        it is taken to have been at the first chance.

    Raises
    ------
    SettingsError
        If no keys lead there: the blocks are of another protocol.
    """
    keys: dict[int, tuple[Key, ...]] = {}
    free = expected = 1
    for one in ran:
        if not expected <= one.block <= len(protocol.blocks) or one.start_s % 1 or (one.end_s or 0.0) % 1:
            raise _does_not_fit(protocol, one)
        block, start = protocol.blocks[one.block - 1], int(one.start_s)
        lead = _lead_of(block)
        for at in _passed_over(protocol.blocks[expected - 1 : one.block], free, start - lead):
            keys[at] = (*keys.get(at, ()), "skip")
        if block.start == "operator":
            keys[start - lead] = (*keys.get(start - lead, ()), "go")
        if one.end_s is None:
            break
        free, expected = int(one.end_s), one.block + 1
        if block.seconds is None or free < start + block.seconds:
            keys[free] = (*keys.get(free, ()), "skip")
        else:
            free += 1
    _check_that(protocol, keys, ran)
    return keys


def _passed_over(blocks: Sequence[Block], free: int, left: int) -> list[int]:
    """Return when all ``blocks`` but the last were passed over, from step ``free`` on, as early as can be.

    The last one began by itself only if the one before it was left at step ``left``; one that begins by itself without
    a sound cannot be waited for.
    """
    at = [free] * (len(blocks) - 1)
    least = left
    for place in range(len(blocks) - 1, 0, -1):
        if blocks[place].start == "operator":
            break
        at[place - 1] = max(free, least)
        least = at[place - 1] - _lead_of(blocks[place - 1])
    return at


def _lead_of(block: Block) -> int:
    return LEAD_S if block.sound is not None else 0


def _check_that(protocol: Protocol, keys: Mapping[int, tuple[Key, ...]], ran: Sequence[Ran]) -> None:
    """Refuse blocks that the keys do not lead to."""
    line = Timeline(protocol)
    begun: dict[int, float] = {}
    ended: dict[int, float] = {}
    last = max((one.end_s or one.start_s for one in ran), default=0.0)
    for step in range(1, int(last) + 1):
        for event in line.advance(step, keys.get(step, ())):
            if event.what in ("block-begin", "block-end"):
                (begun if event.what == "block-begin" else ended)[event.block] = event.onset
    for one in ran:
        if begun.pop(one.block, None) != one.start_s or ended.get(one.block) != one.end_s:
            raise _does_not_fit(protocol, one)
    if extra := [(block, start) for block, start in begun.items() if start < last]:
        raise SettingsError(
            f"by the protocol '{protocol.name}' block {extra[0][0]} begins at {extra[0][1]:g} s, but none was "
            "recorded: replay with the protocol that the session ran with"
        )


def _does_not_fit(protocol: Protocol, one: Ran) -> SettingsError:
    end = "" if one.end_s is None else f" and ended at {one.end_s:g} s"
    return SettingsError(
        f"recorded block {one.block} began at {one.start_s:g} s{end}, which the protocol '{protocol.name}' does not "
        "allow: replay with the protocol that the session ran with"
    )
