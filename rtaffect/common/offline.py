"""Modules of the offline side, imported by name where a command or a call needs them.

The live side imports neither ``calibration`` nor ``models``. Their names are ordinary words, so another folder or
package of the same name may come first on ``sys.path``, or have been installed over ours: both are told.
"""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Final

from rtaffect.common.errors import RtaffectError

#: The folder in which rtaffect lies, and its offline packages beside it.
_HOME: Final = Path(__file__).resolve().parents[2]
#: What the ``__init__`` of each offline package defines.
_MARKER: Final = "__rtaffect__"


def offline_module(name: str) -> ModuleType:
    """Import and return the module ``name`` of rtaffect's own ``calibration`` or ``models``.

    A foreign package of that name is recognised by its place before any of its code runs.

    Raises
    ------
    RtaffectError
        If the package is missing, or is another one.
    """
    package = name.partition(".")[0]
    found = _place_of(package)
    if found is None:
        raise RtaffectError(f"rtaffect's package {package!r} is missing from {_HOME}; install rtaffect again")
    if found != _HOME / package:
        raise RtaffectError(
            f"{found} is imported as {package!r} in place of rtaffect's own package {_HOME / package}: rename "
            "it, take its folder off PYTHONPATH, or start from another folder"
        )
    if not hasattr(importlib.import_module(package), _MARKER):
        raise RtaffectError(
            f"{found} holds another package's {package!r} in place of rtaffect's own: install rtaffect again, in an "
            "environment without that package"
        )
    return importlib.import_module(name)


def _place_of(package: str) -> Path | None:
    """Return the folder, or the file, that ``import package`` finds; None where there is none."""
    try:
        spec = importlib.util.find_spec(package)
    except ValueError:  # imported by other means, without a specification
        return Path("a module made at run time")
    if spec is None:
        return None
    if spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations))).resolve()
    return Path(spec.origin or "a built-in module")
