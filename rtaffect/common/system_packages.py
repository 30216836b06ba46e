"""Debian's and Ubuntu's packages for what pip cannot bring: one list, for messages, documents and tests."""

from __future__ import annotations

from typing import Final

#: What Qt needs to show a window on X11: all that its plugin ``xcb`` is linked to, and its fonts.
WINDOW: Final = (
    "libegl1",
    "libgl1",
    "libglib2.0-0",
    "libfontconfig1",
    "libdbus-1-3",
    "libxkbcommon-x11-0",
    "libxcb-cursor0",
    "libxcb-icccm4",
    "libxcb-keysyms1",
    "libxcb-shape0",
)
#: What sound devices need.
SOUND: Final = ("libportaudio2",)


def apt_install(packages: tuple[str, ...]) -> str:
    """Return the command that installs ``packages`` on Debian and Ubuntu."""
    return f"apt-get install {' '.join(packages)}"
