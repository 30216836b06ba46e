"""Which participant is in which arm: drawn in permuted blocks, to be sealed (:mod:`rtaffect.protocol.seal`)."""

from __future__ import annotations

import random
import secrets
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

from pydantic import Field

from rtaffect import __version__
from rtaffect.common.errors import SettingsError
from rtaffect.common.settings import Frozen
from rtaffect.protocol.donors import open_donors
from rtaffect.protocol.model import Arm, Protocol

#: No allocation is of more.
MOST_PARTICIPANTS: Final = 10_000
_CODE = r"^[A-Za-z0-9]+$"


class Assigned(Frozen):
    """The arm of one participant, and of a yoked one the donor, as the protocol names it."""

    participant: str = Field(pattern=_CODE)
    arm: str
    donor: str | None = None


class Allocation(Frozen):
    """What a sealed file holds. ``salt`` makes two files of the same allocation differ."""

    format: Literal[1] = 1
    salt: str
    made: str
    rtaffect: str
    protocol: str
    protocol_sha256: str
    seed: int
    block_size: int
    assigned: tuple[Assigned, ...] = Field(min_length=1)


def draw(
    protocol: Protocol, participants: Sequence[str], *, block_size: int | None = None, seed: int | None = None
) -> Allocation:
    """Draw an arm for each participant, in permuted blocks that hold every arm equally often; donors take turns.

    Parameters
    ----------
    protocol
        Its arms; the donors of yoked ones are opened and checked.
    participants
        Their codes, in the order in which they come.
    block_size
        A multiple of the number of arms; default: twice that.
    seed
        Default: from the operating system, so that nobody knows it.

    Raises
    ------
    SettingsError
        If there is nothing to draw, a code is there twice or cannot be one, or the blocks do not hold the arms equally.
    RecordingError
        If a donor cannot be used.
    """
    size = _size_of_blocks(protocol, block_size)
    _check_codes(participants)
    open_donors(protocol)
    seed = secrets.randbits(63) if seed is None else seed
    return Allocation(
        salt=secrets.token_hex(32),
        made=now(),
        rtaffect=__version__,
        protocol=protocol.name,
        protocol_sha256=protocol.sha256,
        seed=seed,
        block_size=size,
        assigned=_assigned(protocol.arms, participants, size, random.Random(seed)),
    )


def _size_of_blocks(protocol: Protocol, wanted: int | None) -> int:
    count = len(protocol.arms)
    size = 2 * count if wanted is None else wanted
    if count < 2:
        raise SettingsError(f"protocol '{protocol.name}' has {count} arms: an allocation needs two or more [[arm]]")
    if size < 1 or size % count:
        raise SettingsError(f"a block of {size} does not hold {count} arms equally often: choose a multiple of {count}")
    return size


def _assigned(arms: Sequence[Arm], participants: Sequence[str], size: int, dice: random.Random) -> tuple[Assigned, ...]:
    order: list[Arm] = []
    while len(order) < len(participants):
        block = [arm for arm in arms for _ in range(size // len(arms))]
        dice.shuffle(block)
        order += block
    turns: dict[str, list[Path]] = {}
    assigned = []
    for participant, arm in zip(participants, order, strict=False):
        donor = None
        if arm.feedback == "yoked":
            turn = turns.setdefault(arm.name, [])
            if not turn:
                turn += dice.sample(arm.donors, len(arm.donors))
            donor = turn.pop().as_posix()
        assigned.append(Assigned(participant=participant, arm=arm.name, donor=donor))
    return tuple(assigned)


def _check_codes(participants: Sequence[str]) -> None:
    if not participants:
        raise SettingsError("no participant is named: give their codes, or how many there are")
    if len(participants) > MOST_PARTICIPANTS:
        raise SettingsError(f"{len(participants)} participants are named; expected at most {MOST_PARTICIPANTS}")
    times = Counter(participants)
    for code in participants:
        if not (code.isascii() and code.isalnum()):
            raise SettingsError(f"{code!r} is no participant's code: expected letters and digits, as in P01")
        if times[code] > 1:
            raise SettingsError(f"participant {code} is named twice: name each once")


def now() -> str:
    """Return the time, ISO 8601, UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")
