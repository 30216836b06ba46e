"""Whether a window can be shown."""

from __future__ import annotations

import os
import sys


def has_screen() -> bool:
    """Return whether a window can be opened; on Linux Qt would abort the process where there is no screen."""
    screens = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    return not sys.platform.startswith("linux") or any(os.environ.get(name) for name in screens)
