"""The seal of an allocation: encrypted as a whole for the study's lead, and each participant's arm for one session.

A sealed file holds the allocation twice, both times encrypted (Fernet: AES-128-CBC and HMAC-SHA256, of the package
cryptography, https://github.com/fernet/spec): as a whole with a key that is in a file of its own, and each
participant's entry, padded to the same length, with a key that follows from that participant's session code. The file
of the key has these codes, too. So whoever runs sessions needs neither the key nor any code but the present
participant's.

Files of format 1 were compressed and encoded, not encrypted; they are still read, without key or code.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import zlib
from pathlib import Path
from typing import Any, Final, TypeVar

import tomli_w
from pydantic import BaseModel, ValidationError

from rtaffect.common.errors import ArtifactError, SettingsError, setting
from rtaffect.common.files import COMMON, PRIVATE, new_file, sha256_of
from rtaffect.common.mistakes import first_problem
from rtaffect.common.reading import MOST_TEXT_BYTES, read_bytes, read_toml, why
from rtaffect.common.settings import Frozen
from rtaffect.protocol.allocation import Allocation, Assigned
from rtaffect.protocol.model import Protocol

_HEAD: Final = b"rtaffect sealed allocation 2: who is in which arm. Opened, and noted, by: rtaffect unblind FILE"
_OLD_HEAD: Final = b"rtaffect sealed allocation 1: who is in which arm. Opened, and noted, by: rtaffect unblind FILE"
_HASH_BYTES: Final = 32
#: Entries are padded to a multiple of this, bytes: their length tells nothing.
_PADDED_TO: Final = 256
#: Of a session code: 100 bits, in groups.
_CODE_LETTERS, _CODE_GROUP = 20, 5
_KEY_NOTE: Final = (
    "# The key of a sealed allocation, and the code of each participant's session. Whoever has this file can read\n"
    "# every arm: keep it with somebody who runs no sessions, and hand out one code at a time.\n"
)


_Model = TypeVar("_Model", bound=BaseModel)


class _Envelope(Frozen):
    """What a sealed file holds in the open, and the encrypted whole and entries by participant."""

    format: int = 2
    protocol: str
    protocol_sha256: str
    salt: str
    whole: str
    entries: dict[str, str]


def key_beside(path: Path) -> Path:
    """Return where the key of a sealed file is looked for, and written, if no other place is named."""
    return path.with_name(f"{path.name}.key")


def seal(allocation: Allocation, path: Path, key_file: Path | None = None) -> str:
    """Write a new sealed file, and its key into a file that only its owner can read; return the sealed file's SHA-256.

    Parameters
    ----------
    allocation
        What is sealed.
    path
        The sealed file.
    key_file
        The key's; default: beside it.

    Raises
    ------
    SettingsError
        If one of them is there already, or cannot be written.
    """
    key_file = key_beside(path) if key_file is None else key_file
    key = _fernet().generate_key()
    codes = {one.participant: _session_code(key, one.participant) for one in allocation.assigned}
    plain = {one.participant: one.model_dump_json().encode() for one in allocation.assigned}
    size = -(-max(map(len, plain.values())) // _PADDED_TO) * _PADDED_TO
    envelope = _Envelope(
        protocol=allocation.protocol,
        protocol_sha256=allocation.protocol_sha256,
        salt=allocation.salt,
        whole=_encrypted(key, allocation.model_dump_json().encode()),
        entries={
            who: _encrypted(_entry_key(codes[who], allocation.salt), entry.ljust(size)) for who, entry in plain.items()
        },
    )
    data = _HEAD + b"\n" + _packed(envelope)
    held = {"format": 1, "allocation_sha256": sha256_of(data), "key": key.decode(), "session_codes": codes}
    if path.exists():
        raise SettingsError(f"--out {path} is there already; name a new file, nothing is overwritten")
    _write_new(key_file, f"{_KEY_NOTE}{tomli_w.dumps(held)}".encode(), "--key", PRIVATE)
    try:
        _write_new(path, data, "--out", COMMON)
    except SettingsError:
        key_file.unlink(missing_ok=True)
        raise
    return sha256_of(data)


def _write_new(path: Path, data: bytes, option: str, mode: int) -> None:
    try:
        with new_file(path, mode) as file:
            file.write(data)
    except FileExistsError:
        raise SettingsError(f"{option} {path} is there already; name a new file, nothing is overwritten") from None
    except OSError as error:
        raise SettingsError(f"{option} {path} cannot be written ({error.strerror}); name another file") from None


def allocation_sha256(path: Path) -> str:
    """Return the hash of a sealed file, by which ``session.toml`` names it; it is not opened.

    Raises
    ------
    ArtifactError
        If it cannot be read, is no such file, or is damaged.
    """
    _, _, sha256 = _content(path)
    return sha256


def codes_in(path: Path) -> tuple[str, ...]:
    """Return the participants' codes of a sealed file, in the order in which they come; nothing else of it is opened.

    Raises
    ------
    ArtifactError
        If it cannot be read, is no such file, or is damaged.
    """
    head, packed, _ = _content(path)
    if head == _OLD_HEAD:
        return tuple(one.participant for one in _parsed(path, Allocation, packed).assigned)
    return tuple(_parsed(path, _Envelope, packed).entries)


def unseal(path: Path, key_file: Path | None = None) -> tuple[Allocation, str]:
    """Return what a sealed file holds, and the file's SHA-256.

    Parameters
    ----------
    path
        The sealed file.
    key_file
        That of its key; default: beside it. A file of format 1 needs none.

    Raises
    ------
    ArtifactError
        If one of them cannot be read, is no such file, is damaged, or they do not belong together.
    """
    head, packed, sha256 = _content(path)
    if head == _OLD_HEAD:
        return _parsed(path, Allocation, packed), sha256
    envelope = _parsed(path, _Envelope, packed)
    key_file = key_beside(path) if key_file is None else key_file
    held = _read_key(key_file)
    if held.get("allocation_sha256") != sha256:
        raise ArtifactError(
            f"key {key_file} is of another allocation ({str(held.get('allocation_sha256'))[:12]}...) than {path} "
            f"({sha256[:12]}...); give the one that was made with it, with --key"
        )
    text = _decrypted(str(held.get("key")).encode(), envelope.whole)
    if text is None:
        raise ArtifactError(f"key {key_file} does not open {path}; give the one that was made with it, with --key")
    return _parsed(path, Allocation, text), sha256


def session_codes(key_file: Path) -> dict[str, str]:
    """Return each participant's session code from the file of a key; ArtifactError if it cannot be read or is none."""
    return {str(who): str(code) for who, code in _read_key(key_file).get("session_codes", {}).items()}


def arm_of(path: Path, participant: str, protocol: Protocol, code: str | None = None) -> Assigned:
    """Return which arm a participant is in.

    Parameters
    ----------
    path
        The sealed file.
    participant
        Their code.
    protocol
        The session's.
    code
        Their session code, which the study's lead has. A file of format 1 needs none.

    Raises
    ------
    ArtifactError
        If the file is damaged.
    SettingsError
        If it is of another protocol, does not have the participant, or the session code is missing or another's.
    """
    head, packed, _ = _content(path)
    old = _parsed(path, Allocation, packed) if head == _OLD_HEAD else None
    held = old if old is not None else _parsed(path, _Envelope, packed)
    if held.protocol_sha256 != protocol.sha256:
        raise SettingsError(
            f"allocation {path} is of the protocol '{held.protocol}' with SHA-256 {held.protocol_sha256[:12]}, "
            f"the session's, '{protocol.name}', has {protocol.sha256[:12]}: use that very file, unchanged"
        )
    codes = [one.participant for one in held.assigned] if isinstance(held, Allocation) else list(held.entries)
    if participant not in codes:
        raise SettingsError(
            f"participant {participant} is not in the allocation {path}, which has {len(codes)} from {codes[0]} to "
            f"{codes[-1]}: correct the code",
            field="participant",
        )
    if isinstance(held, Allocation):
        return next(one for one in held.assigned if one.participant == participant)
    return _entry(path, held, participant, code)


def _entry(path: Path, envelope: _Envelope, participant: str, code: str | None) -> Assigned:
    said = setting("session-code")
    if not code:
        raise SettingsError(
            f"allocation {path} is sealed: the session of {participant} needs {said}, which whoever keeps the key has",
            remedy="ask for it",
            field="session-code",
        )
    text = _decrypted(_entry_key(code, envelope.salt), envelope.entries[participant])
    if text is None:
        raise SettingsError(
            f"{said} does not open the entry of {participant} in {path}", "that participant's own", "correct it"
        )
    return _parsed(path, Assigned, text)


def _content(path: Path) -> tuple[bytes, bytes, str]:
    """Return the first line of a sealed file, what it holds, unpacked, and its hash."""
    try:
        data = read_bytes(path)
    except (OSError, ValueError) as error:
        raise ArtifactError(f"allocation {path} cannot be read ({why(error)}); check the path") from None
    head, _, code = data.partition(b"\n")
    head = head.rstrip(b"\r")
    if head not in (_HEAD, _OLD_HEAD):
        raise ArtifactError(f"{path} is no sealed allocation; expected a file that `rtaffect allocate` wrote")
    try:
        sealed = base64.b64decode(b"".join(code.split()), validate=True)
        if sha256_of(sealed[_HASH_BYTES:]) != sealed[:_HASH_BYTES].hex():
            raise ValueError("its checksum is wrong")
        return head, _unpacked(sealed[_HASH_BYTES:]), sha256_of(data)
    except (ValueError, zlib.error) as error:
        raise _damaged(path, error) from None


def _unpacked(packed: bytes) -> bytes:
    """Return what was packed; ValueError if it is more than any allocation."""
    unpacker = zlib.decompressobj()
    content = unpacker.decompress(packed, MOST_TEXT_BYTES)
    if not unpacker.eof:
        raise ValueError("it ends too soon, or is larger than any allocation")
    return content


def _packed(envelope: _Envelope) -> bytes:
    packed = zlib.compress(envelope.model_dump_json().encode(), 9)
    return base64.encodebytes(bytes.fromhex(sha256_of(packed)) + packed)


def _parsed(path: Path, model: type[_Model], text: bytes) -> _Model:
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        raise _damaged(path, first_problem(error, model)) from None


def _damaged(path: Path, error: Exception | str) -> ArtifactError:
    why = (str(error).splitlines() or ["it is not as it was written"])[0]
    return ArtifactError(f"allocation {path} is damaged ({why}); copy it again from where it was made")


def _read_key(path: Path) -> dict[str, Any]:
    try:
        found = read_toml(path)
    except FileNotFoundError:
        raise ArtifactError(
            f"the key {path} is not there; the allocation is sealed with it: give the file with --key, which whoever "
            "made the allocation keeps"
        ) from None
    except (OSError, ValueError) as error:
        raise ArtifactError(f"key {path} cannot be read ({why(error)}); copy it again from where it is kept") from None
    if found.get("format") != 1 or not isinstance(found.get("key"), str):
        raise ArtifactError(f"{path} is no key of an allocation; expected the file that `rtaffect allocate` wrote")
    return found


def _session_code(key: bytes, participant: str) -> str:
    digest = hmac.digest(key, f"rtaffect session code {participant}".encode(), "sha256")
    letters = base64.b32encode(digest).decode()[:_CODE_LETTERS]
    return "-".join(letters[i : i + _CODE_GROUP] for i in range(0, _CODE_LETTERS, _CODE_GROUP))


def _entry_key(code: str, salt: str) -> bytes:
    """Return the key of a participant's entry; the code has 100 random bits, so that it needs no stretching."""
    plain = "".join(code.upper().replace("-", " ").split())
    return base64.urlsafe_b64encode(hashlib.sha256(f"rtaffect entry {salt} {plain}".encode()).digest())


def _encrypted(key: bytes, plain: bytes) -> str:
    # Without the time at which it was made, which the whole has.
    return str(_fernet()(key).encrypt_at_time(plain, 0).decode())


def _decrypted(key: bytes, token: str) -> bytes | None:
    """Return what was encrypted, None if the key is another one or the token is damaged."""
    from cryptography.fernet import InvalidToken

    try:
        return bytes(_fernet()(key).decrypt(token.encode()))
    except (InvalidToken, ValueError):
        return None


def _fernet() -> Any:
    # Where it is used: sessions without an allocation need not wait for it.
    from cryptography.fernet import Fernet

    return Fernet
