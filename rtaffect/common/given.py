"""Which options a command was given, so that one that would be passed over can be refused."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

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


def refuse_twice(command: click.Command, context: click.Context, arguments: Sequence[str]) -> None:
    """Refuse an option that takes one value and is given several times: the last would win without a word.

    Parameters
    ----------
    command, context
        What is called; of a group, its command too.
    arguments
        What follows its name.

    Raises
    ------
    SettingsError
        For the first; what else is wrong with the arguments is told when they are read.
    """
    try:
        _, rest, order = command.make_parser(context).parse_args(list(arguments))
    except click.UsageError:
        return
    given = [option for option in order if isinstance(option, click.Option)]
    for option in given:
        if not (option.multiple or option.count or option.is_flag) and (times := given.count(option)) > 1:
            said = [value for value in _values(option, arguments) if value]
            raise SettingsError(
                f"{option.opts[0]} is given {times} times{', ' if said else ''}{' and '.join(said)}",
                "it once",
                "leave out all but one",
            )
    if isinstance(command, click.Group) and rest:
        name, inner, after = command.resolve_command(context, rest)
        if inner is not None:
            refuse_twice(inner, click.Context(inner, info_name=name, parent=context), after)


def _values(option: click.Option, arguments: Sequence[str]) -> Iterator[str]:
    """Yield the values of an option, as they are written."""
    for at, text in enumerate(arguments):
        name, equals, value = text.partition("=")
        if name in option.opts:
            yield value if equals else next(iter(arguments[at + 1 : at + 2]), "")


def refuse_given(names: Iterable[str], why: str, remedy: str = "leave one of them out") -> None:
    """Refuse options that would be passed over.

    Parameters
    ----------
    names
        Of their parameters.
    why
        Why they would be, in words that follow the option: ``is for --count``.
    remedy
        What to do.

    Raises
    ------
    SettingsError
        If one of them was given.
    """
    given = given_options()
    for name in names:
        if name in given:
            raise SettingsError(f"{given[name]} {why}", remedy=remedy)
