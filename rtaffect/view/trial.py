"""Whether a window can be shown here: tried in a process of its own, since Qt aborts where it cannot."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from typing import Final

from rtaffect.common.errors import RtaffectError
from rtaffect.common.screen import has_screen
from rtaffect.common.system_packages import WINDOW, apt_install

#: A loaded computer may take long to start a program.
TIMEOUT_S: Final = 60.0
REMEDY: Final = (
    f'pip install "rtaffect[view]"; where a library of the system is missing (Debian and Ubuntu): {apt_install(WINDOW)}'
)

#: Opens a window on the platform that Qt takes here, or only loads the libraries of the usual platform of X11.
_CODE: Final = """
import ctypes, importlib.util, pathlib, sys
for package in ("PySide6", "pyqtgraph"):
    if importlib.util.find_spec(package) is None:
        sys.exit(f"{package} is not installed")
if sys.argv[1] == "libraries":
    import PySide6
    for path in pathlib.Path(PySide6.__file__).parent.glob("Qt/plugins/platforms/libqxcb.so"):
        try:
            ctypes.CDLL(str(path))
        except OSError as error:
            sys.exit(f"Qt cannot load a library of the system: {error}")
    print("tried: libraries load")
    sys.exit()
try:
    from PySide6.QtCore import Qt
    from PySide6.QtWidgets import QApplication, QWidget
except ImportError as error:
    sys.exit(f"Qt cannot be loaded: {error}")
application = QApplication([])
window = QWidget()
window.setAttribute(Qt.WidgetAttribute.WA_DontShowOnScreen)
window.show()
application.processEvents()
print("tried: a window opens on", application.platformName())
"""


@dataclass(frozen=True, slots=True)
class Trial:
    """How it went: ``said`` has what was tried, or else what is wrong; ``screen`` whether there is one."""

    ok: bool
    said: str
    screen: bool


def try_window() -> Trial:
    """Try whether Qt can show a window on this computer, on the very platform that a session would have.

    Where there is no screen, the libraries of the usual platform are loaded all the same.
    """
    if has_screen():
        trial = _tried("window", screen=True)
        # Qt tells of a library that is missing only which plugin could not be loaded.
        libraries = _tried("libraries", screen=True) if "xcb" in trial.said and not trial.ok else trial
        return trial if libraries.ok else libraries
    return _tried("libraries", screen=False)


def _tried(what: str, *, screen: bool) -> Trial:
    line = [sys.executable, "-c", _CODE, what]
    try:
        done = subprocess.run(line, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        return Trial(False, f"no window within {TIMEOUT_S:g} s", screen)
    *_, last = done.stdout.strip().splitlines() or [""]
    if done.returncode == 0 and last.startswith("tried: "):
        return Trial(True, last.removeprefix("tried: "), screen)
    return Trial(False, _wrong(done.stderr) or f"it ended with status {done.returncode}", screen)


def _wrong(said: str) -> str:
    """Return of what Qt said the line that tells most."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    telling = ("cannot", "could not", "Could not", "not installed")
    return next((line for line in lines if any(word in line for word in telling)), lines[-1] if lines else "")


def try_or_refuse() -> None:
    """Refuse what is to be shown in a window where none can be opened.

    Raises
    ------
    RtaffectError
        If no window can be shown on the screen.
    """
    trial = try_window()
    if not trial.ok:
        raise RtaffectError(f"no window can be shown here: {trial.said}; {REMEDY}; or go on without: --headless")
