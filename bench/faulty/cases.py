"""Each fault: what it makes of the script of the second of two headsets. Times are s after the script's zero."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pylsl

from bench.faulty.acts import Act, Scene
from bench.faulty.script import LABELS, RATE, Life, Script, Sent, about, at_rate, brains, clean
from bench.faulty.truth import Truth

#: The session begins about here; a fault begins here, when values have been trusted for a while; and all is over then.
FAULT_S, END_S = 42.0, 90.0
#: Samples are sent so long after they were taken, s.
USUAL_S = 0.01
Spoil = Callable[[Sent], Sent]


@dataclass(frozen=True)
class Case:
    """A fault: its name in words, the script, when it ends (s), and what is said to the session on the command line.

    ``lost_s`` is how much was never sent; a value ``returns`` if the case allows it to. ``acts`` befall the session
    while it runs, ``check`` judges what they left: '' where the values decide, else the outcome. ``truth`` is
    for what needs the sound server and the demo's bundle; ``SOUND`` and ``PREFIX`` in ``options`` are the demo's sound
    and that of the streams' names. ``people`` are the headsets that the session asks for.
    """

    name: str
    script: Callable[[str], Script]
    over_s: float = FAULT_S
    lost_s: float = 0.0
    returns: bool = True
    options: tuple[str, ...] = ()
    acts: tuple[Act, ...] = ()
    check: Callable[[Scene, str], str] = lambda _, __: ""
    truth: Callable[[Scene], Truth] | None = None
    people: tuple[str, ...] = ("A", "B")


def two(prefix: str, spoil: Spoil = lambda sent: sent, rate: float = RATE, declared: float | None = None) -> Script:
    """Return two headsets, A as it should be and B with a fault."""
    first, second = brains(END_S)
    spoilt = spoil(clean(second if rate == RATE else at_rate(second, rate), rate))
    lives = [
        Life("A", about(f"{prefix}A"), 0.0, END_S, clean(first)),
        Life("B", about(f"{prefix}B", rate=rate if declared is None else declared), 0.0, END_S, spoilt),
    ]
    return Script(tuple(lives))


def within(sent: Sent, first: float, last: float) -> np.ndarray:
    """Return which samples were taken in [first, last) s."""
    return (sent.true >= first) & (sent.true < last)


def jump(seconds: float) -> Spoil:
    """The sender's clock is set."""
    return lambda sent: replace(sent, stamps=sent.stamps + np.where(sent.true >= FAULT_S, seconds, 0.0))


def hole(seconds: float, every: float = 0.0) -> Spoil:
    """Samples are never sent."""

    def spoil(sent: Sent) -> Sent:
        since = sent.true - FAULT_S
        inside = since % every < seconds if every else since < seconds
        return sent.where(~((since >= 0) & inside & (since < 20.0)))

    return spoil


def lose(share: float) -> Spoil:
    """Some samples are lost here and there."""

    def spoil(sent: Sent) -> Sent:
        lost = np.random.default_rng(1).random(len(sent.true)) < share
        return sent.where(~(lost & within(sent, FAULT_S, FAULT_S + 20)))

    return spoil


def values(change: Callable[[np.ndarray], object], seconds: float, channel: int | None = None) -> Spoil:
    """What is sent is something else for some seconds, in one channel or all."""

    def spoil(sent: Sent) -> Sent:
        out, inside = sent.values.copy(), within(sent, FAULT_S, FAULT_S + seconds)
        columns = slice(None) if channel is None else slice(channel, channel + 1)
        part = out[inside]
        change(part[:, columns])
        out[inside] = part
        return replace(sent, values=out)

    return spoil


def fill(value: float) -> Callable[[np.ndarray], object]:
    """All values become one."""
    return lambda part: part.fill(value)


def rails(part: np.ndarray) -> None:
    """From rail to rail, 12 times a second."""
    part[:] = np.where(np.arange(len(part)) // 10 % 2 == 0, 187500.0, -187500.0)[:, None]


def spikes(part: np.ndarray) -> None:
    """Every 50th sample is absurd."""
    part[::50] = 1e30


def mains(part: np.ndarray) -> None:
    """A burst of mains of 2 mV."""
    part += 2000.0 * np.sin(2 * np.pi * 50.0 * np.arange(len(part)) / RATE)[:, None]


def stamps(change: Callable[[np.ndarray, np.random.Generator], object], seconds: float = 10.0) -> Spoil:
    """How samples are stamped is something else for some seconds."""

    def spoil(sent: Sent) -> Sent:
        out, inside = sent.stamps.copy(), within(sent, FAULT_S, FAULT_S + seconds)
        part = out[inside]
        change(part, np.random.default_rng(2))
        out[inside] = part
        return replace(sent, stamps=out)

    return spoil


def jumbled(part: np.ndarray, rng: np.random.Generator) -> None:
    """Stamps are shuffled within chunks of 50 samples."""
    for first in range(0, len(part), 50):
        rng.shuffle(part[first : first + 50])


def duplicated(part: np.ndarray, _: np.random.Generator) -> None:
    """Each stamp stands twice."""
    part[1::2] = part[: len(part) // 2 * 2 : 2][: len(part[1::2])]


def constant(part: np.ndarray, _: np.random.Generator) -> None:
    """All stamps are the same."""
    part[:] = part[0]


def as_one(part: np.ndarray, _: np.random.Generator) -> None:
    """Chunks of 25 samples are stamped with the time of their last one."""
    for first in range(0, len(part), 25):
        part[first : first + 25] = part[min(first + 24, len(part) - 1)]


def as_one_late(sent: Sent) -> Sent:
    """Chunks of 25 samples are sent when their last one is taken, stamped with its time."""
    stamped = stamps(as_one, 10.0)(sent)
    whole = np.maximum(stamped.when, stamped.stamps + USUAL_S)
    return replace(stamped, when=np.maximum.accumulate(whole))


def no_number(part: np.ndarray, _: np.random.Generator) -> None:
    """Every other stamp is no number."""
    part[::2] = np.nan


def late(seconds: float, jitter_s: float = 0.0) -> Spoil:
    """Samples arrive late, in order, stamped when taken; or stamped when they arrive, jittered."""

    def spoil(sent: Sent) -> Sent:
        rng = np.random.default_rng(3)
        waits = seconds + jitter_s * rng.random(len(sent.when) // 25 + 1).repeat(25)[: len(sent.when)]
        arrive = np.maximum.accumulate(sent.when + np.where(sent.true >= FAULT_S, waits, 0.0))
        return replace(sent, when=arrive, stamps=arrive - USUAL_S if jitter_s else sent.stamps)

    return spoil


def stopped(seconds: float) -> Spoil:
    """Nothing arrives for a while; then all comes at once, stamped when it was taken."""

    def spoil(sent: Sent) -> Sent:
        held = within(sent, FAULT_S, FAULT_S + seconds)
        return replace(sent, when=np.where(held, FAULT_S + seconds + 0.01, sent.when))

    return spoil


def another_clock(shows: Callable[[], float]) -> Callable[[str], Script]:
    """B's stamps are of another clock from the start, which ``shows`` a time now, s."""

    def script(prefix: str) -> Script:
        # The sender adds when the script begins, on the LSL clock, to all stamps: some seconds from now.
        # Both clocks at once: what is computed meanwhile would displace it.
        ahead = shows() - pylsl.local_clock()
        # Sent when it is taken: what the way takes is not known of another clock.
        return two(prefix, lambda sent: replace(sent, stamps=sent.stamps + ahead, when=sent.true))

    return script


def reopened(
    seconds: float, labels: tuple[str, ...] = LABELS, source_id: str = "", keep: int = 4
) -> Callable[[str], Script]:
    """The outlet of B is closed and comes back, perhaps as something else."""

    def script(prefix: str) -> Script:
        first, second = (clean(each) for each in brains(END_S))
        order = [LABELS.index(label) for label in labels if label in LABELS][:keep]
        order += [0] * (len(labels) - len(order))
        again = replace(second, values=second.values[:, order])
        return Script((
            Life("A", about(f"{prefix}A"), 0.0, END_S, first),
            Life("B", about(f"{prefix}B"), 0.0, FAULT_S, second),
            Life("C", about(f"{prefix}B", source_id or None, labels=labels), FAULT_S + seconds, END_S, again),
        ))  # fmt: skip

    return script


def gone(prefix: str) -> Script:
    """B is closed and never comes back."""
    whole = two(prefix)
    return replace(whole, lives=(whole.lives[0], replace(whole.lives[1], end=FAULT_S)))


def twin_dies(at_start: bool) -> Callable[[str], Script]:
    """Another person's outlet has B's source_id; B dies, the other one goes on."""

    def script(prefix: str) -> Script:
        first, second = (clean(each) for each in brains(END_S))
        stranger = clean(brains(END_S, seed=9)[0])
        begin = 0.0 if at_start else FAULT_S - 4
        return Script((
            Life("A", about(f"{prefix}A"), 0.0, END_S, first),
            Life("B", about(f"{prefix}B"), 0.0, FAULT_S, second),
            Life("T", about(f"{prefix}B"), begin, END_S, stranger),
        ))  # fmt: skip

    return script


def late_joiner(prefix: str) -> Script:
    """A third headset appears in the middle of the session."""
    first, second, third = (clean(each) for each in brains(END_S, people=3))
    return Script((
        Life("A", about(f"{prefix}A"), 0.0, END_S, first),
        Life("B", about(f"{prefix}B"), 0.0, END_S, second),
        Life("C", about(f"{prefix}C"), FAULT_S, END_S, third),
    ))  # fmt: skip


def case(name: str, spoil: Spoil, over_s: float = FAULT_S, lost_s: float = 0.0) -> Case:
    """Return a case in which B's samples are spoilt."""
    return Case(name, lambda prefix: two(prefix, spoil), over_s, lost_s)


def _cases() -> list[Case]:
    f, back = FAULT_S, reopened
    return [
        Case("nothing is wrong", two),
        *[case(f"clock jump of {s:+g} s", jump(s)) for s in (0.08, 0.3, -0.3, 0.4, -0.4, 15.0, -15.0)],
        *[case(f"stamps {name}", stamps(change), f + 10) for name, change in (
            ("jumbled", jumbled), ("twice each", duplicated), ("constant", constant), ("not numbers", no_number))],
        case("chunks stamped as one", as_one_late, f + 10),
        *[case(f"{share:.0%} of samples lost", lose(share), f + 20) for share in (0.01, 0.05)],
        case("holes of 50 ms, one a second", hole(0.05, 1.0), f + 20),
        *[case(f"hole of {s:g} s", hole(s), f + s, s) for s in (0.05, 1.0, 10.0)],
        Case("250 Hz where 125 are declared", lambda p: two(p, declared=125.0), returns=False),
        Case("250 Hz where 500 are declared", lambda p: two(p, declared=500.0), returns=False),
        Case("no rate declared, 251.3 Hz sent", lambda p: two(p, rate=251.3, declared=0.0), options=("--rate", "250")),
        Case("a headset is lost for good", gone, returns=False),
        Case("lost for 5 s, back as it was", back(5.0), f + 5, 5.0),
        Case("back with other channel order", back(5.0, ("Oz", "Pz", "Cz", "Fz")), f + 5, 5.0),
        Case("back with other names", back(5.0, ("T7", "T8", "P7", "P8")), f + 5, 5.0, returns=False),
        Case("back with fewer channels", back(5.0, LABELS[:3]), f + 5, 5.0, returns=False),
        Case("back under another source id", back(5.0, source_id="another"), f + 5, 5.0, returns=False),
        Case("a twin from the start, the right one dies", twin_dies(at_start=True), returns=False),
        Case("a twin comes, then the right one dies", twin_dies(at_start=False), returns=False),
        Case("a headset starts during the session", late_joiner),
        *[case(f"{name}", values(fill(value), s, ch), f + s) for name, value, s, ch in (
            ("zeros for 1 s", 0.0, 1.0, None), ("zeros for 15 s", 0.0, 15.0, None),
            ("1e30 for 15 s, one channel", 1e30, 15.0, 1),
            ("one channel at a rail, 5 s", 187500.0, 5.0, 2), ("not numbers for 5 s", np.nan, 5.0, None),
            ("infinite for 5 s", np.inf, 5.0, None))],
        case("from rail to rail for 3 s", values(rails, 3.0), f + 3),
        case("spikes of 1e30 for 3 s", values(spikes, 3.0), f + 3),
        case("burst of mains for 2 s", values(mains, 2.0), f + 2),
        *[case(f"{s:g} s late (wireless)", late(s), END_S) for s in (0.6, 0.8, 1.0, 2.0)],
        *[case(f"arrival jitters by {s:g} s, stamped on arrival", late(0.0, s), END_S) for s in (0.05, 0.2, 0.8)],
        Case("stamps in Unix time, from the start", another_clock(time.time)),
        Case("stamps from zero, from the start", another_clock(lambda: 0.0)),
        case("silent for 4 s, then all at once", stopped(4.0), f + 4),
    ]  # fmt: skip


CASES: Mapping[str, Case] = {each.name: each for each in _cases()}
