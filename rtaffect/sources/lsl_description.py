"""The XML that an LSL stream describes itself by, read within limits: its sender may write what it likes."""

from __future__ import annotations

from typing import Any

from rtaffect.stream.limits import MOST_DEPTH, MOST_DESCRIPTION, MOST_NAME, MOST_PARTS

KEYS = ("label", "unit", "type")


def channels_of(info: Any) -> list[dict[str, str]]:
    """Return label, unit and type of each channel that ``info`` (pylsl.StreamInfo) describes.

    Raises
    ------
    ValueError
        If the description is larger than what is taken; the message goes on from 'it'.
    """
    _check_size(info.desc())
    channels = []
    element = info.desc().child("channels").child("channel")
    while not element.empty():
        # Some programs name a channel under another key (Mentalab's).
        said = {key: _short(str(element.child_value(key))) for key in (*KEYS, "name")}
        channels.append({key: said[key] or (said["name"] if key == "label" else "") for key in KEYS})
        element = element.next_sibling("channel")
    return channels


def maker_of(info: Any) -> str:
    """Return who makes the device by its description, '' where that is not said."""
    described = info.desc()
    said = (described.child_value("manufacturer"), described.child("acquisition").child_value("manufacturer"))
    return next((str(text)[:MOST_NAME] for text in said if text), "")


def _short(text: str) -> str:
    if len(text) > MOST_NAME:
        raise ValueError(f"gives a channel a name of {len(text)} letters, expected {MOST_NAME} or fewer")
    return text


def _check_size(root: Any) -> None:
    """Walk through all parts of the description, and refuse one of too many, too deep or too long ones.

    liblsl indents its XML, so that a deep description of a megabyte becomes gigabytes of blanks.
    """
    path, parts, letters = [root.first_child()], 0, 0
    while path:
        element = path[-1]
        if element.empty():
            path.pop()
            if path:
                path[-1] = path[-1].next_sibling()
            continue
        parts, letters = parts + 1, letters + len(element.name()) + len(element.value())
        if len(path) > MOST_DEPTH:
            raise ValueError(f"sends a description of more than {MOST_DEPTH} parts within each other")
        if parts > MOST_PARTS:
            raise ValueError(f"sends a description of more than {MOST_PARTS} parts")
        if letters > MOST_DESCRIPTION:
            raise ValueError(f"sends a description of more than {MOST_DESCRIPTION} letters")
        path.append(element.first_child())
