"""Options of the commands that run a session, made of its plan's settings, and the plan that they make."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin

import click
from click.core import ParameterSource
from pydantic import ValidationError

from rtaffect.common.errors import SettingsError, at_terminal, setting
from rtaffect.common.mistakes import Mistake, mistakes
from rtaffect.common.option_types import PATH, Whole
from rtaffect.plan.session_plan import SETTINGS, SessionPlan, read_plan
from rtaffect.plan.setting import DefinedSetting, Mode

Command = Callable[..., Any]


def _name(defined: DefinedSetting) -> str:
    return "__".join(defined.path)


#: The settings by the names of what a command is passed.
_BY_NAME: Final = {_name(each): each for each in SETTINGS}


def option_of(defined: DefinedSetting, mode: Mode) -> Callable[[Command], Command]:
    """Return the option that gives a setting its value."""
    mark, kind, default = defined.setting, defined.type, defined.field.default
    about: dict[str, Any] = {"help": f"{at_terminal(defined.help(mode))}.", "metavar": mark.metavar}
    if kind is bool:
        about |= {"flag_value": False, "default": True} if default else {"is_flag": True}
    elif mark.bare is not None and mode in mark.bare_modes:
        about |= {"is_flag": False, "flag_value": mark.bare} | ({"type": PATH} if kind is Path else {})
    elif get_origin(kind) is tuple:
        about["multiple"] = mark.multiple
    else:
        about |= {"type": _click_type(defined)} | (
            {} if default is None else {"default": default, "show_default": True}
        )
    return click.option(f"--{mark.option}", _name(defined), **about)


def _click_type(defined: DefinedSetting) -> Any:
    kind = defined.type
    if get_origin(kind) is Literal:
        return click.Choice(get_args(kind))
    if kind is Path:
        return PATH
    least, most = defined.limits
    return Whole(least, most) if kind is int else kind


def planned(mode: Mode, wanted: Callable[[DefinedSetting], bool] = lambda _: True) -> Callable[[Command], Command]:
    """Give a command the options of a session's settings in ``mode``, and pass it the ``plan`` that they make.

    Of the settings only those that are ``wanted`` have an option.
    An option ``--session FILE`` of the command brings the plan that the others, where they are given, replace parts of.
    """

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def wrapped(**given: Any) -> Any:
            context = click.get_current_context()
            base: Path | None = given.pop("session", None)
            chosen = {name: given.pop(name) for name in list(given) if name in _BY_NAME}
            said = {n: v for n, v in chosen.items() if context.get_parameter_source(n) != ParameterSource.DEFAULT}
            if mode == "replay":
                said["recording"] = given.pop("recording")
            return command(plan=_plan(mode, base, said), **given)

        made: Command = wrapped
        for defined in reversed(SETTINGS):
            if mode in defined.setting.modes and wanted(defined):
                made = option_of(defined, mode)(made)
        return made

    return decorate


def _plan(mode: Mode, base: Path | None, said: dict[str, Any]) -> SessionPlan:
    plan = read_plan(base) if base is not None else None
    if plan is not None and plan.mode != mode:
        raise SettingsError(
            f"--session {base} is the plan of a {plan.mode}, not of a {mode}: use `rtaffect {plan.mode}`"
        )
    content: dict[str, Any] = plan.model_dump(exclude_unset=True) if plan is not None else {"mode": mode}
    for name, value in said.items():
        if name == "recording":
            content[name] = value
        else:
            whole = isinstance(value, str) and get_origin(_BY_NAME[name].type) is tuple
            _BY_NAME[name].put(content, tuple(part.strip() for part in value.split(",")) if whole else value)
    try:
        return SessionPlan.model_validate(content)
    except ValidationError as error:
        raise SettingsError(f"{_said(mistakes(error, SessionPlan)[0], content)}; see --help") from None


def _said(mistake: Mistake, content: dict[str, Any]) -> str:
    """Return a mistake as that of its option, with what was given there, and the part of it that is wrong."""
    defined = next((each for each in SETTINGS if each.path == mistake.path[: len(each.path)]), None)
    if defined is None:
        return mistake.line(mistake.where)
    given: Any = functools.reduce(operator.getitem, defined.path, content)
    within = mistake.path[len(defined.path) :]
    if within and isinstance(within[0], int):
        given, within = given[within[0]], within[1:]
    part = replace(mistake, path=within)
    said = part.line(part.where) if within else part.wrong
    return f"{setting(defined.setting.option, ', '.join(given) if isinstance(given, tuple) else given)}: {said}"
