"""The one recipe from a plan to a session that ran: sources, model, its cost, engine, run."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Final

from rich.console import Console

from rtaffect.common.contact_settings import ContactSettings, read_contact_settings
from rtaffect.common.errors import SettingsError, at_terminal, setting, under
from rtaffect.common.places import check_new_folder
from rtaffect.common.words import gathered, listed
from rtaffect.observed.contact import HeadsetContact
from rtaffect.observed.spaces import Space
from rtaffect.outputs.console import warnings_shown
from rtaffect.plan.conflicts import check_plan
from rtaffect.plan.session_folder import refuse_taken
from rtaffect.plan.session_plan import SessionPlan
from rtaffect.predicted.featurizer import TOO_SLOW_S, Progress
from rtaffect.protocol.affective import check_affect
from rtaffect.protocol.element_rule import check_element
from rtaffect.protocol.reading import check_rows, read_protocol
from rtaffect.run.assemble import Model, build_engine, load_model
from rtaffect.run.describing import describe_session
from rtaffect.run.elements import ready_elements
from rtaffect.run.osc_out import places_of
from rtaffect.run.page import check_page
from rtaffect.run.runners import WindowRunner
from rtaffect.run.running import run_session
from rtaffect.run.session_affect import SessionAffect, load_session_affect
from rtaffect.run.session_sources import Run, SessionSources
from rtaffect.stream.sound_reading import sound_length

#: What is to be done where a headset lacks some of a bundle's rows.
_LACKING = "of the others there is no value (rows are matched by the names of channels)"


def run_plan(plan: SessionPlan, console: Console, show: WindowRunner, checked: Sequence[HeadsetContact] = ()) -> None:
    """Run the session that a plan describes, whatever its mode; ``show`` shows it in a window.

    ``checked`` is what a contact check before it found.

    Raises
    ------
    RtaffectError
        If it cannot run, or could not go on; the message says why and what to do.
    """
    note, cost = noting(console)
    with warnings_shown(console), ExitStack() as cleanup:
        with console.status("getting ready") as status:
            run = prepare(plan, cleanup, status.update, note, cost)
        run.sources.checked = checked
        run.sources.play(run.engine, cleanup, note)
        if said := run.sources.ended(run_session(run, console, show)):
            console.print(said, style="yellow", highlight=False)


def noting(console: Console) -> tuple[Callable[[str], None], Callable[[Model], None]]:
    """Return what prints a note, and what a model costs."""

    def note(text: str) -> None:
        console.print(f"note: {text}", style="yellow", highlight=False, soft_wrap=True)

    def cost(model: Model) -> None:
        style = "yellow" if model.cost_s > TOO_SLOW_S else "dim"
        console.print(model.featurizer.describe_cost(model.cost_s), style=style, soft_wrap=True)
        if model.elements is not None:
            console.print(model.elements.describe(), style="dim", soft_wrap=True)

    return note, cost


@dataclass(frozen=True, slots=True)
class Prepared:
    """All that a session needs before it begins: its ``sources``, found, its ``model`` and its ``affect``, loaded.

    ``note`` is told what the operator should know.
    """

    sources: SessionSources
    model: Model | None
    note: Callable[[str], None]
    affect: SessionAffect | None = None

    def begin(self, cleanup: ExitStack, progress: Progress) -> Run:
        """Open what takes time to open, and return the session, which begins soon; RtaffectError if it cannot."""
        sources, model, affect = self.sources, self.model, self.affect
        plan = sources.plan
        own = sources.own_response(model)
        begun = sources.begin(cleanup, progress)
        engine = build_engine(
            sources.people,
            begun.origin,
            sound=begun.sound,
            model=model,
            analysis=sources.analysis,
            own=own,
            recorded=sources.doubts,
            # What is replayed is of the past whenever its steps are made.
            late_s=math.inf if plan.mode == "replay" else plan.results.late_s,
            body=sources.body,
            rating=sources.rating,
            affect=affect.reader(sources.people, begun.origin) if affect is not None else None,
            contact=_contact(plan),
            patient=plan.mode == "replay" or (plan.mode == "demo" and plan.speed == "max"),
        )
        if engine.rated is not None and engine.rated.unmatched:
            self.note(engine.rated.unmatched)
        if model is not None and engine.rated is None:
            self.note(at_terminal(matched_rows(engine.space, model.bundle.space)))
        protocol = sources.setup.protocol
        if protocol is not None:
            rated = engine.space.kind == "ratings"
            check_rows(protocol, engine.space.rows, engine.measures.described, rated=rated)
            check_affect(protocol.name, protocol.feedback, reads=affect is not None)
            check_element(protocol.name, protocol.feedback, engine.elements.elements if engine.elements else ())
        ran = describe_session(plan.mode, sources.described or plan, engine, model, protocol)
        if affect is not None:
            ran |= affect.describe()
        if engine.measures.contact is not None:
            ran |= {"contact": engine.measures.contact.model_dump()}
        return Run(engine, begun.clock, sources, _banner(sources, model, affect), ran | begun.about)


def prepare(
    plan: SessionPlan,
    cleanup: ExitStack,
    progress: Progress,
    note: Callable[[str], None],
    cost: Callable[[Model], None] = lambda _: None,
) -> Run:
    """Return a session that is ready to run, and begins soon; parameters and errors are those of :func:`find`."""
    return find(plan, cleanup, progress, note, cost).begin(cleanup, progress)


def find(
    plan: SessionPlan,
    cleanup: ExitStack,
    progress: Progress,
    note: Callable[[str], None],
    cost: Callable[[Model], None] = lambda _: None,
) -> Prepared:
    """Return a session that can begin.

    ``cleanup`` lets go of what was opened. ``progress`` is told what is being done, and ``note`` what the operator
    should know; ``cost`` is given the model, whose cost is measured.

    Raises
    ------
    RtaffectError
        If it cannot run.
    """
    _check_choices(plan)
    return complete(_open(plan, cleanup, progress), progress, note, cost)


def check_live(plan: SessionPlan, progress: Progress) -> None:
    """Try what of a live session needs no headset, for what comes before it takes minutes.

    Raises
    ------
    RtaffectError
        If the session could not run; the message says why and what to do.
    """
    from rtaffect.run.live import check_without_headsets

    _check_choices(plan)
    check_without_headsets(plan)
    analysis, featurizer = plan.analysis, None
    if analysis.bundle is not None:
        featurizer = load_model(analysis.bundle, analysis.featurizer, progress, analysis.threads).featurizer
    protocol = read_protocol(plan.protocol.file) if plan.protocol.file is not None else None
    load_session_affect(analysis, protocol, featurizer, progress, lambda _: None)
    _contact(plan)


def _check_choices(plan: SessionPlan) -> None:
    check_plan(plan)
    places_of(plan.programs)
    check_page(plan.programs)
    if plan.results.out is not None:
        check_new_folder(plan.results.out, setting("out"))
        refuse_taken(plan.results.out)


def complete(
    sources: SessionSources,
    progress: Progress,
    note: Callable[[str], None],
    cost: Callable[[Model], None] = lambda _: None,
) -> Prepared:
    """Return a session of these sources that can begin, its model loaded; parameters and errors are :func:`find`'s."""
    analysis, model = sources.analysis, None
    if analysis.bundle is not None:
        which = sources.demo_of_elements
        model = load_model(analysis.bundle, analysis.featurizer, progress, analysis.threads, elements=which)
    unsealed = model.bundle.manifest.unsealed if model is not None else ""
    notes = (*sources.notes, *_of_sounds(sources), *sources.check(model), unsealed)
    apart = ""
    if model is not None:
        model, apart = _with_elements(model, sources, progress)
    elif analysis.elements == "on":
        raise SettingsError(f"{setting('elements', 'on')}: there is no bundle", remedy=f"give one {under('bundle')}")
    for text in gathered(filter(None, (*notes, apart))):
        note(at_terminal(text))
    if model is not None:
        cost(model)
    featurizer = model.featurizer if model is not None else None
    affect = load_session_affect(analysis, sources.setup.protocol, featurizer, progress, note)
    for text in sources.check_affect(affect):
        note(at_terminal(text))
    return Prepared(sources, model, note, affect)


#: How it is told that headsets have all that a bundle reads.
ALL_ROWS: Final = "the headsets have all"


def matched_rows(space: Space, whole: Space) -> str:
    """Return of how many of the bundle's rows, or channels, the headsets have what they need."""
    of_rows = space.kind == "channels"
    here, there = (space.rows, whole.rows) if of_rows else (space.channels, whole.channels)
    what = "rows" if of_rows else "channels"
    if len(here) == len(there):
        return f"{ALL_ROWS} {len(there)} {what} of the bundle"
    return f"the headsets have {len(here)} of the bundle's {len(there)} {what}: {listed(here, 8)}; {_LACKING}"


def _with_elements(model: Model, sources: SessionSources, progress: Progress) -> tuple[Model, str]:
    """Return the model with what takes the session's sound apart, and why nothing does, where that is to be told."""
    if sources.sound_is_gone:
        # What is kept of it has the features of its elements, too.
        return model, ""
    programme, mode = sources.setup.programme, sources.plan.mode
    played = programme.sounds.values() if programme is not None else ()
    stimuli = dict(sources.stimuli) | {sound.path: sound.sha256 for sound in played}
    live = mode == "live" or (mode == "demo" and sources.plan.speed != "max")
    ready, why = ready_elements(
        model.bundle, model.folder, sources.analysis, stimuli, model.cost_s, progress,
        hears=sources.hears, live=live,
    )  # fmt: skip
    return replace(model, elements=ready), why


def _contact(plan: SessionPlan) -> ContactSettings | None:
    """Return the limits by which contact is measured while headsets are worn; None where none are."""
    worn = plan.mode == "live" or (plan.mode == "demo" and plan.speed != "max")
    return read_contact_settings(plan.contact.settings) if worn else None


def _of_sounds(sources: SessionSources) -> Iterator[str]:
    """Yield what is to be known of the files that are heard, as that one is cut short."""
    blocks = sources.setup.protocol.blocks if sources.setup.protocol is not None else ()
    for path in dict.fromkeys((*sources.stimuli, *(block.sound for block in blocks))):
        if path is not None:
            yield from sound_length(path).notes


def _banner(sources: SessionSources, model: Model | None, affect: SessionAffect | None) -> str | None:
    """Return what stands in the window at all times; None for nothing."""
    if sources.banner is None and model is not None and model.bundle.manifest.synthetic:
        return "predictions from a synthetic bundle: a demonstration"
    if sources.banner is None and affect is not None and affect.synthetic:
        return "affect by a synthetic bundle: a demonstration"
    return sources.banner


def _open(plan: SessionPlan, cleanup: ExitStack, progress: Progress) -> SessionSources:
    """Return the sources of a plan's mode; each mode is imported only where it is used."""
    if plan.mode == "live":
        from rtaffect.run.live import LiveSources

        return LiveSources.open(plan, cleanup, progress)
    if plan.mode == "demo":
        from rtaffect.run.demo import DemoSources

        return DemoSources.open(plan, progress)
    assert plan.recording is not None
    if plan.recording.is_dir():
        from rtaffect.run.session_replay import SessionReplay

        return SessionReplay.open(plan, progress)
    from rtaffect.run.replay import RecordingReplay

    return RecordingReplay.open(plan, plan.recording, progress)
