"""The CRED-nf checklist, ``cred_nf.toml``, filled in from what a session recorded."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from calibration.finished.report.data import SessionData
from calibration.finished.report.quality import Quality
from calibration.finished.report.regulation import Difference, Regulation
from calibration.pages import count_of, decimal, p_is, percent

RECORDED, STUDY, PARTLY, BY_HAND = "recorded", "from the protocol's [study]", "in part", "to be added by hand"


@dataclass(frozen=True, slots=True)
class Findings:
    """What of a report the checklist tells of; ``arm`` is that of an opened allocation."""

    arm: str | None
    regulation: Regulation
    quality: Quality


@dataclass(frozen=True, slots=True)
class Item:
    """One item: ``keys`` of the protocol's ``[study]`` answer it; ``left`` is what no session records."""

    number: str
    domain: str
    wording: str
    keys: list[str]
    left: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """One item as a session answers it: what is recorded, what the protocol's ``[study]`` says, what is left to add."""

    number: str
    domain: str
    item: str
    state: str
    recorded: str
    study: str
    left: str


def _control(data: SessionData, _: Findings) -> str:
    arms = [f"{arm.get('name')} ({arm.get('feedback')})" for arm in data.protocol.get("arm", [])]
    kinds = sorted({run.kind for run in data.blocks})
    if not arms and not kinds:
        return ""
    message = f"Arms of the protocol: {', '.join(arms)}. " if arms else "The protocol has no arms. "
    return message + f"Conditions within the session: {', '.join(kinds)}." if kinds else message


def _double_blind(data: SessionData, _: Findings) -> str:
    if not data.sealed:
        return ""
    sha256 = str(data.ran.get("allocation_sha256", ""))
    return (
        f"The arm was in a sealed allocation{f' (SHA-256 {sha256[:12]})' if sha256 else ''}; timing and looks are the "
        "same in all arms, and the session's files do not name the arm."
    )


def _blind_analysis(data: SessionData, found: Findings) -> str:
    if not data.sealed:
        return ""
    return (
        "This report was made with the opened allocation."
        if found.arm
        else "This report was made without opening the allocation."
    )


def _strategy(data: SessionData, _: Findings) -> str:
    message = [
        f"{block.get('name')}: \N{LEFT DOUBLE QUOTATION MARK}{block['instruction']}\N{RIGHT DOUBLE QUOTATION MARK}"
        for block in data.protocol.get("block", [])
        if block.get("kind") in ("feedback", "transfer") and block.get("instruction")
    ]
    return f"Instructions on the screen. {' '.join(message)}" if message else ""


def _strategies_used(data: SessionData, _: Findings) -> str:
    message = [event.get("name", "") for event in data.events if event.get("trial_type") == "note"]
    notes = [name for name in message if not name.startswith("session/")]
    return f"Notes of the session: {'; '.join(notes)}." if notes else ""


def _processing(data: SessionData, _: Findings) -> str:
    signal = data.ran.get("settings", {}).get("signal", {})
    if not signal:
        return ""
    notch = f", notch at {signal['mains_hz']:g} Hz" if signal.get("mains_hz") else ""
    reference = "average of the good channels" if signal.get("average_reference") else "as recorded"
    eyes = "eye activity regressed out where there are EOG channels" if signal.get("ocular") else "no eye correction"
    cutoff = signal.get("asr_cutoff", 0)
    asr = f"artifact subspace reconstruction with cutoff {cutoff:g}" if cutoff else "no subspace reconstruction"
    bad = (
        f"seconds with an SD below {1e6 * signal.get('flat_v', 0):g} or above {1e6 * signal.get('loud_v', 0):g} "
        "\N{MICRO SIGN}V are left out, and channels that are odd by their power, correlation or mains"
    )
    return (
        f"Causal Butterworth filters of order {signal.get('order')}, {signal.get('highpass_hz'):g} to "
        f"{signal.get('lowpass_hz'):g} Hz{notch}, resampled to {signal.get('rate_hz')} Hz, reference {reference}; "
        f"{eyes}; {asr}; {bad}. All numbers are in the settings below."
    )


def _artifact_effects(_: SessionData, found: Findings) -> str:
    message = [f"{each.kind} {percent(each.trusted)}" for each in found.quality.kinds if each.trusted is not None]
    return f"Share of seconds with a trusted value, by condition: {', '.join(message)}." if message else ""


def _feature(data: SessionData, found: Findings) -> str:
    synchrony = data.ran.get("settings", {}).get("synchrony", {})
    if not synchrony:
        return ""
    if data.rating is not None:
        lags = data.ran.get("rating_scale", {})
        own = f"{lags['lag_s']:g} s behind the sound" if "lag_s" in lags else "not given"
        return (
            f"Value of the rule: {found.regulation.value}. Observed: the participant's own continuous rating, {own}, "
            f"from {data.rating.low:g} to {data.rating.high:g}. Predicted: ridge regression from the sound's features "
            f"to ratings. Bundle {data.ran.get('bundle')}, featurizer {data.ran.get('featurizer')}."
        )
    bundle = f" Bundle {data.ran['bundle']}, featurizer {data.ran.get('featurizer')}." if data.ran.get("bundle") else ""
    against = "the stored mean of a reference group, or the other people of the session"
    return (
        f"Value of the rule: {found.regulation.value}. Observed synchrony: correlation of the "
        f"{synchrony.get('signal', 'broadband')} signal with {against}, in windows of {data.window_s} s that move "
        f"on by 1 s. Predicted synchrony: ridge regression from the sound's features.{bundle}"
    )


def _reinforcement(data: SessionData, _: Findings) -> str:
    rule = data.rule
    if not rule:
        return ""
    scale = rule.get("scale", "baseline")
    gain = f"; gain {rule.get('gain', 1.0):g}; continuous, once a second"
    if scale == "fixed":
        return f"Level 0 at {rule.get('low')}, 1 at {rule.get('high')}, fixed{gain}."
    ends = f"{rule.get('low_percentile', 10):g}th and {rule.get('high_percentile', 90):g}th percentile"
    if scale == "adaptive":
        goal = percent(rule.get("success_rate") or 0.7)
        within = rule.get("adapt_s", 60)
        return f"Threshold that follows the values within {within} s, so that {goal} of steps are success{gain}."
    if scale == "null":
        by_chance = percent(rule.get("success_rate") or 0.5)
        return f"Level 0 and 1 at the {ends} of the null band, where noise is success in {by_chance} of steps{gain}."
    if int(data.protocol.get("format", 1)) > 1 and rule.get("value", "observed") == "observed" and data.rating is None:
        own = rule.get("threshold", "the own baseline, as far as that lies beyond the null band")
        return f"Level 0 and 1 at the {ends} of noise about the own baseline, success from {own} on{gain}."
    threshold = rule.get("threshold", "the baseline's median")
    return f"Level 0 and 1 at the {ends} of the baseline's values, success from {threshold} on{gain}."


def _modality(data: SessionData, _: Findings) -> str:
    names = {
        "ring": "a ring that fills (visual)",
        "bar": "a bar that rises (visual)",
        "tone": "a tone that follows the level (auditory)",
    }
    if not data.rule:
        return ""
    show = str(data.rule.get("show", "ring"))
    return f"{names.get(show, show).capitalize()}; neutral while there is no trusted value."


def _displayed(data: SessionData, _: Findings) -> str:
    if data.protocol_steps is None:
        return ""
    return (
        "moments.tsv has each second's value, scale, threshold and the level that was shown; recording.xdf has them "
        "as the stream rtaffect-shown."
    )


def _hardware(data: SessionData, _: Findings) -> str:
    eeg = [
        f"{e.get('name')} ({count_of(len(e.get('channels', [])), 'channel')} at {e.get('rate', 0):g} Hz, by "
        f"{'LSL' if e.get('stream') else 'its driver'})"
        for e in data.ran.get("eeg", [])
    ]
    software = f"rtaffect {data.ran.get('rtaffect', '?')}, Python {data.environment.get('python', '?')}"
    system = data.environment.get("platform")
    return "; ".join([*([f"EEG: {', '.join(eeg)}"] if eeg else []), software, *([str(system)] if system else [])]) + "."


def _regulation(_: SessionData, found: Findings) -> str:
    regulation = found.regulation
    message = [f"{c.name} {decimal(c.estimate.difference, 3)} ({_how_sure(c.estimate)})" for c in regulation.contrasts]
    rates = [
        f"{block.name} {percent(block.success_rate)}"
        for block in regulation.blocks
        if block.kind == "feedback" and block.success_rate is not None
    ]
    success = f"Share of seconds that were success: {', '.join(rates)}." if rates else ""
    return " ".join([*([f"{'; '.join(message)} ({regulation.unit})."] if message else []), success]).strip()


def _how_sure(found: Difference) -> str:
    if not found.enough:
        return "too few windows to tell how sure that is"
    return f"95 % interval {decimal(found.low, 3)} to {decimal(found.high, 3)}, {p_is(found.p)}"


def _time_courses(data: SessionData, _: Findings) -> str:
    return "Within the session: the curves and the means by block in this report." if data.course is not None else ""


#: What fills an item, by its number; an empty text where nothing was recorded.
FILL: Final[dict[str, Callable[[SessionData, Findings], str]]] = {
    "2a": _control,
    "2b": _double_blind,
    "2c": _blind_analysis,
    "3b": _strategy,
    "3c": _strategies_used,
    "3d": _processing,
    "3e": _artifact_effects,
    "4a": _feature,
    "4b": _reinforcement,
    "4c": _modality,
    "4d": _displayed,
    "4e": _hardware,
    "5a": _regulation,
    "5b": _time_courses,
}


def checklist(data: SessionData, found: Findings) -> tuple[Answer, ...]:
    """Return every item with what is recorded, what the protocol's ``[study]`` says, and what is left to add."""
    study = _study(data)
    answers = []
    for item in items():
        recorded = FILL[item.number](data, found) if item.number in FILL else ""
        message = "; ".join(study[key] for key in (*item.keys, item.number) if study.get(key))
        state = STUDY if message else BY_HAND if not recorded else PARTLY if item.left else RECORDED
        left = "" if message else item.left
        answers.append(Answer(item.number, item.domain, item.wording, state, recorded, message, left))
    return tuple(answers)


def other_texts(data: SessionData) -> dict[str, str]:
    """Return the texts of ``[study]`` that answer no item."""
    known = {key for item in items() for key in (*item.keys, item.number)}
    return {key: text for key, text in _study(data).items() if key not in known}


def _study(data: SessionData) -> dict[str, str]:
    return {str(key): str(text) for key, text in dict(data.protocol.get("study", {})).items()}


@cache
def items() -> tuple[Item, ...]:
    """Return the checklist's items, from ``cred_nf.toml``."""
    content = tomllib.loads(Path(__file__).with_name("cred_nf.toml").read_text(encoding="utf-8"))
    return tuple(Item(**item) for item in content["item"])
