"""Many outages, drawn by a seed, of headsets that send over real LSL outlets: each is told, and nothing stale is shown.

Whole ``live`` sessions of many people who share most of their EEG, so that a person's value rests on the right samples
exactly if it is near .97. Of each headset either samples are never sent, or its outlet is closed and comes back, for
.05 to 10 s (spread evenly over the logarithm), about every 25 s.

``python -m bench.outages`` runs four sessions of eleven headsets at a time, ten minutes long: about a thousand outages.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench import machine
from bench.faults import session_with, with_a_sender
from bench.faulty.acts import Scene, recorded
from bench.faulty.cases import Case
from bench.faulty.script import Life, Script, Sent, about, brains, clean
from rtaffect.plan.session_folder import open_session

#: Outages last so long, s, and begin so far apart; the first comes when values have been there for a while.
SHORTEST_S, LONGEST_S, EVERY_S, FIRST_S = 0.05, 10.0, 25.0, 30.0
#: A person's value against ten others rests on the right samples if it is above this.
RIGHT = 0.9
#: An outage is told by an event this near to it, s.
NEAR_S = 2.5
#: What is told of how much was lost: names, and percentiles.
AT = (("median", 50), ("90 %", 90), ("99 %", 99), ("at most", 100))


@dataclass(frozen=True)
class Outage:
    """Of headset ``who`` from ``begin`` to ``end``, s after the script's zero; its outlet is ``closed`` meanwhile."""

    who: str
    begin: float
    end: float
    closed: bool


@dataclass(frozen=True)
class Found:
    """What became of a session: outages not told, ``wrong`` values of people, whether the outlet
    was closed and what the outage lost beyond it, s."""

    outages: int
    untold: list[Outage]
    wrong: int
    lost_s: list[tuple[bool, float]]


def drawn(who: str, seconds: float, seed: int) -> list[Outage]:
    """Return a headset's outages."""
    rng, found, at = np.random.default_rng(seed), [], FIRST_S
    while True:
        begin = at + rng.uniform(0, EVERY_S - LONGEST_S - 3)
        end = begin + math.exp(rng.uniform(math.log(SHORTEST_S), math.log(LONGEST_S)))
        if end > seconds - 15:
            return found
        found.append(Outage(who, begin, end, bool(rng.random() < 0.5)))
        at += EVERY_S


def lives(prefix: str, sent: Sent, outages: Sequence[Outage], until: float) -> list[Life]:
    """Return the outlets of a headset with its outages."""
    who = outages[0].who
    for outage in outages:
        sent = sent.where(~((sent.true >= outage.begin) & (sent.true < outage.end)))
    closed = [outage for outage in outages if outage.closed]
    begins, ends = [0.0, *(o.end for o in closed)], [*(o.begin for o in closed), until]
    declared = about(f"{prefix}{who}")
    return [Life(f"{who}{n}", declared, b, e, sent) for n, (b, e) in enumerate(zip(begins, ends, strict=True))]


def script_of(prefix: str, people: Sequence[str], seconds: float, seed: int) -> tuple[Script, list[Outage]]:
    """Return the script of a session, and its outages."""
    every, made = [], []
    for number, eeg in enumerate(brains(seconds, seed=seed, people=len(people))):
        outages = drawn(people[number], seconds, 1000 * seed + number)
        made += lives(prefix, clean(eeg), outages, seconds)
        every += outages
    return Script(tuple(made)), every


def ran(people: Sequence[str], seconds: float, seed: int, folder: Path) -> Found:
    """Run one session and return what became of its outages."""
    kept: list[tuple[str, Script, list[Outage]]] = []

    def script(prefix: str) -> Script:
        made, outages = script_of(prefix, people, seconds, seed)
        kept.append((prefix, made, outages))
        return made

    scene, terminal = session_with(Case("outages", script, people=tuple(people)), folder, seconds)
    (folder / "terminal.txt").write_text(terminal, encoding="utf-8")
    _require_an_end(scene, terminal)
    prefix, made, outages = kept[0]
    session = open_session(scene.out)
    events = [
        (float(e["lsl_time"]) - scene.zero, e["name"]) for e in session.table("events.tsv")
        if e["trial_type"] in {"gap", "lost", "back"}
    ]  # fmt: skip
    first, last = (float(session.table("feedback.tsv")[place]["lsl_time"]) - scene.zero for place in (0, -1))
    outages = [o for o in outages if first < o.begin and o.end < last - 5]
    untold = [o for o in outages if not _told(o, prefix, events)]
    values = [float(line["observed"]) for line in session.table("people.tsv") if line["observed"] != "n/a"]
    lost = [each for who in people for each in _lost(who, scene, prefix, made, outages)]
    return Found(len(outages), untold, sum(value < RIGHT for value in values), lost)


def _require_an_end(scene: Scene, terminal: str) -> None:
    if "Traceback" in terminal or scene.process.returncode:
        status = scene.process.returncode
        raise SystemExit(f"the session in {scene.folder} ended with status {status}:\n{terminal[-2000:]}")


def _lost(who: str, scene: Scene, prefix: str, made: Script, outages: Sequence[Outage]) -> Iterator[tuple[bool, float]]:
    """Yield how much of what a headset sent around each of its outages is not in the recording, s."""
    stamps = np.sort(recorded(scene.out, scene.zero, f"{prefix}{who}"))
    sent = np.sort(np.concatenate([
        life.sent.stamps[(life.sent.when >= life.begin) & (life.sent.when < life.end)]
        for life in made.lives if life.key.rstrip("0123456789") == who
    ]))  # fmt: skip
    for outage in (o for o in outages if o.who == who):
        around = sent[(sent > outage.begin - 1) & (sent < outage.end + 5)]
        near = stamps[np.clip(np.searchsorted(stamps, around - 0.001), 0, len(stamps) - 1)]
        yield outage.closed, float((np.abs(near - around) >= 0.002).sum() / 250.0)


def _told(outage: Outage, prefix: str, events: Sequence[tuple[float, str]]) -> bool:
    name = f"{prefix}{outage.who}"
    return any(name in words and outage.begin - NEAR_S < at < outage.end + NEAR_S for at, words in events)


def figures_of(found: Sequence[Found]) -> dict[str, float]:
    """Return what is told of all sessions, by its name."""
    lost = {closed: np.array([s for f in found for was, s in f.lost_s if was is closed]) for closed in (False, True)}
    figures = {
        "outages": sum(f.outages for f in found),
        "not told": sum(len(f.untold) for f in found),
        "values that are not right": sum(f.wrong for f in found),
    }
    for closed, each in lost.items():
        what = "the outlet was closed" if closed else "nothing came"
        figures |= {f"{what}, lost beyond it, {name}, s": round(float(np.percentile(each, at)), 3) for name, at in AT}
    return figures


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the sessions, print one line of figures, and return 1 if an outage was not told or a value was wrong."""
    parser = argparse.ArgumentParser(prog="python -m bench.outages", description=__doc__.split("\n")[0])
    parser.add_argument("--sessions", type=int, default=4, help="at a time")
    parser.add_argument("--people", type=int, default=11)
    parser.add_argument("--seconds", type=float, default=640.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="one session of two people: does it run?")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the sessions there")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    asked = parser.parse_args(arguments)
    if asked.quick:
        asked.sessions, asked.people, asked.seconds = 1, 2, 75.0
    people = [chr(ord("A") + n) for n in range(asked.people)]
    with tempfile.TemporaryDirectory(prefix="rtaffect-outages-") as place, ThreadPoolExecutor(asked.sessions) as pool:
        folders = [(asked.keep or Path(place)) / str(n) for n in range(asked.sessions)]
        found = list(pool.map(
            lambda n: with_a_sender(lambda place: ran(people, asked.seconds, asked.seed + n, place), folders[n]),
            range(asked.sessions)
        ))  # fmt: skip
    untold, figures = [o for f in found for o in f.untold], figures_of(found)
    about_machine = machine()
    print(f"outages: {about_machine['processor']}, {about_machine['cores']} cores, {about_machine['system']}")
    print(*(f"{what}: {value}" for what, value in figures.items()), sep="\n")
    for outage in untold[:20]:
        print(f"not told: {outage}")
    if asked.json:
        asked.json.write_text(json.dumps({"bench": "outages", "machine": about_machine, **figures}, indent=2) + "\n")
    return int(bool(untold) or figures["values that are not right"] > 0)


if __name__ == "__main__":
    sys.exit(main())
