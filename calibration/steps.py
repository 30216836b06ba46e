"""How a calibration runs from the command line: what it is at, and in how many processes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from joblib import parallel_config
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from calibration.studies.check import NOTE
from rtaffect.common.errors import RecordingError, SettingsError
from rtaffect.common.words import gathered


class Steps:
    """Says what is being done, how far it is and how long it may take; called with each step's name."""

    def __init__(self, console: Console) -> None:
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
        )
        self._task = self._bar.add_task("reading the study", total=None)
        self._quiet = not console.is_terminal

    def expect(self, steps: int) -> None:
        """Say how many steps there will be from now on."""
        self._bar.update(self._task, total=steps, completed=0)

    def __enter__(self) -> Self:
        """Take over the terminal's last line."""
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Give it back; say what becomes of the work if it was stopped."""
        self._bar.stop()
        if kind is KeyboardInterrupt:
            self._bar.console.print("stopped; the same command goes on with the features and EEG that are done")

    def __call__(self, text: str) -> None:
        """Begin the step ``text``."""
        self._bar.update(self._task, description=text, advance=1)
        if self._quiet:
            self._bar.console.log(text)


def backend(dask: str | None, jobs: int) -> Any:
    """Return a context in which joblib uses ``jobs`` processes here, or a Dask cluster."""
    if dask is None:
        return parallel_config(n_jobs=jobs)
    try:
        from distributed import Client
    except ImportError:
        raise SettingsError('--dask needs the package distributed; pip install "rtaffect[dask]"') from None
    try:
        Client(dask, timeout=10, set_as_default=True)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"--dask {dask}: no scheduler answers there ({error}); start one, or leave --dask out"
        ) from None
    return parallel_config(backend="dask")


def names_in(text: str) -> tuple[str, ...]:
    """Return the names that an option has between its commas."""
    return tuple(filter(None, (part.strip() for part in text.split(","))))


def tell_problems(study: Path, found: Sequence[str], console: Console) -> None:
    """Print what ``--check`` found, notes last.

    Raises
    ------
    RecordingError
        If any of it is more than a note.
    """
    notes = [line.removeprefix(NOTE) for line in found if line.startswith(NOTE)]
    problems = [line for line in found if not line.startswith(NOTE)]
    for line in (*problems, *(f"{NOTE}{note}" for note in gathered(notes))):
        console.print(f"- {line}", highlight=False, soft_wrap=True)
    if problems:
        raise RecordingError(f"study {study}: {len(problems)} problems, listed above; correct them and check again")
    console.print(f"study {study}: nothing wrong was found")
