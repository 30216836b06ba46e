"""When blocks begin and end: whole seconds of session time, moved on by steps and the operator's keys alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

from rtaffect.common.errors import SettingsError
from rtaffect.protocol.model import LEAD_S, Block, Protocol
from rtaffect.protocol.protocol_step import BlockKind, Phase

Key = Literal["go", "skip", "pause", "repeat"]
_UNTOLD: Final[Mapping[int, tuple[Key, ...]]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Event:
    """What happened in the protocol. ``onset`` is session time, s; a key's is the step at which it counted."""

    onset: float
    what: Literal["block-begin", "block-end", "block-pause", "block-resume", "go", "skip", "pause", "repeat"]
    block: int
    kind: BlockKind
    name: str


class Ran(NamedTuple):
    """A block that ran: its number from 1, when it began and ended, s, and from when to when it was paused.

    None where it never ended, or was never resumed. One that was repeated is there once for each time.
    """

    block: int
    start_s: float
    end_s: float | None = None
    pauses: tuple[tuple[float, float | None], ...] = ()


class Timeline:
    """The blocks of a protocol in time.

    A block is running at the instants ``start <= t < end``, less its pauses. Keys of a step count for what was there
    before it, so that one pressed in a block's last second does not start the next.

    Parameters
    ----------
    protocol
        Whose blocks.

    Attributes
    ----------
    start : int or None
        When the block began or will begin, or goes on after a pause, s; None while nobody knows.
    spent : int
        How many seconds of the block there were before its last pause; 0 without one.
    """

    def __init__(self, protocol: Protocol) -> None:
        self._blocks = protocol.blocks
        self._at = 0
        self._begun = self._paused = self._again = False
        self.spent = 0
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
        if self._paused:
            return "paused"
        return "running" if self._begun else "waiting"

    @property
    def left(self) -> int | None:
        """How many seconds of the block there are from ``start`` on; None without an end."""
        return None if self.block.seconds is None else self.block.seconds - self.spent

    @property
    def end(self) -> int | None:
        """When the block ends, s; None while nobody knows, and where it has no end."""
        return None if self.start is None or self.left is None else self.start + self.left

    def advance(self, step: int, keys: Sequence[Key]) -> list[Event]:
        """Move on to the end of second ``step`` with the keys that were pressed since the one before."""
        events: list[Event] = []
        for key in keys:
            self._press(key, step, events)
        if self._begun and self.end is not None and step >= self.end:
            self._leave(self.end, events)
        if not self._begun and self.start is not None and step >= self.start:
            events.append(self._event("block-resume" if self._paused else "block-begin", self.start))
            self._begun, self._paused, self._again = True, False, False
        return events

    def _press(self, key: Key, step: int, events: list[Event]) -> None:
        over = self.phase == "done" or (self._begun and self.end is not None and step >= self.end)
        if over:
            return
        if key == "repeat":
            self._repeat(step, events)
        elif key == "pause" and self._begun:
            self._pause(step, events)
        elif key == "go" or (key == "pause" and self._paused):
            if self.start is None:
                events.append(self._event("go", step))
                self.start = step + _lead_of(self.block)
        elif key == "skip":
            events.append(self._event(key, step))
            self._leave(step, events)

    def _pause(self, step: int, events: list[Event]) -> None:
        """Let the block that runs stand still."""
        if self.start is None:
            return
        events += [self._event("pause", step), self._event("block-pause", step)]
        self.spent += step - self.start
        self._begun, self._paused, self.start = False, True, None

    def _repeat(self, step: int, events: list[Event]) -> None:
        """Begin the block that runs or stands still again, or the one before that which is waited for.

        Pressed once more before it has begun, that changes nothing: nobody means the block before that.
        """
        there = self._begun or self._paused
        if self._again or (not there and not self._at):
            return
        if not there:
            self._at -= 1
        events.append(self._event("repeat", step))
        if there:
            events.append(self._event("block-end", step))
        self._begun, self._paused, self._again = False, False, True
        self.spent, self.start = 0, step + _lead_of(self.block)

    def _leave(self, step: int, events: list[Event]) -> None:
        """Go on to the next block at ``step``: when the present one ends, early or not, or is passed over."""
        ends = self.end == step
        if self._begun or self._paused:
            events.append(self._event("block-end", step))
        self._at, self.start, self.spent = self._at + 1, None, 0
        self._begun = self._paused = self._again = False
        if self._at < len(self._blocks) and self.block.start == "auto":
            self.start = step if ends else step + _lead_of(self.block)

    def _event(
        self,
        what: Literal["block-begin", "block-end", "block-pause", "block-resume", "go", "skip", "pause", "repeat"],
        onset: int,
    ) -> Event:
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
            left = self.left if place == self._at else block.seconds
            start = start + left if follows and left is not None else None
        return tuple(found)


def keys_that_gave(
    protocol: Protocol, ran: Sequence[Ran], pressed: Mapping[int, tuple[Key, ...]] = _UNTOLD
) -> Mapping[int, tuple[Key, ...]]:
    """Return the operator's keys by step under which the blocks begin, pause and end as they did.

    Parameters
    ----------
    protocol
        Whose blocks.
    ran
        Those that ran, in order. One that is missing between others was passed over; when it was, is not in here, and
        without ``pressed`` it is taken to have been at the first chance.
    pressed
        The keys that counted, by step, as far as they were told: they are returned if the blocks follow from them.

    Raises
    ------
    SettingsError
        If no keys lead there: the blocks are of another protocol.
    """
    last = max((*(at for one in ran for at in _times_of(one)), *map(float, pressed)), default=0.0)
    if pressed and _blocks_by(protocol, pressed, last) == [*ran]:
        return pressed
    keys = _Keys(protocol)
    for place, one in enumerate(ran):
        after = ran[place + 1] if place + 1 < len(ran) else None
        if not keys.take(one, after):
            break
    _check_that(protocol, keys.found, ran)
    return keys.found


class _Keys:
    """The keys that gave the blocks so far."""

    def __init__(self, protocol: Protocol) -> None:
        self._protocol = protocol
        self.found: dict[int, tuple[Key, ...]] = {}
        # The first step at which a key counts, and the block that comes next.
        self._free = self._expected = 1

    def take(self, one: Ran, after: Ran | None) -> bool:
        """Take in a block that ran, and the one ``after`` it; return whether there can be more."""
        again = one.block == self._expected - 1
        known = (self._expected <= one.block <= len(self._protocol.blocks)) or again
        if not known or any(at % 1 for at in _times_of(one)):
            raise _does_not_fit(self._protocol, one)
        block, start = self._protocol.blocks[one.block - 1], int(one.start_s)
        lead = _lead_of(block)
        if again:
            self._press(start - lead, "repeat")
        else:
            for at in _passed_over(self._protocol.blocks[self._expected - 1 : one.block], self._free, start - lead):
                self._press(at, "skip")
            if block.start == "operator":
                self._press(start - lead, "go")
        stood = self._pauses(one, lead)
        if one.end_s is None:
            return False
        self._free, self._expected = int(one.end_s), one.block + 1
        natural = block.seconds is not None and self._free >= start + block.seconds + stood
        repeated = after is not None and after.block == one.block and int(after.start_s) - lead == self._free
        if natural:
            self._free += 1
        elif not repeated:
            self._press(self._free, "skip")
        return True

    def _pauses(self, one: Ran, lead: int) -> int:
        """Take in a block's pauses; return how long it stood still, s."""
        stood = 0
        for begin, end in one.pauses:
            self._press(int(begin), "pause")
            if end is not None:
                self._press(int(end) - lead, "go")
                stood += int(end) - int(begin)
        return stood

    def _press(self, step: int, key: Key) -> None:
        self.found[step] = (*self.found.get(step, ()), key)


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
    last = max((each for one in ran for each in _times_of(one)), default=0.0)
    given = _blocks_by(protocol, keys, last)
    for one in ran:
        found = next((each for each in given if each.block == one.block), None)
        if found is None or found != one:
            raise _does_not_fit(protocol, one)
        given.remove(found)
    if extra := [one for one in given if one.start_s < last]:
        raise SettingsError(
            f"by the protocol '{protocol.name}' block {extra[0].block} begins at {extra[0].start_s:g} s, but none was "
            "recorded: replay with the protocol that the session ran with"
        )


def _blocks_by(protocol: Protocol, keys: Mapping[int, Sequence[Key]], last: float) -> list[Ran]:
    """Return the blocks that ``keys`` give until ``last``, s."""
    line = Timeline(protocol)
    return blocks_of(event for step in range(1, int(last) + 1) for event in line.advance(step, keys.get(step, ())))


def _does_not_fit(protocol: Protocol, one: Ran) -> SettingsError:
    end = "" if one.end_s is None else f" and ended at {one.end_s:g} s"
    return SettingsError(
        f"recorded block {one.block} began at {one.start_s:g} s{end}, which the protocol '{protocol.name}' does not "
        "allow: replay with the protocol that the session ran with"
    )


def _times_of(one: Ran) -> list[float]:
    """Return when a block began, paused, went on and ended, as far as it did, s."""
    stood = (at for span in one.pauses for at in span)
    return [at for at in (one.start_s, *stood, one.end_s) if at is not None]


def blocks_of(events: Iterable[Event]) -> list[Ran]:
    """Return the blocks that ran, in order, by what happened."""
    found: list[Ran] = []
    for event in events:
        if event.what == "block-begin":
            found.append(Ran(event.block, event.onset))
        elif found and event.what.startswith("block-"):
            found[-1] = changed(found[-1], event.what, event.onset)
    return found


def changed(one: Ran, what: str, at: float) -> Ran:
    """Return a block that ended, paused or went on at ``at`` s."""
    if what == "block-end":
        return one._replace(end_s=at)
    if what == "block-pause":
        return one._replace(pauses=(*one.pauses, (at, None)))
    if what == "block-resume" and one.pauses:
        return one._replace(pauses=(*one.pauses[:-1], (one.pauses[-1][0], at)))
    return one
