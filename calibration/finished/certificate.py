"""The page of a timing certificate: one HTML file that needs nothing else, made of ``certificate.json``."""

from __future__ import annotations

import importlib.util
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from calibration.finished.plots import Guide, Plot, across_axis, cumulated, scatter, upward_axis
from calibration.pages import NONE, render
from rtaffect.common.errors import ArtifactError, RecordingError, SettingsError
from rtaffect.common.files import write_whole
from rtaffect.common.reading import why

CERTIFICATE_FILE: Final = "certificate.json"
PAGE_FILE: Final = "certificate.html"
#: Within these lies the sound against the EEG, ms: half of all clicks, and 99 %.
_MEDIAN_MS, _P99_MS, _AGE_MS = 2.0, 5.0, 20.0
#: Lines of text in a plot need this distance, px.
_LINE_PX: Final = 16
_WAYS: Final = {
    "lsl": "received by another program (LSL)",
    "osc": "received by another program (OSC)",
    "painted": "painted in the operator's window",
}


def need_parts() -> None:
    """Refuse to go on without what makes the page; raises ArtifactError."""
    if importlib.util.find_spec("jinja2") is None:
        raise ArtifactError('the certificate needs jinja2; pip install "rtaffect[calibration]"')


def write_page(folder: Path) -> Path:
    """Write the page of the certificate in ``folder`` beside it, and return the file.

    Raises
    ------
    RecordingError
        If there is no certificate that can be read.
    SettingsError
        If the page cannot be written.
    ArtifactError
        If Jinja2 is missing.
    """
    path = folder / PAGE_FILE
    text = page_of(read_certificate(folder))
    try:
        write_whole(path, text)
    except OSError as error:
        raise SettingsError(f"{path} cannot be written ({error.strerror}); make its folder writable") from None
    return path


def read_certificate(folder: Path) -> dict[str, Any]:
    """Return the certificate in ``folder``; raises RecordingError if there is none that can be read."""
    path = folder / CERTIFICATE_FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RecordingError(
            f"{path} cannot be read ({why(error)}); expected one that `rtaffect certify` wrote"
        ) from None
    if not isinstance(content, dict) or content.get("certificate") != 1:
        raise RecordingError(f"{path} is no certificate of this version; expected one that `rtaffect certify` wrote")
    return content


def page_of(certificate: Mapping[str, Any]) -> str:
    """Return a certificate as HTML; raises ArtifactError if Jinja2 is missing."""
    return render(
        "certificate.html",
        c=certificate,
        offsets=offsets_plot(certificate),
        ages=ages_plot(certificate),
        ways=_WAYS,
        ms=_ms,
        number=_number,
    )


def offsets_plot(c: Mapping[str, Any]) -> Plot:
    """Return the plot of the sound against the EEG over time, click by click."""
    clicks = c["clicks"]
    times, sound = _numbers(clicks["time_s"]), _numbers(clicks["sound_ms"])
    pairs = [(t, s - e) for eeg in clicks["eeg_ms"] for t, s, e in zip(times, sound, _numbers(eeg), strict=True)]
    x = across_axis("time in the session, s", times, (0.0, float(c["asked"]["seconds"])))
    y = upward_axis("sound against EEG, ms", [value for _, value in pairs], (-_P99_MS - 1, _P99_MS + 1))
    apart = abs(y.place(_P99_MS) - y.place(_MEDIAN_MS)) >= _LINE_PX
    guides = [
        (_P99_MS, "99 % within 5 ms" if apart else "aims: 2 and 5 ms"),
        (_MEDIAN_MS, "median within 2 ms" if apart else ""),
        (-_MEDIAN_MS, ""),
        (-_P99_MS, ""),
    ]
    return Plot(
        "offsets",
        "How much later than the EEG each click was in the sound, over the time of the session",
        x,
        y,
        (scatter("click", "one", x, y, pairs),),
        across=tuple(Guide(y.place(value), text) for value, text in guides),
        absent=tuple(x.place(t) for t, value in pairs if math.isnan(value)),
    )


def ages_plot(c: Mapping[str, Any]) -> Plot | None:
    """Return the plot of how old values are when they leave; None where nothing was measured."""
    measured = {way: _numbers(c["ages_ms"][way]["window_end_each"]) for way in _WAYS if c["ages_ms"].get(way)}
    if not measured:
        return None
    ahead = float(c["lookahead_ms"])
    every = [age for ages in measured.values() for age in ages]
    x = across_axis("age of the window's end, ms", every, (0.0, ahead + 2 * _AGE_MS))
    y = upward_axis("share of steps", [], (0.0, 1.0))
    return Plot(
        "ages",
        "Share of steps whose values had left by an age",
        x,
        y,
        tuple(cumulated(_WAYS[way], style, x, y, measured[way]) for way, style in _styles(measured)),
        upright=(Guide(x.place(ahead), "look-ahead"), Guide(x.place(ahead + _AGE_MS), "aim of the median")),
    )


def _styles(measured: Mapping[str, Sequence[float]]) -> list[tuple[str, str]]:
    return [(way, style) for way, style in (("lsl", "one"), ("osc", "three"), ("painted", "two")) if way in measured]


def _numbers(values: Sequence[float | None]) -> list[float]:
    return [math.nan if value is None else float(value) for value in values]


def _ms(value: float | None, digits: int = 1) -> str:
    """Return a time as '12.3 ms'."""
    return NONE if value is None else f"{_number(value, digits)} ms"


def _number(value: float | None, digits: int = 2) -> str:
    """Return a number with so many digits after its point."""
    if value is None:
        return NONE
    text = f"{abs(value):.{digits}f}"
    return f"\N{MINUS SIGN}{text}" if value < 0 and text.strip("0.") else text
