"""Which options a command was given, so that one that would be passed over can be refused."""

from __future__ import annotations

from collections.abc import Iterable

import click
from click.core import ParameterSource

from rtaffect.common.errors import SettingsError


def given_options() -> dict[str, str]:
    """Return the options that the running command was given, as they are written, by their parameters' names."""
    context = click.get_current_context()
    return {
        option.name: option.opts[0]
        for option in context.command.params
        if isinstance(option, click.Option)
        and option.name is not None
        and context.get_parameter_source(option.name) != ParameterSource.DEFAULT
    }


def refuse_given(names: Iterable[str], why: str) -> None:
    """Refuse options that would be passed over.

    Parameters
    ----------
    names
        Of their parameters.
    why
        Why they would be, in words that follow the option: ``is for --count``.

    Raises
    ------
    SettingsError
        If one of them was given.
    """
    given = given_options()
    for name in names:
        if name in given:
            raise SettingsError(f"{given[name]} {why}", remedy="leave one of them out")
