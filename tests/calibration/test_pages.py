"""Templates escape what they are given, tables align, and a name that is missing is no blank."""

from __future__ import annotations

import sys

import pytest
from jinja2 import ChoiceLoader, DictLoader, UndefinedError
from markupsafe import Markup, escape

from calibration import pages
from calibration.pages import Picture, prose, render
from rtaffect.common.errors import ArtifactError

PAGE = """{% extends "base.html" %}
{% set sections = [("One & <two>", "section.html")] %}
"""
SECTION = """{% import "macros.html" as m %}
{% call m.paragraph("result") %}
r = {{ r|decimal }} of {{ name }},
95 %
{% endcall %}
{% call(row) m.table(["name", "use", "r"], name, texts=2) %}
{{ row([name, "all", r|decimal], chosen=true) }}
{{ row(["short", name]) }}
{% endcall %}
{{ m.listing([name]) }}{{ m.terms([(name, name)]) }}{{ m.code(name) }}{{ m.figure(picture, name) }}
{% call m.folded(name) %}{{ m.pairs_table(["key", "value"], {name: name}.items(), name) }}{% endcall %}
"""
EVIL = "<i>x</i> & \"'"


@pytest.fixture(autouse=True)
def own_templates(monkeypatch):
    """Two templates of the test's own beside the shipped ones."""
    made = pages._environment()
    assert made.loader is not None
    own = DictLoader({"page.html": PAGE, "section.html": SECTION})
    monkeypatch.setattr(made, "loader", ChoiceLoader([own, made.loader]))


def page_with(**changes: object) -> str:
    picture = Picture("drawn", b"png", 90, EVIL)
    return render("page.html", **{"title": EVIL, "name": EVIL, "r": -0.345, "picture": picture} | changes)


def test_all_that_is_given_is_escaped():
    text = page_with()
    assert "<i>" not in text
    assert text.count(str(escape(EVIL))) == 16
    assert "<h2>1. One &amp; &lt;two&gt;</h2>" in text
    assert f'alt="{escape(EVIL)}"' in text
    assert 'src="data:image/png;base64,cG5n"' in text
    assert text.endswith("</html>\n")


def test_numbers_stand_to_the_right_and_a_short_row_goes_on_to_the_end():
    text = page_with(name="x")
    minus = "\N{MINUS SIGN}.34"
    assert '<th scope="col">use</th><th scope="col" class="n">r</th>' in text
    assert f'<tr class="chosen"><th scope="row">x</th><td>all</td><td class="n">{minus}</td></tr>' in text
    assert '<tr><th scope="row">short</th><td colspan="2">x</td></tr>' in text


def test_a_name_that_is_missing_is_an_error():
    with pytest.raises(UndefinedError, match="'name' is undefined"):
        render("page.html", title="t", r=0.1)


def test_a_line_does_not_break_within_a_number():
    fixed = "\N{NO-BREAK SPACE}"
    assert prose("so r = .5,\n  p < .01 in 95 %") == f"so r{fixed}={fixed}.5, p{fixed}&lt;{fixed}.01 in 95{fixed}%"
    assert prose(Markup("<b>r</b> = .5 &lt; 1 <i>x</i>")) == f"<b>r</b>{fixed}={fixed}.5{fixed}&lt;{fixed}1 <i>x</i>"


def test_without_jinja2_the_remedy_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    pages._environment.cache_clear()
    with pytest.raises(ArtifactError, match="pip install Jinja2"):
        render("page.html")
