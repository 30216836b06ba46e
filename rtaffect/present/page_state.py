"""What the page to watch is told of a step, as JSON has it: what is trusted, and why the rest is withheld. No Qt.

Unlike the operator's curves it has no value of a row that is not trusted: who watches from elsewhere has nobody to ask.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rtaffect.affect.values import AffectValues
from rtaffect.common.arrays import FloatArray
from rtaffect.common.errors import at_terminal
from rtaffect.common.text import clean
from rtaffect.engine.feedback import MEAN_ROW, Feedback
from rtaffect.present.protocol_state import ProtocolState, describe_protocol
from rtaffect.present.sections import list_lines, resolved, row_title
from rtaffect.present.session_state import Level, describe_source, describe_step, headline_of_step
from rtaffect.present.time_courses import QUANTITIES
from rtaffect.protocol.rule import rows_that_count, synchrony_of

#: Below this share of the window a channel is named as poor, as in the operator's window.
POOR_BELOW: Final = 0.5
#: Letters of a text, and entries of a list, at most.
_MOST_TEXT, _MOST_NAMED = 400, 12
_LEVELS: Final[dict[str, Level]] = {"running": "good", "waiting for data": "idle"}


def rows_told(f: Feedback) -> dict[str, Any]:
    """Return what the rows are: the same in all steps of a session."""
    apart, rating = resolved(f), f.rating
    scales = [] if rating is None else [rating.of(row) for row in f.rows]
    return {
        "rows": [
            {"title": clean(row_title(f, i), 80), "kind": kind, "apart": bool(apart[i])}
            for i, kind in enumerate(f.row_kinds)
        ],
        "order": [line for line in list_lines(f.row_kinds) if isinstance(line, int)],
        "mean": "" if rating is not None else clean(f"Mean over {f.mean_of}", 80),
        "scales": [[scale.low, scale.high] for scale in scales],
    }


def step_told(f: Feedback) -> dict[str, Any]:
    """Return the values of a step: by quantity, one for each row, and those of the mean; null where withheld."""
    values = {name: _numbers(np.where(f.trusted, getattr(f, name), np.nan)) for name in QUANTITIES}
    return {"step": f.step, "time": f.time, "mean": None if f.rating is not None else _mean(f), **values}


def _mean(f: Feedback) -> dict[str, float | None]:
    """Return the mean over the rows that count and are trusted, with band and interval where these are of the same."""
    counted = rows_that_count(f, (MEAN_ROW,))
    observed, predicted = synchrony_of(f, (MEAN_ROW,))
    told = {"predicted": predicted, "observed": observed}
    # The engine's mean is over all that have a value, and its null band and interval with it.
    if math.isfinite(observed) and not (counted & ~f.trusted & np.isfinite(f.observed)).any():
        told |= {"null_low": f.null_mean_low, "null_high": f.null_mean_high}
    if not (counted & ~f.trusted & np.isfinite(f.predicted)).any():
        told |= {"predicted_low": f.predicted_mean_low, "predicted_high": f.predicted_mean_high}
    return {name: _number(told.get(name, math.nan)) for name in QUANTITIES}


def now_told(f: Feedback, trouble: Iterable[str] = ()) -> dict[str, Any]:
    """Return all else of the newest step: its state, trust with its reasons, quality, and what is connected.

    ``trouble`` is what is wrong outside the step, in words.
    """
    word, words = headline_of_step(f)
    apart = resolved(f)
    return {
        "step": f.step,
        "headline": [word, _LEVELS.get(word, "bad"), _text(words)],
        "against": _text(describe_step(f).partition("\N{MIDDLE DOT}")[2].strip()),
        "trusted": [int(f.trusted.sum()), int(apart.sum()), len(f.rows)],
        "why": [_text(part) for part in f.reason.split("; ") if part][:_MOST_NAMED],
        "withheld": [i for i, row in enumerate(f.trusted) if not row],
        "quality": [_quality(f, p) for p in range(len(f.people))],
        "sources": [_source(f, i) for i in range(len(f.sources))],
        "affect": [_affect(each) for each in f.affect],
        "trouble": [_text(each) for each in trouble if each][:_MOST_NAMED],
    }


def block_told(state: ProtocolState) -> dict[str, Any]:
    """Return where the protocol is; what the participant is shown, and reads, is not told."""
    text = describe_protocol(state, 0.0)
    return {
        "block": _text(text.block),
        "phase": state.phase,
        "left_s": _number(state.left_s),
        "next": _text(text.next),
        "step": state.step,
    }


def _quality(f: Feedback, person: int) -> dict[str, Any]:
    values = f.quality[person]
    poor = [clean(name, 40) for name, value in zip(f.channels, values, strict=True) if value < POOR_BELOW]
    return {
        "name": clean(f.people[person], 80),
        "mean": _number(float(values.mean()) if values.size else math.nan),
        "poor": poor[:_MOST_NAMED],
        "poor_count": len(poor),
        "channels": _numbers(values, 2),
    }


def _source(f: Feedback, number: int) -> dict[str, Any]:
    source = f.sources[number]
    text = describe_source(source, 0.0)
    return {
        "name": clean(source.name, 80),
        "kind": source.kind,
        "state": text.state,
        "level": text.level,
        "age_s": _number(source.age_s),
        "words": _text(text.message),
    }


def _affect(values: AffectValues) -> dict[str, Any]:
    all_of = {"EEG and sound": values.both, "EEG": values.eeg, "sound": values.sound}
    found = next(((what, each) for what, each in all_of.items() if each.there), None)
    told = {"name": clean(values.person, 80) or "sound"}
    if found is None:
        return told | {"why": _text(next((e.reason for e in all_of.values() if e.reason), "no value yet"))}
    return told | {
        "valence": _number(found[1].valence),
        "arousal": _number(found[1].arousal),
        "of": found[0],
        "why": "",
    }


def _text(words: str) -> str:
    return clean(at_terminal(words), _MOST_TEXT)


def _number(value: float, places: int = 4) -> float | None:
    return round(float(value), places) if math.isfinite(value) else None


def _numbers(values: FloatArray | NDArray[np.floating], places: int = 4) -> Sequence[float | None]:
    rounded = np.round(np.asarray(values, np.float64), places).tolist()
    return [value if math.isfinite(value) else None for value in rounded]
