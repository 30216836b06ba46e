"""What a session recorded, in words, for those items of the CRED-nf checklist that it can answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from calibration.finished.report.data import SessionData
from calibration.report.html import count_of, decimal, p_is, percent

Numbers = dict[str, Any]
Fill = Callable[[SessionData, Numbers], str]

#: What fills an item, by its number; an empty text where nothing was recorded.
FILL: Final[dict[str, Fill]] = {}


def _fills(number: str) -> Callable[[Fill], Fill]:
    def keep(function: Fill) -> Fill:
        FILL[number] = function
        return function

    return keep


@_fills("2a")
def _control(data: SessionData, _: Numbers) -> str:
    arms = [f"{arm.get('name')} ({arm.get('feedback')})" for arm in data.protocol.get("arm", [])]
    kinds = sorted({run.kind for run in data.blocks})
    if not arms and not kinds:
        return ""
    message = f"Arms of the protocol: {', '.join(arms)}. " if arms else "The protocol has no arms. "
    return message + f"Conditions within the session: {', '.join(kinds)}." if kinds else message


@_fills("2b")
def _double_blind(data: SessionData, _: Numbers) -> str:
    if not data.sealed:
        return ""
    sha256 = str(data.ran.get("allocation_sha256", ""))
    return (
        f"The arm was in a sealed allocation{f' (SHA-256 {sha256[:12]})' if sha256 else ''}; timing and looks are the "
        "same in all arms, and the session's files do not name the arm."
    )


@_fills("2c")
def _blind_analysis(data: SessionData, numbers: Numbers) -> str:
    if not data.sealed:
        return ""
    return (
        "This report was made with the opened allocation."
        if numbers.get("arm")
        else "This report was made without opening the allocation."
    )


@_fills("3b")
def _strategy(data: SessionData, _: Numbers) -> str:
    message = [
        f"{block.get('name')}: \N{LEFT DOUBLE QUOTATION MARK}{block['instruction']}\N{RIGHT DOUBLE QUOTATION MARK}"
        for block in data.protocol.get("block", [])
        if block.get("kind") in ("feedback", "transfer") and block.get("instruction")
    ]
    return f"Instructions on the screen. {' '.join(message)}" if message else ""


@_fills("3c")
def _strategies_used(data: SessionData, _: Numbers) -> str:
    message = [event.get("name", "") for event in data.events if event.get("trial_type") == "note"]
    notes = [name for name in message if not name.startswith("session/")]
    return f"Notes of the session: {'; '.join(notes)}." if notes else ""


@_fills("3d")
def _processing(data: SessionData, _: Numbers) -> str:
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


@_fills("3e")
def _artifact_effects(_: SessionData, numbers: Numbers) -> str:
    kinds = numbers["quality"].get("kinds", [])
    message = [f"{each['kind']} {percent(each['trusted'])}" for each in kinds if each["trusted"] is not None]
    return f"Share of seconds with a trusted value, by condition: {', '.join(message)}." if message else ""


@_fills("4a")
def _feature(data: SessionData, numbers: Numbers) -> str:
    synchrony = data.ran.get("settings", {}).get("synchrony", {})
    if not synchrony:
        return ""
    bundle = f" Bundle {data.ran['bundle']}, featurizer {data.ran.get('featurizer')}." if data.ran.get("bundle") else ""
    against = "the stored mean of a reference group, or the other people of the session"
    return (
        f"Value of the rule: {numbers['regulation']['value']}. Observed synchrony: correlation of the "
        f"{synchrony.get('signal', 'broadband')} signal with {against}, in windows of {data.window_s} s that move "
        f"on by 1 s. Predicted synchrony: ridge regression from the sound's features.{bundle}"
    )


@_fills("4b")
def _reinforcement(data: SessionData, _: Numbers) -> str:
    rule = data.rule
    if not rule:
        return ""
    scale = rule.get("scale", "baseline")
    gain = f"; gain {rule.get('gain', 1.0):g}; continuous, once a second"
    if scale == "fixed":
        return f"Level 0 at {rule.get('low')}, 1 at {rule.get('high')}, fixed{gain}."
    ends = f"{rule.get('low_percentile', 10):g}th and {rule.get('high_percentile', 90):g}th percentile"
    if scale == "adaptive":
        goal = percent(rule.get("success_rate", 0.7))
        within = rule.get("adapt_s", 60)
        return f"Threshold that follows the values within {within} s, so that {goal} of steps are success{gain}."
    threshold = rule.get("threshold", "the baseline's median")
    return f"Level 0 and 1 at the {ends} of the baseline's values, success from {threshold} on{gain}."


@_fills("4c")
def _modality(data: SessionData, _: Numbers) -> str:
    names = {
        "ring": "a ring that fills (visual)",
        "bar": "a bar that rises (visual)",
        "tone": "a tone that follows the level (auditory)",
    }
    if not data.rule:
        return ""
    show = str(data.rule.get("show", "ring"))
    return f"{names.get(show, show).capitalize()}; neutral while there is no trusted value."


@_fills("4d")
def _displayed(data: SessionData, _: Numbers) -> str:
    if data.protocol_steps is None:
        return ""
    return (
        "moments.tsv has each second's value, scale, threshold and the level that was shown; recording.xdf has them "
        "as the stream rtaffect-shown."
    )


@_fills("4e")
def _hardware(data: SessionData, _: Numbers) -> str:
    eeg = [
        f"{e.get('name')} ({count_of(len(e.get('channels', [])), 'channel')} at {e.get('rate', 0):g} Hz, by "
        f"{'LSL' if e.get('stream') else 'its driver'})"
        for e in data.ran.get("eeg", [])
    ]
    software = f"rtaffect {data.ran.get('rtaffect', '?')}, Python {data.environment.get('python', '?')}"
    system = data.environment.get("platform")
    return "; ".join([*([f"EEG: {', '.join(eeg)}"] if eeg else []), software, *([str(system)] if system else [])]) + "."


@_fills("5a")
def _regulation(_: SessionData, numbers: Numbers) -> str:
    found = numbers["regulation"]
    message = [f"{c['name']} {decimal(c['difference'], 3)} ({_how_sure(c)})" for c in found["contrasts"]]
    rates = [
        f"{block['name']} {percent(block['success_rate'])}"
        for block in found["blocks"]
        if block["kind"] == "feedback" and block["success_rate"] is not None
    ]
    if not message and not rates:
        return ""
    success = f"Share of seconds that were success: {', '.join(rates)}." if rates else ""
    return " ".join([*([f"{'; '.join(message)} ({found['unit']})."] if message else []), success]).strip()


def _how_sure(contrast: Numbers) -> str:
    if not contrast["enough"]:
        return "too few windows to tell how sure that is"
    return f"95 % interval {decimal(contrast['low'], 3)} to {decimal(contrast['high'], 3)}, {p_is(contrast['p'])}"


@_fills("5b")
def _time_courses(data: SessionData, _: Numbers) -> str:
    return "Within the session: the curves and the means by block in this report." if data.course is not None else ""
