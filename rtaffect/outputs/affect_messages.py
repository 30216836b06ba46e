"""What OSC says of valence and arousal at a step: who has them, from what, and why not.

As for synchrony, what is not to be relied on has no message of its value. The address space is in docs/remote.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import chain
from typing import Final

from rtaffect.affect.values import SOURCES, AffectEstimate
from rtaffect.engine.feedback import Feedback
from rtaffect.outputs.affect_outlet import QUANTITIES
from rtaffect.outputs.osc_messages import MOST_TEXT, ROOT, Message, safe_names

AFFECT: Final = f"{ROOT}/affect"


def affect_messages(f: Feedback) -> list[Message]:
    """Return what is said of a step's affect, by person and source; nothing in a session without it.

    Of each there is first whether it is trusted (1 or 0), then its values, or why there are none. A step that is late
    has none. Novelty is no value of affect, and comes wherever it is known.
    """
    late = next((doubt.words for doubt in f.doubts if doubt.reason == "late"), "")
    people = safe_names(values.person for values in f.affect)
    found: list[Message] = []
    for person, values in zip(people, f.affect, strict=True):
        for source in SOURCES:
            found += _of_source(f"{source}/{person}", values.estimate(source), late)
        if values.nearest and not late:
            pairs = ((sound.name[:MOST_TEXT], float(sound.similarity)) for sound in values.nearest)
            found.append(Message(f"{AFFECT}/nearest/{person}", tuple(chain.from_iterable(pairs))))
    return found


def _of_source(whose: str, estimate: AffectEstimate, late: str) -> Iterator[Message]:
    trusted = estimate.there and not late
    yield Message(f"{AFFECT}/trusted/{whose}", (int(trusted),))
    if not trusted:
        yield Message(f"{AFFECT}/reason/{whose}", ((late or estimate.reason)[:MOST_TEXT],))
    for quantity in QUANTITIES:
        value = float(getattr(estimate, quantity))
        if math.isfinite(value) and (trusted or quantity == "novelty"):
            yield Message(f"{AFFECT}/{quantity}/{whose}", (value,))
