"""Modules of the offline side, imported by name where a command or a call needs them.

The live side imports neither ``calibration`` nor ``models``. Their names are ordinary words, so another folder or
package of the same name may come first on ``sys.path``, or have been installed over ours: both are told.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import re
from pathlib import Path
from types import ModuleType
from typing import Final

from rtaffect.common.errors import RtaffectError

#: The folder in which rtaffect lies, and its offline packages beside it.
_HOME: Final = Path(__file__).resolve().parents[2]
#: What the ``__init__`` of each offline package defines.
_MARKER: Final = "__rtaffect__"
#: The extra with what each offline package needs.
_EXTRAS: Final = {"calibration": "calibration", "models": "export"}
#: Extras that are made of others.
_OF_OTHERS: Final = ("demo", "test", "dev")
#: Packages that are called otherwise where they are installed from.
_DISTRIBUTIONS: Final = {"sklearn": "scikit-learn", "moonshine_voice": "moonshine-voice", "mne_bids": "mne-bids"}


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
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise lacking(error, _EXTRAS.get(package, "calibration")) from error


def lacking(error: ModuleNotFoundError, extra: str = "calibration") -> Exception:
    """Return what is to be said of a package that is not installed; the error itself where it is one of ours.

    Parameters
    ----------
    error
        What importing it ended with.
    extra
        The extra of rtaffect that has it, if rtaffect's own list of what it requires does not say.
    """
    missing = (error.name or "").partition(".")[0]
    if missing in ("", "rtaffect", *_EXTRAS):
        return error
    try:
        required = importlib.metadata.requires("rtaffect") or []
    except importlib.metadata.PackageNotFoundError:
        required = []
    wanted = {missing, _DISTRIBUTIONS.get(missing, missing)}
    for line in required:
        package, _, marker = line.partition(";")
        found = re.search(r"extra == .([\w-]+)", marker)
        if not found or found[1] in _OF_OTHERS:
            continue
        if re.split(r"[^A-Za-z0-9_-]", package.strip())[0] in wanted:
            extra = found[1]
            break
    return RtaffectError(f'this needs {missing}, which is not installed; pip install "rtaffect[{extra}]"')


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
