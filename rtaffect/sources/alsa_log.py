"""What ALSA's library says of devices goes to the log, not over the terminal."""

from __future__ import annotations

import ctypes
import logging
import sys
from typing import Any

_log = logging.getLogger("rtaffect.sound")
# ALSA keeps the address only.
_kept: list[Any] = []


def quiet_alsa() -> None:
    """Let the library's lines go to the log (debug); does nothing where there is no ALSA, and when called again."""
    if _kept or sys.platform != "linux":
        return
    texts = ctypes.c_char_p
    handler = ctypes.CFUNCTYPE(None, texts, ctypes.c_int, texts, ctypes.c_int, texts, ctypes.c_void_p)(_write)
    try:
        ctypes.CDLL("libasound.so.2").snd_lib_error_set_handler(handler)
    except (OSError, AttributeError):
        return
    _kept.append(handler)


def _write(file: bytes | None, line: int, function: bytes | None, error: int, text: bytes | None, *_: Any) -> None:
    _log.debug("ALSA: %s: %s (%d)", (function or b"").decode(), (text or b"").decode(errors="replace"), error)
