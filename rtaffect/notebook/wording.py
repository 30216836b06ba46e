"""Errors as a program's own calls have them: a setting is a parameter's name, not an option of the command line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from rtaffect.common.errors import RtaffectError
from rtaffect.plan.session_plan import SETTINGS

#: Where a program has another name for a setting, or none: then what it has in its place.
_OTHERS: Final = {"audio": "sound", "audio-start": "sound_start", "only": "channels", "without": "channels"}


@contextmanager
def in_python(*parameters: str) -> Iterator[None]:
    """Let errors name settings by the ``parameters`` of what was called, those that are given under other names too.

    A setting for which there is none keeps the name of its option.
    """
    try:
        yield
    except RtaffectError as error:
        error.labels = _labels(parameters)
        raise


def _labels(parameters: tuple[str, ...]) -> dict[str, str]:
    """Return the names of parameters by those of options."""
    found: dict[str, str] = {}
    for option in (each.setting.option for each in SETTINGS):
        name = option.replace("-", "_")
        other = name if name in parameters else _OTHERS.get(option, "")
        if other in parameters:
            found[option] = other
    return found
