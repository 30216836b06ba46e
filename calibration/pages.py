"""Pages of reports: templates that escape all they are given, and numbers as reports print them."""

from __future__ import annotations

import base64
import math
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rtaffect.common.errors import ArtifactError

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

#: Stands where there is no value.
NONE: Final = "\N{EN DASH}"
_MINUS: Final = "\N{MINUS SIGN}"
_FIXED: Final = "\N{NO-BREAK SPACE}"


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawn figure: PNG bytes of twice the resolution at which it is shown, ``width`` css pixels wide."""

    name: str
    png: bytes
    width: int
    alt: str

    @property
    def uri(self) -> str:
        """The picture as an address that needs no file."""
        return f"data:image/png;base64,{base64.b64encode(self.png).decode('ascii')}"


def render(template: str, **content: object) -> str:
    """Return a template of ``calibration/templates`` filled with ``content``.

    All that is no ``Markup`` is escaped, and a name that ``content`` lacks is an error. The functions below are filters
    of the templates.

    Raises
    ------
    ArtifactError
        If Jinja2 is missing.
    """
    return _environment().get_template(template).render(content)


@cache
def _environment() -> Environment:
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
    except ImportError as error:
        raise ArtifactError("the report needs Jinja2; pip install Jinja2") from error
    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    filters = (count_of, decimal, p_is, p_of, percent, prose, seconds_of)
    made.filters |= {each.__name__: each for each in filters}
    made.globals["NONE"] = NONE
    return made


def prose(text: str) -> Markup:
    """Return text as HTML whose lines do not break within 'r = .5', 'p < .001' or '95 %'."""
    from markupsafe import Markup, escape

    html = re.sub(r"[ \n]+", " ", str(escape(text))).strip(" ")
    html = re.sub(" (=|&lt;|%)", rf"{_FIXED}\1", html)
    return Markup(re.sub("(=|&lt;) ", rf"\1{_FIXED}", html))


def decimal(value: float | None, digits: int = 2) -> str:
    """Return a number without the zero before its point, as correlations are printed."""
    if value is None:
        return NONE
    text = f"{abs(value):.{digits}f}"
    text = text[1:] if text.startswith("0.") else text
    return f"{_MINUS if value < 0 and text.strip('.0') else ''}{text}"


def number(value: float) -> float | None:
    """Return a float, or None for NaN and infinity, which JSON lacks."""
    value = float(value)
    return value if math.isfinite(value) else None


def p_of(value: float | None) -> str:
    """Return a p value for a table."""
    if value is None:
        return NONE
    return "< .001" if value < 0.001 else decimal(value, 3)


def p_is(value: float | None) -> str:
    """Return 'p = .012', or 'p < .001', for a sentence."""
    text = p_of(value)
    return f"p {text}" if text.startswith("<") else f"p = {text}"


def percent(value: float | None) -> str:
    """Return a share as '7 %'."""
    return NONE if value is None else f"{100 * value:.0f} %"


def count_of(n: int, noun: str) -> str:
    """Return '1 sound' or '3 sounds'; 'stimulus' has its own plural."""
    plural = "stimuli" if noun == "stimulus" else f"{noun}s"
    return f"{n} {noun if n == 1 else plural}"


def seconds_of(value: float | None) -> str:
    """Return a time as '75 s', or '12.5 s' where it is not whole."""
    if value is None:
        return NONE
    return f"{value:.0f} s" if value == round(value) else f"{value:.1f} s"
