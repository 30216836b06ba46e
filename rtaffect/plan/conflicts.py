"""Choices of a session that do not go together, so that none is passed over without a word."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rtaffect.common.errors import SettingsError, setting
from rtaffect.plan.analysis_plan import AnalysisPlan
from rtaffect.plan.eeg_plan import EegPlan
from rtaffect.plan.programs_plan import Address
from rtaffect.plan.session_plan import DEMO_BUNDLE, SETTINGS, SessionPlan
from rtaffect.plan.setting import DefinedSetting

#: These hold in the plans of all modes, whichever commands have an option for them.
EVERYWHERE: Final = frozenset({"participant", "wait", "protocol", "screen", "preview", "tone-device", "no-outlet"})
#: Of the analysis, what a bundle brings with it.
BROUGHT: Final = ("settings", "mains", "head")
_BUNDLE: Final = setting("bundle")
#: So long the participant of the demo of affect rests at first, s (calibration.affect.demo writes it so).
DEMO_REST_S: Final = 30
#: The participant's own rating, moved in their view.
SLIDER: Final = "slider"
_MODES: Final = {"live": "a live session", "demo": "the demo", "replay": "a replay"}


def check_plan(plan: SessionPlan) -> None:
    """Refuse choices of which one would be passed over; raises SettingsError for the first."""
    for error in conflicts(plan):
        raise error


def conflicts(plan: SessionPlan) -> Iterator[SettingsError]:
    """Yield what of a plan does not go together, as far as the plan itself says so."""
    yield from _of_other_modes(plan)
    yield from brought_by_bundle(plan.analysis, BROUGHT)
    yield from _of_channels(plan.eeg)
    yield from _of_programs(plan)
    yield from _of_measures(plan.analysis)
    if plan.mode == "replay":
        yield from _of_replay(plan)
    else:
        yield from _of_what_is_shown(plan)
        yield from _of_rating(plan)
    if plan.mode == "live":
        if plan.protocol.session_code is not None and plan.protocol.allocation is None:
            yield SettingsError(
                f"{setting('session-code')} opens an entry of a sealed allocation, and there is none",
                remedy=f"give it {_with('allocation')}, or leave the code out",
                field="allocation",
            )
        yield from _of_sound(plan)
        yield from _of_streams(plan)
    if plan.mode == "demo" and plan.analysis.affect == DEMO_BUNDLE:
        yield from _of_demo_of_affect(plan)
    folder = plan.recording is not None and plan.recording.is_dir()
    if not folder:
        yield from _of_affect(plan.analysis)
        yield from _of_lag(plan)
    predicts = plan.analysis.bundle is not None or plan.analysis.affect is not None
    if plan.mode != "demo" and not predicts and not folder:
        yield from _of_features(plan.analysis)


def brought_by_bundle(analysis: AnalysisPlan, given: tuple[str, ...]) -> Iterator[SettingsError]:
    """Yield what of the ``given`` fields a bundle would override."""
    for name in given if analysis.bundle is not None else ():
        if (value := getattr(analysis, name)) is not None:
            yield SettingsError(
                f"{setting(name, value)} is for a session without a bundle, and {setting('bundle', analysis.bundle)} "
                "brings its own",
                remedy="leave one of them out",
                field=name,
            )


def _of_other_modes(plan: SessionPlan) -> Iterator[SettingsError]:
    for defined in SETTINGS:
        option = defined.setting.option
        if plan.mode not in defined.setting.modes and option not in EVERYWHERE and _is_chosen(defined, plan):
            value = defined.value_in(plan)
            said = setting(option, "" if isinstance(value, bool | tuple) else value)
            yield SettingsError(f"{said} is not for {_MODES[plan.mode]}, which does not use it", remedy="leave it out")


def _is_chosen(defined: DefinedSetting, plan: SessionPlan) -> bool:
    return bool(defined.value_in(plan) != defined.field.default)


def _of_replay(plan: SessionPlan) -> Iterator[SettingsError]:
    assert plan.recording is not None
    if plan.recording.is_dir():
        for defined in SETTINGS:
            if defined.path[0] in {"eeg", "sound"} and _is_chosen(defined, plan):
                yield SettingsError(
                    f"{setting(defined.setting.option)} is for a recording, and {plan.recording} is a session's "
                    "folder, which says itself what was worn and heard",
                    remedy="leave it out, or replay the recording.xdf in it",
                )
    elif plan.sound.start is not None and plan.sound.file is None:
        yield SettingsError(
            f"{setting('audio-start')} says when {setting('audio', metavar='FILE')} began",
            remedy="give that file, too",
            field="audio",
        )


def _of_what_is_shown(plan: SessionPlan) -> Iterator[SettingsError]:
    protocol, headless = plan.protocol, setting("headless")
    screen, preview = setting("screen", "" if protocol.screen is None else protocol.screen), setting("preview")
    if protocol.screen is not None and protocol.preview:
        yield SettingsError(f"{screen} and {preview} exclude each other", remedy="give the one that is meant")
    if plan.results.headless and (protocol.preview or protocol.screen is not None):
        what = preview if protocol.preview else screen
        yield SettingsError(f"{what} is a view on a screen, and {headless} shows none", remedy="leave one of them out")
    yield from _of_films(plan)
    if protocol.tone_device is not None and protocol.file is None:
        yield SettingsError(
            f"{setting('tone-device', protocol.tone_device)} is for a protocol's feedback tone, and there is none",
            remedy=f"give it {_with('protocol')}, or leave the device out",
        )


def _of_films(plan: SessionPlan) -> Iterator[SettingsError]:
    """Yield what is asked of a film where none is seen."""
    protocol = plan.protocol
    if protocol.photodiode != "none":
        said = setting("photodiode", protocol.photodiode)
    elif protocol.screen_delay_s:
        said = setting("screen-delay", protocol.screen_delay_s)
    else:
        return
    if not protocol.preview and protocol.screen is None:
        yield SettingsError(
            f"{said} is for a film in the participant's view, and there is none",
            remedy=f"give {setting('screen', metavar='N')} or {setting('preview')}, or leave it out",
            field="screen",
        )
    if protocol.file is None and plan.mode == "live":
        yield SettingsError(
            f"{said} is for a protocol's film, and there is no protocol",
            remedy=f"give it {_with('protocol')}, or leave it out",
            field="protocol",
        )


def _of_rating(plan: SessionPlan) -> Iterator[SettingsError]:
    protocol = plan.protocol
    if plan.eeg.rating == SLIDER and protocol.screen is None and not protocol.preview:
        yield SettingsError(
            f"{setting('rating', SLIDER)} is in the participant's view, and there is none",
            remedy=f"give {setting('screen', metavar='N')} or {setting('preview')}, or have it sent as a stream",
            field="screen",
        )


def _of_lag(plan: SessionPlan) -> Iterator[SettingsError]:
    if plan.eeg.rating is None and "rating_lag_s" in plan.analysis.model_fields_set and plan.mode != "demo":
        yield SettingsError(
            f"{setting('rating-lag', f'{plan.analysis.rating_lag_s:g}')} is of the participant's own rating, and there "
            "is none",
            remedy=f"give it {_with('rating')}, or leave it out",
            field="rating",
        )


def _of_measures(analysis: AnalysisPlan) -> Iterator[SettingsError]:
    if "measure_bands" in analysis.model_fields_set and not analysis.measures:
        yield SettingsError(
            f"{setting('measure-band', ', '.join(analysis.measure_bands))} is for own measures, and there is none",
            remedy=f"give one {_with('measure')}, or leave it out",
            field="measure",
        )


def _with(option: str) -> str:
    return f"with {setting(option)}"


def _of_sound(plan: SessionPlan) -> Iterator[SettingsError]:
    sound, protocol = plan.sound, plan.protocol.file is not None
    played, audio = sound.file is not None or protocol, setting("audio", metavar="FILE")
    if sound.silent and not played:
        yield SettingsError(
            f"{setting('silent')} is for a sound that another program plays in place of rtaffect, and there is none",
            remedy=f"give it {_with('audio')}, or leave it out",
            field="audio",
        )
    if sound.speaker is not None and (sound.silent or not played):
        why = f"with {setting('silent')} nothing is played" if sound.silent else "nothing is played"
        yield SettingsError(
            f"{setting('speaker', sound.speaker)} is the device that {audio} is played on, and {why}",
            remedy="leave it out, or give what is to be played",
            field="audio",
        )


def _of_streams(plan: SessionPlan) -> Iterator[SettingsError]:
    eeg, sound = plan.eeg, plan.sound
    if eeg.allow_missing and not any(map(_is_named, eeg.streams)):
        yield SettingsError(
            f"{setting('allow-missing')} is for headsets that are asked for by name or source_id, and none is",
            remedy=f"name them {_with('eeg')}, or leave it out",
            field="eeg",
        )
    looks = bool(eeg.streams) or not eeg.boards or sound.stream is not None or sound.onset_marker is not None
    if "wait_s" in eeg.model_fields_set and not looks:
        yield SettingsError(
            f"{setting('wait')} is for streams, and with {setting('board', eeg.boards[0])} alone none is looked for",
            remedy="leave it out",
        )


def _is_named(query: str) -> bool:
    """Return whether a query is of one headset, not of all of a type."""
    return query.partition("=")[0].strip().lower() != "type"


def _of_channels(eeg: EegPlan) -> Iterator[SettingsError]:
    if eeg.without and eeg.only:
        yield SettingsError(
            f"{setting('without', ','.join(eeg.without))} and {setting('only', ','.join(eeg.only))} exclude each other",
            remedy="give the one that is meant",
        )
    said: dict[str, str] = {}
    for each in eeg.headsets:
        if (before := said.setdefault(each.stream, each.text)) != each.text:
            yield SettingsError(
                f"{setting('headset', before)} and {setting('headset', each.text)} are of one headset",
                remedy="give one of them, with all that is to be said",
            )


def _of_programs(plan: SessionPlan) -> Iterator[SettingsError]:
    programs = plan.programs
    for option, given in (("remote-token", programs.remote_token), ("at-once", programs.at_once)):
        if given and programs.remote is None:
            yield SettingsError(
                f"{setting(option)} is for a session that other programs start, and this one is not",
                remedy=f"give it {_with('remote')}, or leave it out",
                field="remote",
            )
    if programs.remote is not None and plan.contact.check:
        yield SettingsError(
            f"{setting('check-contact')} is before one session, and other programs start several",
            remedy="check before with `rtaffect contact`, and leave it out",
            field="remote",
        )
    if programs.page_token is not None and programs.page is None:
        yield SettingsError(
            f"{setting('page-token')} opens a page, and none is served",
            remedy=f"give it {_with('page')}, or leave it out",
            field="page",
        )
    if programs.page is not None and programs.remote is not None:
        page, remote = Address.parse(programs.page), Address.parse(programs.remote)
        if page.port == remote.port:
            yield SettingsError(
                f"{setting('page', programs.page)} and {setting('remote', programs.remote)} are the same port",
                remedy="give two ports",
            )
    for text in programs.osc:
        address = Address.parse(text)
        if address.is_here and address.port == programs.osc_markers:
            yield SettingsError(
                f"{setting('osc', text)} sends to the port that {setting('osc-markers')} takes markers from: each step "
                "would become markers",
                remedy="give two ports",
            )


def _of_affect(analysis: AnalysisPlan) -> Iterator[SettingsError]:
    """Yield what is given for a bundle of affect where there is none."""
    given = (("library", analysis.library), ("affect-rest", analysis.affect_rest_s))
    for name, value in given if analysis.affect is None else ():
        if value is not None:
            yield SettingsError(
                f"{setting(name, value)} is for a bundle of affect, and there is none",
                remedy=f"give one {_with('affect')}, or leave it out",
                field="affect",
            )


def _of_demo_of_affect(plan: SessionPlan) -> Iterator[SettingsError]:
    """Yield what the demo of affect, which has no bundle of synchrony and a participant of its own, does not have."""
    demo, given = setting("affect", DEMO_BUNDLE), plan.analysis
    if given.elements == "on":
        yield SettingsError(
            f"{setting('elements', 'on')} is another demo, of synchrony, and {demo} is that of affect",
            remedy="leave one of them out",
            field="elements",
        )
    if plan.protocol.file is not None:
        yield SettingsError(
            f"{setting('protocol')}: the participant of {demo} was simulated for the demo's sound alone",
            remedy=f"leave one of them out, or give {setting('affect', metavar='BUNDLE')} of your own",
            field="protocol",
        )
    if given.affect_rest_s is not None and given.affect_rest_s > DEMO_REST_S:
        yield SettingsError(
            f"{setting('affect-rest', given.affect_rest_s)}: the participant of {demo} rests {DEMO_REST_S} s",
            remedy=f"leave it out, or give at most {DEMO_REST_S}",
            field="affect-rest",
        )


def _of_features(analysis: AnalysisPlan) -> Iterator[SettingsError]:
    for name, default in (("featurizer", None), ("threads", 1)):
        if (value := getattr(analysis, name)) != default:
            yield SettingsError(
                f"{setting(name, value)} is for predictions, and without {_BUNDLE} nothing is predicted",
                remedy=f"give one {_with('bundle')}, as in {setting('bundle', 'demo')}, or leave it out",
                field=name,
            )
