"""Pieces of the report's page: numbers as they are printed, tables, figures, and the page that holds them."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

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


def decimal(value: float | None, digits: int = 2) -> str:
    """Return a number without the zero before its point, as correlations are printed."""
    if value is None:
        return NONE
    text = f"{abs(value):.{digits}f}"
    text = text[1:] if text.startswith("0.") else text
    return f"{_MINUS if value < 0 and text.strip('.0') else ''}{text}"


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


def prose(text: str) -> str:
    """Return plain text as HTML whose lines do not break within 'r = .5', 'p < .001' or '95 %'."""
    for sign in ("=", "<", "%"):
        text = text.replace(f" {sign}", f"{_FIXED}{sign}")
    return escape(text.replace("= ", f"={_FIXED}").replace("< ", f"<{_FIXED}"))


def paragraph(text: str, kind: str = "") -> str:
    """Return a paragraph of plain text."""
    return f"<p{_class(kind)}>{prose(text)}</p>\n"


def listing(items: Sequence[str]) -> str:
    """Return a list of plain texts."""
    return "<ul>\n" + "".join(f"<li>{prose(item)}</li>\n" for item in items) + "</ul>\n"


def terms(pairs: Sequence[tuple[str, str]]) -> str:
    """Return names with what they stand for."""
    return "<dl>\n" + "".join(f"<dt>{escape(a)}</dt><dd>{escape(b)}</dd>\n" for a, b in pairs) + "</dl>\n"


def table(
    head: Sequence[str], rows: Sequence[Sequence[str]], caption: str, *, texts: int = 1, bold: Sequence[str] = ()
) -> str:
    """Return a table of plain texts.

    Parameters
    ----------
    head, rows, caption
        A row that is shorter than the head lets its last cell go on to the end.
    texts
        So many columns are text; the others are numbers and stand to the right.
    bold
        First cells of the rows that stand out.
    """
    lines = [f"<caption>{prose(caption)}</caption>", "<thead><tr>"]
    lines += [f'<th scope="col"{_class("n" if i >= texts else "")}>{escape(h)}</th>' for i, h in enumerate(head)]
    lines.append("</tr></thead>\n<tbody>")
    for row in rows:
        cells = [f'<th scope="row">{escape(row[0])}</th>']
        for i, cell in enumerate(row[1:], start=1):
            span = len(head) - i if i == len(row) - 1 else 1
            wide = f' colspan="{span}"' if span > 1 else ""
            cells.append(f"<td{_class('n' if i >= texts and not wide else '')}{wide}>{escape(cell)}</td>")
        lines.append(f"<tr{_class('chosen' if row[0] in bold else '')}>{''.join(cells)}</tr>")
    return '<div class="wide"><table>\n' + "\n".join(lines) + "\n</tbody></table></div>\n"


def figure(picture: Picture, caption: str) -> str:
    """Return a figure that is inside the page."""
    data = base64.b64encode(picture.png).decode("ascii")
    return (
        f'<figure id="figure-{picture.name}"><img src="data:image/png;base64,{data}" width="{picture.width}" '
        f'alt="{escape(picture.alt)}">\n<figcaption>{prose(caption)}</figcaption></figure>\n'
    )


def folded(summary: str, content: str) -> str:
    """Return content that opens on demand."""
    return f"<details><summary>{escape(summary)}</summary>\n{content}</details>\n"


def code(text: str) -> str:
    """Return text as it is written."""
    return f"<pre>{escape(text)}</pre>\n"


def page(title: str, banner: str, sections: Sequence[tuple[str, str]]) -> str:
    """Return the whole page: sections of a title and HTML, numbered, after a table of contents.

    ``banner`` is HTML.
    """
    names = [escape(name) for name, _ in sections]
    contents = "".join(f'<li><a href="#section-{i}">{name}</a></li>' for i, name in enumerate(names, start=1))
    body = "".join(
        f'<section id="section-{i}">\n<h2>{i}. {name}</h2>\n{content}</section>\n'
        for i, (name, (_, content)) in enumerate(zip(names, sections, strict=True), start=1)
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>{escape(title)}</h1>\n{banner}<nav><ol>{contents}</ol></nav>\n{body}</main>\n</body>\n</html>\n"
    )


def _class(name: str) -> str:
    return f' class="{name}"' if name else ""


_STYLE: Final = """
:root { color-scheme: light; }
html { background: #fff; color: #1c2126; font: 15px/1.5 system-ui, "Segoe UI", "Helvetica Neue", Arial, sans-serif; }
body { margin: 0; }
main { max-width: 60em; margin: 0 auto; padding: 2em 1.5em 4em; }
h1 { font-size: 1.65em; line-height: 1.2; margin: 0 0 .6em; overflow-wrap: anywhere; }
h2 { font-size: 1.2em; margin: 2.4em 0 .6em; padding-bottom: .25em; border-bottom: 1px solid #c9d0d7; }
h3 { font-size: 1em; margin: 1.8em 0 .4em; }
p, ul { max-width: 47em; margin: .6em 0; overflow-wrap: anywhere; }
nav ol { columns: 2; column-gap: 2.5em; max-width: 47em; padding-left: 1.6em; font-size: .93em; }
a { color: #0b5394; text-decoration: none; }
a:hover { text-decoration: underline; }
.banner { max-width: none; padding: .6em 1em; border: 1px solid #c9d0d7; border-left: .4em solid #6b7785; }
.banner.synthetic { background: #fff4d6; border-color: #b7791f; }
.result { font-size: 1.08em; font-weight: 600; }
.note { color: #4d5863; font-size: .93em; }
.warning { padding: .5em .9em; border-left: .3em solid #b7791f; background: #fff9ea; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25em 1.4em; margin: 1em 0; }
dt { color: #4d5863; }
dd { margin: 0; overflow-wrap: anywhere; }
.wide { overflow-x: auto; margin: 1.2em 0; }
table { border-collapse: collapse; font-size: .9em; line-height: 1.35; border-bottom: 1px solid #7b8794; }
caption { text-align: left; padding-bottom: .5em; color: #4d5863; max-width: 54em; }
th, td { padding: .28em .8em; text-align: left; vertical-align: baseline; }
thead th { border-top: 1px solid #7b8794; border-bottom: 1px solid #7b8794; vertical-align: bottom; }
tbody th { font-weight: 400; overflow-wrap: anywhere; min-width: 6em; }
tbody tr + tr > * { border-top: 1px solid #eceff2; }
tr.chosen > * { font-weight: 650; background: #eef4fa; }
.n { text-align: right; font-variant-numeric: tabular-nums; }
td.n { white-space: nowrap; }
figure { margin: 1.4em 0 1.8em; }
img { max-width: 100%; height: auto; display: block; }
figcaption { font-size: .9em; line-height: 1.4; color: #4d5863; margin-top: .6em; max-width: 54em; }
pre { font: .82em/1.45 ui-monospace, "Cascadia Mono", Menlo, Consolas, monospace; background: #f6f7f9;
  padding: 1em; white-space: pre-wrap; overflow-wrap: anywhere; }
.hash td { font-family: ui-monospace, Menlo, Consolas, monospace; font-size: .9em; overflow-wrap: anywhere; }
summary { cursor: pointer; color: #0b5394; }
@page { margin: 16mm 15mm; }
@media print {
  html { font-size: 10pt; }
  main { max-width: none; padding: 0; }
  nav { display: none; }
  h2, h3, caption { break-after: avoid; }
  figure, tr, .banner, .wide { break-inside: avoid; }
  .wide { overflow: visible; }
  pre { white-space: pre-wrap; }
}
"""
