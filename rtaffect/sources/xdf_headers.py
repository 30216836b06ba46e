"""Headers of an XDF file as programs write them, made fit to be read where it is sure what was meant."""

from __future__ import annotations

import math
import re
from contextlib import suppress
from typing import Final, NamedTuple
from xml.etree import ElementTree as ET

from rtaffect.common.errors import RecordingError

#: No stream has more channels.
MOST_CHANNELS: Final = 10_000
#: No stream is faster, Hz.
MOST_RATE: Final = 10_000_000.0
#: Bytes of each number format.
BYTES: Final = {"float32": 4, "double64": 8, "int8": 1, "int16": 2, "int32": 4, "int64": 8}

_DECLARATION: Final = re.compile(r"^\s*<\?xml.*?\?>", re.DOTALL)
_LONE_AMPERSAND: Final = re.compile(r"&(?!(?:#\d+|#x[0-9a-fA-F]+|amp|lt|gt|quot|apos);)")
_NO_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Described(NamedTuple):
    """What a header says of a stream's samples, and the header to be read in its place."""

    channels: int
    format: str
    xml: bytes


def described(number: int, content: bytes) -> Described | str:
    """Return what the header of stream ``number`` says, or why it says nothing, in words.

    Raises
    ------
    RecordingError
        If it says that it has more channels, or is faster, than any stream is.
    """
    root, changed = _parsed(content)
    if root is None or root.tag != "info":
        return "its header is no XML that can be read"
    kind = (root.findtext("channel_format") or "").strip()
    try:
        channels = int((root.findtext("channel_count") or "").strip())
        rate = float((root.findtext("nominal_srate") or "").strip().replace(",", "."))
    except ValueError:
        return "its header says neither how many channels it has nor how fast it is"
    _check(root.findtext("name") or "", channels, rate)
    if channels < 1 or kind not in (*BYTES, "string"):
        return f"its header says {channels} channels of format {kind!r:.40}"
    changed |= _mend(root, number, channels, kind, rate)
    return Described(channels, kind, ET.tostring(root, "utf-8") if changed else content)


def _mend(root: ET.Element, number: int, channels: int, kind: str, rate: float) -> bool:
    """Write into a header what it means, as what reads it needs it; return whether that was not there."""
    changed = False
    # What cannot be a rate is none.
    exact = rate if math.isfinite(rate) and rate >= 0 else 0.0
    for tag, text in (("channel_format", kind), ("channel_count", str(channels)), ("nominal_srate", repr(exact))):
        element = root.find(tag)
        if element is not None and not _same(element.text or "", text):
            element.text, changed = text, True
    if not (root.findtext("name") or "").strip():
        name = root.find("name")
        name = ET.SubElement(root, "name") if name is None else name
        name.text, changed = f"stream {number}", True
    return changed


def _same(said: str, meant: str) -> bool:
    """Return whether two texts are the same text, or the same number to what reads it."""
    try:
        return said == meant or ("," not in said and float(said) == float(meant))
    except ValueError:
        return False


def _check(name: str, channels: int, rate: float) -> None:
    if channels > MOST_CHANNELS or rate > MOST_RATE:
        raise RecordingError(
            f"stream {name!r:.80} says that it has {channels:.3g} channels at {rate:.3g} Hz; expected at most "
            f"{MOST_CHANNELS} and {MOST_RATE:.0f} Hz: the recording is damaged. Copy it again from the computer that "
            "recorded it."
        )


def text_of(content: bytes) -> str:
    """Return a text in UTF-8, or else as programs of Western Windows write it."""
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")


def _parsed(content: bytes) -> tuple[ET.Element | None, bool]:
    """Return the XML of a header, and whether it had to be mended to be any."""
    with suppress(UnicodeDecodeError, ET.ParseError, ValueError):
        return ET.fromstring(content.decode()), False
    text = _DECLARATION.sub("", text_of(content))
    with suppress(ET.ParseError, ValueError):
        return ET.fromstring(_LONE_AMPERSAND.sub("&amp;", _NO_XML.sub(" ", text)).strip()), True
    return None, False


def is_xml(content: bytes) -> bool:
    """Return whether a content is XML as it is."""
    try:
        ET.fromstring(content)
    except (ET.ParseError, ValueError, LookupError):
        return False
    return True
