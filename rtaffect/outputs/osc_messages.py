"""What OSC (Open Sound Control 1.0) says of a step: addresses, values, and bundles that fit into a packet.

The address space is in docs/remote.md. What is not trusted has no message of its value: a receiver cannot take it for
one.
"""

from __future__ import annotations

import math
import re
import struct
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from rtaffect.engine.feedback import MEAN_ROW, Feedback
from rtaffect.outputs.outlet import Rows, feedback_channels, feedback_values
from rtaffect.protocol.rule import synchrony_of

ROOT: Final = "/rtaffect"
#: Says that a step is whole, with its number.
END: Final = f"{ROOT}/end"
#: A packet has at most so many bytes: with the headers of IP and UDP it stays whole on any network of Ethernet's kind.
MOST_BYTES: Final = 1400
#: Letters of a text at most.
MOST_TEXT: Final = 300
#: What stands before the messages of a bundle, and before each of them, bytes.
_HEAD, _SIZE = 16, 4
#: What an address may not have, by the specification, and what is not ASCII.
_UNSAFE: Final = re.compile(r"[^!-~]|[#*,/?\[\]{}]")

_BUNDLE: Final = b"#bundle\0"

Value = int | float | str
#: How numbers are sent, each in so many bytes.
_KINDS: Final = {int: "i", float: "f"}
_ZEROS: Final[dict[str, Value]] = {"i": 0, "f": 0.0}
_NUMBER: Final = 4


class Message(NamedTuple):
    """One message: where it goes, and its arguments."""

    address: str
    values: tuple[Value, ...]


def safe_names(names: Iterable[str]) -> list[str]:
    """Return a name for each that can stand in an address, no two the same: '_' for what cannot."""
    found: list[str] = []
    for name in names:
        plain = unicodedata.normalize("NFKD", name).encode("ascii", "replace").decode().replace("?", "_")
        safe = own = _UNSAFE.sub("_", plain)[:100] or "_"
        number = 1
        while safe in found:
            number += 1
            safe = f"{own}-{number}"
        found.append(safe)
    return found


def row_names(of: Rows) -> list[str]:
    """Return the rows' names in addresses, in their order; none of them is that of the mean."""
    labels = [c.label.partition("/")[2] for c in feedback_channels(of) if c.quantity == "predicted"]
    return safe_names([MEAN_ROW, *labels[: len(of.rows)]])[1:]


def step_messages(f: Feedback, rows: Sequence[str], people: Sequence[str]) -> list[Message]:
    """Return what is said of a step; ``rows`` and ``people`` are their names in addresses."""
    found = [
        Message(f"{ROOT}/time", (float(f.time),)),
        Message(f"{ROOT}/against", (f.observed_against,)),
        Message(f"{ROOT}/reason", (f.reason[:MOST_TEXT],)),
        *_mean(f),
    ]
    if f.quality.size:
        found += [Message(f"{ROOT}/quality/{p}", (float(q),)) for p, q in zip(people, f.quality.mean(1), strict=True)]
    quantities = (("predicted", f.predicted), ("observed", f.observed))
    band = (("null_low", f.null_low), ("null_high", f.null_high))
    for i, row in enumerate(rows):
        found.append(Message(f"{ROOT}/trusted/{row}", (int(f.trusted[i]),)))
        if not f.trusted[i]:
            continue
        told = (*quantities, *(band if math.isfinite(f.observed[i]) else ()))
        found += _numbers(row, [(what, float(values[i])) for what, values in told])
    return found


def _mean(f: Feedback) -> list[Message]:
    """Return the mean over the rows that count and are trusted, its null band only where all of them are."""
    observed, predicted = synchrony_of(f, (MEAN_ROW,))
    share = float(feedback_values(f)[2 * len(f.rows) + 4])
    told = [("predicted", predicted), ("observed", observed)]
    if share == 1.0 and math.isfinite(observed):
        told += [("null_low", f.null_mean_low), ("null_high", f.null_mean_high)]
    return [Message(f"{ROOT}/trusted/{MEAN_ROW}", (share,)), *_numbers(MEAN_ROW, told)]


def _numbers(row: str, told: Iterable[tuple[str, float]]) -> list[Message]:
    return [Message(f"{ROOT}/{what}/{row}", (value,)) for what, value in told if math.isfinite(value)]


def encoded(message: Message) -> bytes:
    """Return a message as it is sent: numbers as int32 and float32, texts as UTF-8."""
    kinds = "".join(_KINDS.get(type(value), "") for value in message.values)
    if kinds and len(kinds) == len(message.values):
        return _head(message.address, kinds) + struct.pack(f">{kinds}", *message.values)
    return _built(message.address, message.values)


@lru_cache(maxsize=8192)
def _head(address: str, kinds: str) -> bytes:
    """Return what stands before the numbers of a message, which is the same at each step."""
    return _built(address, [_ZEROS[kind] for kind in kinds])[: -_NUMBER * len(kinds)]


def _built(address: str, values: Iterable[Value]) -> bytes:
    from pythonosc.osc_message_builder import OscMessageBuilder

    builder = OscMessageBuilder(address)
    for value in values:
        builder.add_arg(value.replace("\0", "") if isinstance(value, str) else value)
    return builder.build().dgram


def step_bundles(messages: Sequence[Message], step: int, unix_s: float) -> list[bytes]:
    """Return the packets of a step: bundles with the same time tag, ``unix_s``, in s since 1970.

    Each begins with the step's number; the last one ends with it, so that a receiver knows that it has all.
    """
    first, last = encoded(Message(f"{ROOT}/step", (step,))), encoded(Message(END, (step,)))
    parts: list[list[bytes]] = [[first]]
    size = _HEAD + _SIZE + len(first)
    for each in (*map(encoded, messages), last):
        if size + _SIZE + len(each) > MOST_BYTES:
            parts.append([first])
            size = _HEAD + _SIZE + len(first)
        parts[-1].append(each)
        size += _SIZE + len(each)
    return [bundle(part, unix_s) for part in parts]


def bundle(messages: Iterable[bytes], unix_s: float) -> bytes:
    """Return messages, as they are sent, as one bundle with a time tag, s since 1970."""
    from pythonosc.parsing.osc_types import write_date

    # python-osc's own builders read each message again, three times: of 64 rows that is most of what sending takes.
    parts = [_BUNDLE, write_date(unix_s)]
    for each in messages:
        parts += [struct.pack(">i", len(each)), each]
    return b"".join(parts)
