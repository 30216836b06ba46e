"""Which participant is in which arm: drawn in permuted blocks, sealed in a file, opened on record.

Sealed means that nobody reads it by accident: it is compressed and encoded, not encrypted.
"""

from __future__ import annotations

import base64
import random
import secrets
import zlib
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

from pydantic import Field, ValidationError

from rtaffect import __version__
from rtaffect.common.errors import ArtifactError, SettingsError
from rtaffect.common.files import sha256_of
from rtaffect.common.reading import MOST_TEXT_BYTES, read_bytes
from rtaffect.common.settings import Frozen
from rtaffect.protocol.donors import open_donors
from rtaffect.protocol.model import Arm, Protocol

_HEAD: Final = b"rtaffect sealed allocation 1: who is in which arm. Opened, and noted, by: rtaffect unblind FILE"
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


def seal(allocation: Allocation, path: Path) -> str:
    """Write a new sealed file and return its SHA-256.

    Raises
    ------
    SettingsError
        If there is such a file already, or it cannot be written.
    """
    packed = zlib.compress(allocation.model_dump_json().encode(), 9)
    data = _HEAD + b"\n" + base64.encodebytes(bytes.fromhex(sha256_of(packed)) + packed)
    try:
        with path.open("xb") as file:
            file.write(data)
    except FileExistsError:
        raise SettingsError(f"--out {path} is there already; name a new file, nothing is overwritten") from None
    except OSError as error:
        raise SettingsError(f"--out {path} cannot be written ({error.strerror}); name another file") from None
    return sha256_of(data)


def unseal(path: Path) -> tuple[Allocation, str]:
    """Return what a sealed file holds, and the file's SHA-256, by which ``session.toml`` names it.

    Raises
    ------
    ArtifactError
        If it cannot be read, is no such file, or is damaged.
    """
    try:
        data = read_bytes(path)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ArtifactError(f"allocation {path} cannot be read ({reason}); check the path") from None
    head, _, code = data.partition(b"\n")
    if head.rstrip(b"\r") != _HEAD:
        raise ArtifactError(f"{path} is no sealed allocation; expected a file that `rtaffect allocate` wrote")
    try:
        sealed = base64.b64decode(b"".join(code.split()), validate=True)
        if sha256_of(sealed[32:]) != sealed[:32].hex():
            raise ValueError("its checksum is wrong")
        allocation = Allocation.model_validate_json(_unpacked(sealed[32:]))
    except (ValueError, zlib.error, ValidationError) as error:
        why = str(error).splitlines()[0]
        raise ArtifactError(f"allocation {path} is damaged ({why}); copy it again from where it was made") from None
    return allocation, sha256_of(data)


def _unpacked(packed: bytes) -> bytes:
    """Return what was packed; ValueError if it is more than any allocation."""
    unpacker = zlib.decompressobj()
    content = unpacker.decompress(packed, MOST_TEXT_BYTES)
    if not unpacker.eof:
        raise ValueError("it ends too soon, or is larger than any allocation")
    return content


def arm_of(allocation: Path, participant: str, protocol: Protocol) -> Assigned:
    """Return which arm a participant is in.

    Raises
    ------
    ArtifactError
        If the file is damaged.
    SettingsError
        If it is of another protocol, or does not have the participant.
    """
    held, _ = unseal(allocation)
    if held.protocol_sha256 != protocol.sha256:
        raise SettingsError(
            f"allocation {allocation} is of the protocol '{held.protocol}' with SHA-256 {held.protocol_sha256[:12]}, "
            f"the session's, '{protocol.name}', has {protocol.sha256[:12]}: use that very file, unchanged"
        )
    for assigned in held.assigned:
        if assigned.participant == participant:
            return assigned
    codes = [assigned.participant for assigned in held.assigned]
    raise SettingsError(
        f"participant {participant} is not in the allocation {allocation}, which has {len(codes)} from {codes[0]} to "
        f"{codes[-1]}: correct the code",
        field="participant",
    )


def now() -> str:
    """Return the time, ISO 8601, UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")
