"""What prevents a session from reading affect, and from taking in what the participant says of it."""

from __future__ import annotations

from collections.abc import Iterator

from rtaffect.affect.reader import check_headset
from rtaffect.common.errors import RtaffectError, SettingsError, setting
from rtaffect.plan.analysis_plan import AnalysisPlan
from rtaffect.plan.conflicts import SLIDER
from rtaffect.run.session_affect import rest_of
from rtaffect.sources.selection import Query
from rtaffect.start.choices import Choices, is_of_session
from rtaffect.start.fields import is_demo_bundle, path_of, rating_lag_in, rest_in
from rtaffect.start.found import AffectFacts, Found, LibraryFacts, asks_for
from rtaffect.start.problem import Problem, looked, refused
from rtaffect.start.sense import why_not
from rtaffect.stream.source import StreamInfo


def affect_problems(choices: Choices, found: Found, persons: tuple[StreamInfo, ...]) -> Iterator[Problem]:
    """Return what is wrong with the bundle of affect, its library and rest, the rating, and the sound's elements."""
    if choices.mode != "demo":
        yield from _of_bundle(choices, found, persons)
        yield from _of_rating(choices, found)
    facts = yield from looked(asks_for(choices).library, found, "library", "The library is being looked at")
    if isinstance(facts, LibraryFacts) and not facts.files:
        yield Problem("library", "The library has no file in it: choose a folder of sound files")
    if choices.elements == "on" and (why := why_not(choices, found)["elements"]):
        yield Problem(
            "elements", f"{setting('elements', 'on')}: {why}; choose another bundle, or 'where the bundle can'"
        )


def _of_bundle(choices: Choices, found: Found, persons: tuple[StreamInfo, ...]) -> Iterator[Problem]:
    if is_demo_bundle(choices.affect):
        text = "The demo's bundle of affect is synthetic: what it reads means nothing for people"
        yield Problem("affect", text, "note")
    facts = yield from looked(asks_for(choices).affect, found, "affect", "The bundle of affect is being read")
    try:
        rest_s = rest_in(choices.affect_rest_s)
    except RtaffectError as error:
        yield refused(error, "affect_rest_s")
        return
    if not isinstance(facts, AffectFacts):
        return
    if facts.manifest.synthetic:
        text = "The bundle of affect is synthetic: what it reads means nothing for people"
        yield Problem("affect", text, "note")
    plan = AnalysisPlan(affect=path_of(choices.affect), affect_rest_s=rest_s)
    try:
        rest_of(facts.manifest.settings, plan, found.protocol(choices))
    except RtaffectError as error:
        yield refused(error, "affect_rest_s")
    for person in persons:
        try:
            check_headset(facts.manifest, person)
        except RtaffectError as error:
            yield refused(error, "affect")


def _of_rating(choices: Choices, found: Found) -> Iterator[Problem]:
    try:
        rating_lag_in(choices.rating_lag_s)
    except RtaffectError as error:
        yield refused(error, "rating_lag_s")
    asked = choices.rating.strip()
    if not asked or is_of_session(choices):
        return
    ask = asks_for(choices).bundle
    # While the bundle is read, that alone is said.
    if (ask is None or found.get(ask) is not None) and (why := why_not(choices, found)["rating"]):
        yield Problem("rating", f"{setting('rating', asked)}: {why}; choose another bundle, or leave it out")
    if asked == SLIDER:
        return
    try:
        query = Query.parse(asked)
    except SettingsError as error:
        yield refused(error, "rating")
        return
    there = [stream for stream in found.streams_for(choices) if stream.meets([query])]
    if len(there) != 1:
        where = "is not in the recording" if choices.mode == "replay" else "does not answer now"
        said = where if not there else f"means {len(there)} streams, expected one"
        remedy = "name another, or leave it out" if not there else "name it by source_id="
        yield Problem("rating", f"The stream of ratings with {query.describe()} {said}: {remedy}")
