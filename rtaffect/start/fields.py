"""What a field of the window is by the setting that it is for: its caption and help, and what its text means."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final, get_origin

from rtaffect.common.errors import SettingsError, setting
from rtaffect.plan.session_plan import DEMO_BUNDLE, MAY_BE_DEMO, SETTINGS
from rtaffect.plan.setting import DefinedSetting
from rtaffect.start.wording import in_window

_BY_OPTION: Final = {each.setting.option: each for each in SETTINGS}
_BY_CHOICE: Final = {each.choice: each for each in SETTINGS}


def caption_of(choice: str) -> str:
    """Return the caption of the field that is the choice ``choice``."""
    return _BY_CHOICE[choice].setting.caption


def help_of(choice: str) -> str:
    """Return what a choice is, '' where it is no setting of its own."""
    return in_window(_BY_CHOICE[choice].field.description or "") if choice in _BY_CHOICE else ""


def path_of(text: str) -> Path:
    """Return the path that a field means, absolute, with '~' for the user's own folder.

    Quotation marks around it, as Windows' Explorer copies them, are no part of it.
    """
    return Path(os.path.abspath(os.path.expanduser(text.strip().strip('"'))))


def is_demo_bundle(text: str) -> bool:
    """Return whether the field of the bundle names the demo's, which is synthetic."""
    return text.strip() == str(DEMO_BUNDLE)


def value_of(defined: DefinedSetting, held: Any) -> Any:
    """Return the value of a setting whose field holds a text, or the value itself; without any, its default.

    Raises
    ------
    SettingsError
        If a number is none, or not a possible one.
    """
    if not isinstance(held, str):
        return defined.field.default if held is None else held
    text, kind = held.strip(), defined.type
    if not text:
        # What may be given without a value, as a device may, is an empty field; what then has one of its own is not.
        return "" if not defined.setting.bare and defined.setting.bare is not None else defined.field.default
    if get_origin(kind) is tuple:
        names = tuple(name.strip() for name in text.replace(";", ",").split(","))
        return names if any(names) else ()
    if kind is Path:
        return DEMO_BUNDLE if is_demo_bundle(text) and defined.choice in MAY_BE_DEMO else path_of(text)
    return _number(defined, text) if kind in {int, float} else text


def _number(defined: DefinedSetting, text: str) -> Any:
    try:
        value = float(text.replace(",", "."))
        if not math.isfinite(value):
            raise ValueError
        return defined.checked(value)
    except ValueError:
        wrong = f"{setting(defined.setting.option, repr(text))} is not possible"
        raise SettingsError(wrong, defined.setting.expected) from None


def text_of(value: Any) -> str:
    """Return the text that a field holds for a value."""
    if isinstance(value, tuple):
        return ", ".join(value)
    return "" if value is None else repr(value).removesuffix(".0") if isinstance(value, float) else str(value)


def _value_in(option: str, text: str) -> Any:
    return value_of(_BY_OPTION[option], text)


# What the texts of single fields mean, None without any (but for threads); SettingsError if it is not possible.
channels_in: Callable[[str], tuple[str, ...]] = partial(_value_in, "channels")
without_in: Callable[[str], tuple[str, ...]] = partial(_value_in, "without")
only_in: Callable[[str], tuple[str, ...]] = partial(_value_in, "only")
part_in: Callable[[str], int | None] = partial(_value_in, "part")
peripheral_in: Callable[[str], tuple[str, ...]] = partial(_value_in, "peripheral")
screen_delay_in: Callable[[str], float] = partial(_value_in, "screen-delay")
rate_in: Callable[[str], float | None] = partial(_value_in, "rate")
start_in: Callable[[str], float | None] = partial(_value_in, "audio-start")
mains_in: Callable[[str], float | None] = partial(_value_in, "mains")
seconds_in: Callable[[str], int | None] = partial(_value_in, "seconds")
rest_in: Callable[[str], int | None] = partial(_value_in, "affect-rest")
rating_lag_in: Callable[[str], float] = partial(_value_in, "rating-lag")
threads_in: Callable[[str], int] = partial(_value_in, "threads")
