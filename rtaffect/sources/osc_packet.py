"""Reads packets of OSC 1.0 (https://opensoundcontrol.stanford.edu/spec-1_0.html), whatever comes.

python-osc, which sends, is not used here: its reader of bundles never ends where an element's size is negative (seen
with 1.10.2), and what comes from outside must not stop the thread that listens.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

_BUNDLE: Final = b"#bundle\0"
#: Messages of one packet, arguments of one message, and how deeply bundles may stand in each other.
MOST_MESSAGES: Final = 256
MOST_ARGUMENTS: Final = 64
MOST_DEPTH: Final = 8
_NUMBERS: Final = {"i": ">i", "f": ">f", "h": ">q", "d": ">d"}
_WORDS: Final = {"T": "true", "F": "false", "N": "nil", "I": "impulse", "[": "[", "]": "]"}
#: Bytes of arguments that are passed over: time tag, colour, MIDI and character.
_SKIPPED: Final = {"t": 8, "r": 4, "m": 4, "c": 4}


class OscError(ValueError):
    """A packet is no OSC."""


class OscMessage(NamedTuple):
    """A message: its address, and its arguments as texts."""

    address: str
    arguments: tuple[str, ...]


def read_packet(packet: bytes) -> list[OscMessage]:
    """Return the messages of a packet, in order; time tags are not looked at.

    Raises
    ------
    OscError
        If it is no OSC, or larger than is taken.
    """
    found: list[OscMessage] = []
    waiting = [(packet, 0)]
    while waiting:
        content, depth = waiting.pop()
        if not content.startswith(_BUNDLE):
            found.append(_message(content))
        elif depth == MOST_DEPTH:
            raise OscError(f"bundles stand in each other more than {MOST_DEPTH} deep")
        else:
            waiting += [(element, depth + 1) for element in reversed(_elements(content))]
        if len(found) + len(waiting) > MOST_MESSAGES:
            raise OscError(f"it has more than {MOST_MESSAGES} messages")
    return found


def _elements(content: bytes) -> list[bytes]:
    at, found = len(_BUNDLE) + 8, []
    if at > len(content):
        raise OscError("a bundle ends before its time tag does")
    while at < len(content):
        size = int(_number(content, at, ">i"))
        at += 4
        if not 0 < size <= len(content) - at:
            raise OscError(f"an element of a bundle declares {size} bytes")
        found.append(content[at : at + size])
        at += size
    return found


def _message(content: bytes) -> OscMessage:
    address, at = _text(content, 0)
    if not address.startswith("/"):
        raise OscError("an address begins with '/'")
    if at >= len(content):
        return OscMessage(address, ())
    tags, at = _text(content, at)
    if not tags.startswith(",") or len(tags) > MOST_ARGUMENTS + 1:
        raise OscError("the types of its arguments are not told, or too many")
    arguments: list[str] = []
    for tag in tags[1:]:
        if tag in _WORDS:
            arguments.append(_WORDS[tag])
        elif tag in _SKIPPED:
            at += _SKIPPED[tag]
        elif tag in _NUMBERS:
            value = _number(content, at, _NUMBERS[tag])
            # A 32-bit number has seven digits.
            arguments.append(f"{value:.7g}" if tag == "f" else repr(value))
            at += struct.calcsize(_NUMBERS[tag])
        elif tag in "sS":
            text, at = _text(content, at)
            arguments.append(text)
        elif tag == "b":
            size = int(_number(content, at, ">i"))
            if not 0 <= size <= len(content) - at - 4:
                raise OscError(f"a blob declares {size} bytes")
            arguments.append(f"blob of {size} bytes")
            at += 4 + -(-size // 4) * 4
        else:
            raise OscError(f"arguments of type {tag!r} are not known")
    return OscMessage(address, tuple(arguments))


def _number(content: bytes, at: int, form: str) -> float:
    try:
        value: float = struct.unpack_from(form, content, at)[0]
    except struct.error:
        raise OscError("it ends within a number") from None
    return value


def _text(content: bytes, at: int) -> tuple[str, int]:
    """Return the text at ``at``, and where what follows begins: texts end with a zero and fill four bytes."""
    end = content.find(b"\0", at)
    if end < 0:
        raise OscError("it ends within a text")
    return content[at:end].decode("utf-8", "replace"), end + 4 - end % 4
