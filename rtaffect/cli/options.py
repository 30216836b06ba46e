"""Options that several commands share, and the plan of a session that they make."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import click
from click.core import ParameterSource
from pydantic import ValidationError

from rtaffect.common.errors import SettingsError
from rtaffect.plan.session_plan import SessionPlan, read_plan

Command = Callable[..., Any]
Group = Literal["headsets", "analysis", "room", "results"]

_path = click.Path(path_type=Path)
_PART = "__"
featurizer_option = click.option(
    "--featurizer", "analysis__featurizer", type=_path, help="ONNX featurizer; default: the embedded one."
)
threads_option = click.option(
    "--threads",
    "analysis__threads",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Processor threads of the featurizer; leave cores for the rest.",
)
mains_option = click.option(
    "--mains",
    "analysis__mains",
    type=float,
    help="Mains frequency, Hz; 0: none [default: 50].",
)
settings_option = click.option(
    "--settings",
    "analysis__settings",
    type=_path,
    help="TOML with settings that are not to have their default. A bundle brings its own.",
)
#: Options by group; their names are those of the plan's fields, parts joined by two underscores.
_OPTIONS: dict[Group, list[Callable[[Command], Command]]] = {
    "headsets": [
        click.option(
            "--eeg",
            "eeg__streams",
            multiple=True,
            metavar="QUERY",
            help="Headset: a stream's exact name, or name=, type= or source_id= and a value; may be given several "
            "times. Default: every stream of type EEG.",
        ),
        click.option(
            "--channels",
            "eeg__channels",
            metavar="A,B,...",
            help="Channel names in order, instead of the stream's own.",
        ),
        click.option("--unit", "eeg__unit", help="Unit of the EEG (V, mV, uV), instead of the stream's own."),
        click.option("--rate", "eeg__rate", type=float, help="Rate of the EEG in Hz, instead of the declared one."),
    ],
    "analysis": [
        click.option(
            "--bundle",
            "analysis__bundle",
            type=_path,
            help="Bundle to predict with and compare against; default with sound: the demo's, which is synthetic.",
        ),
        featurizer_option,
        threads_option,
        click.option(
            "--against",
            "analysis__against",
            type=click.Choice(["auto", "reference", "group"]),
            default="auto",
            show_default=True,
            help="Compare people with the bundle's reference group, or with each other.",
        ),
        mains_option,
        settings_option,
        click.option(
            "--head",
            "analysis__head",
            type=_path,
            help="Space operator (of headmodel): rows are brain regions. A bundle brings its own space.",
        ),
    ],
    "room": [
        click.option("--participant", help="Code of the participant: letters and digits."),
        click.option(
            "--screen",
            "protocol__screen",
            type=click.IntRange(min=0),
            help="Screen of the participant's view, counted from 0; without it there is none.",
        ),
        click.option(
            "--preview",
            "protocol__preview",
            is_flag=True,
            help="The participant's view as a small window.",
        ),
        click.option("--tone-device", "protocol__tone_device", help="Sound device of a protocol's feedback tone."),
    ],
    "results": [
        click.option(
            "--seconds",
            "results__seconds",
            type=click.IntRange(min=1),
            help="End after so many seconds.",
        ),
        click.option(
            "--headless",
            "results__headless",
            is_flag=True,
            help="No window: a line a step, or a table.",
        ),
        click.option("--out", "results__out", type=_path, help="New folder for what is recorded and found."),
    ],
}


def shared(*groups: Group) -> Callable[[Command], Command]:
    """Give a command the options of ``groups``."""

    def decorate(command: Command) -> Command:
        for group in reversed(groups):
            for option in reversed(_OPTIONS[group]):
                command = option(command)
        return command

    return decorate


def planned(mode: Literal["live", "replay", "demo"]) -> Callable[[Command], Command]:
    """Pass a command the ``plan`` that its options make which are named like a plan's fields.

    An option ``--session FILE`` brings the plan that the others, where they are given, replace parts of.
    """

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def wrapped(**given: Any) -> Any:
            context = click.get_current_context()
            base: Path | None = given.pop("session", None)
            names = [name for name in given if _PART in name or name in SessionPlan.model_fields]
            values = {name: given.pop(name) for name in names}
            said = {n: v for n, v in values.items() if context.get_parameter_source(n) != ParameterSource.DEFAULT}
            return command(plan=_plan(mode, base, said), **given)

        return wrapped

    return decorate


def _plan(mode: str, base: Path | None, said: dict[str, Any]) -> SessionPlan:
    plan = read_plan(base) if base is not None else None
    if plan is not None and plan.mode != mode:
        raise SettingsError(
            f"--session {base} is the plan of a {plan.mode}, not of a {mode}: use `rtaffect {plan.mode}`"
        )
    content: dict[str, Any] = plan.model_dump(exclude_unset=True) if plan is not None else {"mode": mode}
    for name, value in said.items():
        *parts, field = name.split(_PART)
        target = content
        for part in parts:
            target = target.setdefault(part, {})
        target[field] = tuple(c.strip() for c in value.split(",")) if name == "eeg__channels" else value
    try:
        return SessionPlan.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = "--" + str(first["loc"][-1]).replace("_", "-") + f" {first['input']}: " if first["loc"] else ""
        raise SettingsError(f"{where}{first['msg'].removeprefix('Value error, ')}; see --help") from None
