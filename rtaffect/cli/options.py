"""Options that several commands share."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import click

from rtaffect.errors import SettingsError
from rtaffect.settings import Settings, read_settings
from rtaffect.sources.selection import ANY_EEG, Query

Command = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Headsets:
    """Which headsets, and what replaces their own description."""

    eeg: tuple[str, ...]
    channels: str | None
    unit: str | None
    rate: float | None

    @property
    def queries(self) -> tuple[Query, ...]:
        """What the streams must meet."""
        return tuple(Query.parse(text) for text in self.eeg) or (ANY_EEG,)

    @property
    def names(self) -> tuple[str, ...] | None:
        """Channel names, None for the streams' own."""
        return tuple(name.strip() for name in self.channels.split(",")) if self.channels else None


@dataclass(frozen=True, slots=True)
class Analysis:
    """What is predicted with and compared against."""

    bundle: Path | None
    featurizer: Path | None
    against: str
    mains: float | None = None
    settings: Path | None = None
    head: Path | None = None
    threads: int = 1

    def read_settings(self) -> Settings:
        """Return the settings that hold where there is no bundle."""
        return read_settings(self.settings, self.mains)


@dataclass(frozen=True, slots=True)
class Results:
    """Where the results go and when the session ends."""

    seconds: int | None
    headless: bool
    out: Path | None


_path = click.Path(path_type=Path)
featurizer_option = click.option("--featurizer", type=_path, help="ONNX featurizer; default: the embedded one.")
threads_option = click.option(
    "--threads",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Processor threads of the featurizer; leave cores for the rest.",
)
mains_option = click.option(
    "--mains", type=float, help="Mains frequency, Hz; 0: none [default: 50]. A bundle brings its own."
)
settings_option = click.option(
    "--settings", type=_path, help="TOML with settings that are not to have their default. A bundle brings its own."
)
_OPTIONS = {
    Headsets: [
        click.option(
            "--eeg",
            multiple=True,
            metavar="QUERY",
            help="Headset: a stream's exact name, or name=, type= or source_id= and a value; may be given several "
            "times. Default: every stream of type EEG.",
        ),
        click.option("--channels", metavar="A,B,...", help="Channel names in order, instead of the stream's own."),
        click.option("--unit", help="Unit of the EEG (V, mV, uV), instead of the stream's own."),
        click.option("--rate", type=float, help="Rate of the EEG in Hz, instead of the declared one."),
    ],
    Analysis: [
        click.option(
            "--bundle",
            type=_path,
            help="Bundle to predict with and compare against; default with sound: the demo's, which is synthetic.",
        ),
        featurizer_option,
        threads_option,
        click.option(
            "--against",
            type=click.Choice(["auto", "reference", "group"]),
            default="auto",
            show_default=True,
            help="Compare people with the bundle's reference group, or with each other.",
        ),
        mains_option,
        settings_option,
        click.option(
            "--head",
            type=_path,
            help="Space operator (of headmodel): rows are brain regions. A bundle brings its own space.",
        ),
    ],
    Results: [
        click.option("--seconds", type=click.IntRange(min=1), help="End after so many seconds of the session."),
        click.option("--headless", is_flag=True, help="No window: one line a step, or a table on a terminal."),
        click.option("--out", type=_path, help="New folder for what is found, step by step."),
    ],
}


def gathered(kind: type[Headsets] | type[Analysis] | type[Results]) -> Callable[[Command], Command]:
    """Give a command the options of ``kind`` and pass it one object of that kind, named as the kind in lower case."""

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def wrapped(**given: Any) -> Any:
            values = {field.name: given.pop(field.name) for field in fields(kind)}
            return command(**{kind.__name__.lower(): kind(**values)}, **given)

        for option in reversed(_OPTIONS[kind]):
            wrapped = option(wrapped)
        return wrapped

    return decorate


def parse_speed(text: str) -> float | None:
    """Return the speed as a factor, None for 'max'.

    Raises
    ------
    SettingsError
        If it is neither 'max' nor a positive number.
    """
    if text == "max":
        return None
    try:
        speed = float(text.removesuffix("x"))
    except ValueError:
        speed = 0.0
    if not 0 < speed < float("inf"):
        raise SettingsError(f"--speed {text!r} is not a speed; expected a positive number, as in 1 or 8, or 'max'")
    return speed
