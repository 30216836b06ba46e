"""A page to watch, fed with made-up steps: for its tests and its pictures."""

from __future__ import annotations

import time
from collections.abc import Iterable

from rtaffect.engine.feedback import Feedback
from rtaffect.outputs.page_feed import PageFeed
from rtaffect.present.page_state import block_told, now_told, rows_told, step_told
from rtaffect.present.protocol_state import for_operator
from tests.support.fake_feedback import fake_protocol_step

ABOUT = {
    "session": "made-up", "title": "a story, told twice", "participant": "P07", "banner": "", "mode": "live",
    "window_s": 10, "stale_s": 3.1, "protocol": True,
}  # fmt: skip


def tell(
    feed: PageFeed, steps: Iterable[Feedback], *, age_s: float = 0.2, trouble: tuple[str, ...] = (), **about: object
) -> None:
    """Put into a feed what a session of these steps would."""
    feed.put("about", ABOUT | about)
    last = None
    for last in steps:
        if last.step == 1:
            feed.put("rows", rows_told(last))
        feed.put("step", step_told(last), keep=True)
    if last is not None:
        feed.put("block", block_told(for_operator(fake_protocol_step(last.step))))
        agreement = "r = 0.46 over 280 steps, by chance \N{MINUS SIGN}0.21 to 0.24"
        made = {"agreement": agreement, "dropped": 0, "age_s": age_s, "made": time.monotonic()}
        feed.put("now", now_told(last, trouble) | made)
