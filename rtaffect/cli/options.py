"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from rtaffect.errors import SettingsError

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

bundle = click.option(
    "--bundle",
    type=click.Path(path_type=Path),
    help="Bundle to predict with and compare against; default: the demo's, which is synthetic.",
)
featurizer = click.option(
    "--featurizer", type=click.Path(path_type=Path), help="ONNX featurizer; default: the embedded one."
)
headless = click.option("--headless", is_flag=True, help="No window: one line a step, or a table on a terminal.")
out = click.option("--out", type=click.Path(path_type=Path), help="New folder for feedback.tsv and session.json.")
seconds = click.option("--seconds", type=click.IntRange(min=1), help="End after so many seconds of the session.")
eeg = click.option(
    "--eeg",
    multiple=True,
    metavar="QUERY",
    help="Headset: a stream's exact name, or name=, type= or source_id= and a value; may be given several times. "
    "Default: every stream of type EEG.",
)
channels = click.option("--channels", metavar="A,B,...", help="Channel names in order, instead of the stream's own.")
unit = click.option("--unit", help="Unit of the EEG (V, mV, uV), instead of the stream's own.")
rate = click.option("--rate", type=float, help="Rate of the EEG in Hz, instead of the declared one.")
mains = click.option(
    "--mains", type=float, default=50.0, show_default=True, help="Mains frequency, Hz; 0: none. A bundle has its own."
)
against = click.option(
    "--against",
    type=click.Choice(["auto", "reference", "group"]),
    default="auto",
    show_default=True,
    help="Compare people with the bundle's reference group, or with each other.",
)


def split_channels(text: str | None) -> tuple[str, ...] | None:
    """Return the names in a comma-separated list, None where there is none."""
    return tuple(name.strip() for name in text.split(",")) if text else None


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
