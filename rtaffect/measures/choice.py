"""Which measures a session has: shipped ones, those of installed packages, and classes in files."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from rtaffect.common.errors import SettingsError, setting
from rtaffect.common.reading import path_problem
from rtaffect.common.settings import SignalSettings
from rtaffect.common.text import clean
from rtaffect.measures.measure import KINDS, Kind, Measure

#: The group of entry points in which packages name their measures.
GROUP: Final = "rtaffect.measures"
#: What is shipped, by its name: module and class, as an entry point has them.
SHIPPED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "plv": "rtaffect.measures.coupling:PhaseLocking",
        "ccorr": "rtaffect.measures.coupling:CircularCorrelation",
        "imcoh": "rtaffect.measures.coupling:ImaginaryCoherence",
        "envcorr": "rtaffect.measures.coupling:EnvelopeCorrelation",
    }
)
#: The longest window, with what a measure remembers, s; the most rows and measures; the narrowest band, Hz.
LONGEST_S, MOST_ROWS, MOST_MEASURES, NARROWEST_HZ = 300, 512, 64, 1.0


@dataclass(frozen=True, slots=True)
class ChosenMeasure:
    """A measure of a session.

    Attributes
    ----------
    name
        What it is called, with its band where it has one.
    asked
        What it was asked for by.
    build
        The class, and what it is made with.
    measure
        The object that is called.
    rows
        Names of its rows.
    kind, window_s, reach_s, low, high, unit
        What it said of itself when it was chosen; ``reach_s`` is how far back its values reach, s.
    sha256
        Of the file that it is in; empty for a package's.
    """

    name: str
    asked: str
    build: tuple[Any, tuple[float, ...]]
    measure: Measure
    rows: tuple[str, ...]
    kind: Kind
    window_s: int
    reach_s: int
    low: float
    high: float
    unit: str
    sha256: str = ""

    def another(self) -> Measure:
        """Return another object of the same measure."""
        kind, given = self.build
        return kind(*given)  # type: ignore[no-any-return]


def is_file(asked: str) -> bool:
    """Return whether a measure is asked for by its file: that is code which is not installed."""
    return asked.rpartition(":")[0].lower().endswith(".py")


def parse_band(text: str, signal: SignalSettings) -> tuple[float, float]:
    """Return a band's edges, Hz; raises SettingsError if it is none, or the EEG's filter does not let it pass."""
    low, _, high = text.partition("-")
    try:
        edges = float(low), float(high)
    except ValueError:
        edges = math.nan, math.nan
    least, most = signal.highpass_hz, signal.lowpass_hz
    if not (least <= edges[0] and edges[0] + NARROWEST_HZ <= edges[1] <= most):
        raise SettingsError(
            f"{setting('measure-band', repr(text))} is no band of this EEG",
            f"two numbers of Hz from {least:g} to {most:g} that are at least {NARROWEST_HZ:g} apart, as in 8-12",
        )
    return edges


def choose_measures(
    asked: Sequence[str], bands: Sequence[str], signal: SignalSettings, channels: Sequence[str]
) -> list[ChosenMeasure]:
    """Return the measures that are asked for by name or file; one that has bands for each of ``bands``.

    Raises
    ------
    SettingsError
        If one is not there, cannot be loaded, or does not say what a measure has to.
    """
    chosen: list[ChosenMeasure] = []
    for text in dict.fromkeys(asked):
        found, name, sha256 = _found(text)
        if not (isinstance(found, type) and issubclass(found, Measure)):
            raise _wrong(text, f"is {found!r:.80}, no class that is a rtaffect.measures.Measure")
        given: list[tuple[float, ...]] = [()]
        if found.banded:
            given = [(*parse_band(text, signal), signal.rate_hz) for text in dict.fromkeys(bands)]
        for arguments in given:
            band = f" {arguments[0]:g}-{arguments[1]:g} Hz" if arguments else ""
            measure = _built(text, found, arguments)
            about = _checked(text, measure, channels)
            chosen.append(ChosenMeasure(f"{name}{band}", text, (found, arguments), measure, *about, sha256))
    names = [each.name for each in chosen]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise SettingsError(
            f"{setting('measure')} gives two measures of the name {twice}", remedy="give one of them another name"
        )
    if len(chosen) > MOST_MEASURES:
        raise SettingsError(f"{setting('measure')} gives {len(chosen)} measures", f"at most {MOST_MEASURES}")
    return chosen


def _wrong(asked: str, why: str, remedy: str = "docs/measures.md shows what one needs") -> SettingsError:
    return SettingsError(f"{setting('measure', asked)} {why}", remedy=remedy)


def _found(asked: str) -> tuple[Any, str, str]:
    """Return the object that is asked for, its name, and the hash of its file if it is in one."""
    if is_file(asked):
        path, _, name = asked.rpartition(":")
        return *_in_file(asked, Path(path), name), _sha256(Path(path))
    if asked in SHIPPED:
        module, _, name = SHIPPED[asked].partition(":")
        return getattr(importlib.import_module(module), name), asked, ""
    there = [each for each in entry_points(group=GROUP) if each.name == asked]
    if not there:
        names = ", ".join(sorted({*SHIPPED, *(each.name for each in entry_points(group=GROUP))}))
        raise _wrong(asked, "is not there", f"expected {names}, or a class in a file, as in my_measure.py:Name")
    try:
        return there[0].load(), asked, ""
    except Exception as error:
        raise _wrong(asked, f"cannot be loaded ({_said(error)})", "install or mend the package that has it") from None


def _in_file(asked: str, path: Path, name: str) -> tuple[Any, str]:
    if wrong := path_problem(path):
        raise _wrong(f"{asked:.80}", f"is not there: {wrong}", "give the path of a file and the name of its class")
    if not path.is_file():
        raise _wrong(asked, f"is not there: there is no file {path}", "give its path and the name of its class")
    spec = importlib.util.spec_from_file_location(f"rtaffect_measure_{_sha256(path)[:16]}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Where its dataclasses look for it.
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise _wrong(asked, f"cannot be loaded ({_said(error)})", f"mend {path}") from None
    if not hasattr(module, name):
        raise _wrong(asked, f"is not there: {path} has no {name}", "name a class that is in it")
    return getattr(module, name), name


def _sha256(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def _built(asked: str, kind: Any, arguments: tuple[float, ...]) -> Measure:
    try:
        return kind(*arguments)  # type: ignore[no-any-return]
    except Exception as error:
        raise _wrong(asked, f"cannot be made ({_said(error)})") from None


def _checked(
    asked: str, measure: Measure, channels: Sequence[str]
) -> tuple[tuple[str, ...], Kind, int, int, float, float, str]:
    """Return the names of its rows and what else it says of itself, if all of that can be."""
    for problem in _problems(measure):
        raise _wrong(asked, problem)
    try:
        rows = tuple(clean(str(row)) for row in measure.rows(tuple(channels)))
    except Exception as error:
        raise _wrong(asked, f"cannot name its rows ({_said(error)})") from None
    if not 0 < len(rows) <= MOST_ROWS or len(set(rows)) < len(rows) or not all(rows):
        raise _wrong(asked, f"names {len(rows)} rows; expected 1 to {MOST_ROWS} names, each another")
    reach_s = measure.window_s + measure.memory_s
    return rows, measure.kind, measure.window_s, reach_s, float(measure.low), float(measure.high), clean(measure.unit)


def _problems(measure: Measure) -> Iterator[str]:
    """Yield what of a measure's own words cannot be."""
    if measure.kind not in KINDS:
        yield f"has kind = {measure.kind!r:.80}; expected {', '.join(KINDS)}"
    lengths = {"window_s": (measure.window_s, 1), "memory_s": (measure.memory_s, 0)}
    for name, (value, least) in lengths.items():
        if not isinstance(value, int) or not least <= value <= LONGEST_S:
            yield f"has {name} = {value!r:.80}; expected whole seconds from {least} to {LONGEST_S}"
    ends: tuple[object, ...] = (measure.low, measure.high)
    numbers = [float(end) for end in ends if isinstance(end, int | float) and math.isfinite(end)]
    if len(numbers) < 2 or not numbers[0] < numbers[1]:
        yield f"has low = {ends[0]!r:.80} and high = {ends[1]!r:.80}; expected two numbers that rise"
    unit: object = measure.unit
    if not isinstance(unit, str):
        yield f"has unit = {unit!r:.80}; expected a text"


def _said(error: BaseException) -> str:
    """Return what kind of error it is and what it says, in some words."""
    return clean(f"{type(error).__name__}: {error}"[:300])
