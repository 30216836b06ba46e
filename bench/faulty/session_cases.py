"""Faults of the session itself: signals, sleep, its folder and its disk."""

from __future__ import annotations

from collections.abc import Mapping

from bench.faulty.acts import Act, all_kept, asleep, full, in_order, moved, removed, sent, whole_after_kill
from bench.faulty.cases import FAULT_S, Case, two


def _cases() -> list[Case]:
    f = FAULT_S
    return [
        Case("SIGTERM", two, acts=(Act(f, sent("SIGTERM")),), check=in_order),
        Case("SIGHUP", two, acts=(Act(f, sent("SIGHUP")),), check=in_order),
        Case("kill -9", two, acts=(Act(f, sent("SIGKILL")),), check=whole_after_kill),
        Case("a hiccup of 5 s", two, f + 5, acts=(Act(f, asleep(5.0)),)),
        Case("a hiccup of 20 s", two, f + 20, acts=(Act(f, asleep(20.0)),)),
        Case("the session's folder is removed", two, acts=(Act(f, removed),), check=all_kept),
        Case("the session's folder is moved", two, acts=(Act(f, moved),), check=all_kept),
        Case("no room on the disk for 10 s", two, acts=(Act(f, full(10.0)),), check=all_kept),
    ]


SESSION_CASES: Mapping[str, Case] = {each.name: each for each in _cases()}
