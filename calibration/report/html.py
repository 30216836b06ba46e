"""Pieces of the report's page: numbers as they are printed, tables, figures, and the page that holds them."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from importlib.resources import files
from typing import Final

from calibration.pages import NONE, Picture, count_of, decimal, p_is, p_of, percent, seconds_of

__all__ = ["NONE", "Picture", "count_of", "decimal", "p_is", "p_of", "percent", "seconds_of"]

_FIXED: Final = "\N{NO-BREAK SPACE}"
_STYLE: Final = (files("calibration") / "templates" / "style.css").read_text(encoding="utf-8")


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
    return (
        f'<figure id="figure-{picture.name}"><img src="{picture.uri}" width="{picture.width}" '
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
