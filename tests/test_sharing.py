"""Which process runs which file."""

from __future__ import annotations

import os
from itertools import chain
from types import SimpleNamespace

import pytest
from xdist.remote import Producer

from tests.support.sharing import FEWEST, NICENESS, Sharing, waits

FILES = ("tests/a.py", "tests/waits.py", "tests/b.py", "tests/waits_too.py", "tests/c.py", "tests/d.py")
WAITING = ("tests/waits.py", "tests/waits_too.py")


class Process:
    """A process of pytest-xdist that does at once what it is given."""

    def __init__(self, number: int) -> None:
        self.gateway, self.given, self.shutting_down = SimpleNamespace(id=f"gw{number}"), [], False

    def send_runtest_some(self, indices: list[int]) -> None:
        self.given += indices

    def shutdown(self) -> None:
        self.shutting_down = True


def shared(count: int, tests: int = 4) -> list[list[str]]:
    """Return what each of ``count`` processes ran, in order; each does a test in turn."""
    config = SimpleNamespace(getvalue=lambda _: [f"{count}*popen"], option=SimpleNamespace(loadscopereorder=False))
    sharing = Sharing(config, Producer("quiet", enabled=False), WAITING)
    names = [f"{file}::test_{number}" for file in FILES for number in range(tests)]
    processes = [Process(number) for number in range(count)]
    for process in processes:
        sharing.add_node(process)
        sharing.add_node_collection(process, names)
    sharing.schedule()
    done = [0] * count
    while any(len(p.given) > n for p, n in zip(processes, done, strict=True)):
        for at, process in enumerate(processes):
            if len(process.given) > done[at]:
                sharing.mark_test_complete(process, process.given[done[at]])
                done[at] += 1
    assert sharing.tests_finished
    return [list(dict.fromkeys(names[index].split("::")[0] for index in process.given)) for process in processes]


def test_the_last_of_three_waits_and_the_others_compute():
    first, second, third = shared(3)
    assert third[:2] == list(WAITING)
    assert first[0] == "tests/a.py"
    assert second[0] == "tests/b.py"
    assert sorted([*first, *second, *third]) == sorted(FILES)


def test_who_has_none_of_its_own_takes_the_last_of_the_others(monkeypatch):
    monkeypatch.setattr("tests.test_sharing.WAITING", ("tests/waits.py",))
    assert shared(3)[2][:2] == ["tests/waits.py", "tests/d.py"]
    monkeypatch.setattr("tests.test_sharing.WAITING", FILES[1:])
    first, second, third = shared(3)
    assert first == ["tests/a.py", *first[1:]]
    assert second[0] == "tests/d.py"
    assert third[0] == "tests/waits.py"


@pytest.mark.parametrize("count", [1, 2])
def test_fewer_processes_take_what_comes_next(count):
    found = shared(count)
    assert sorted(chain(*found)) == sorted(FILES)
    assert [files[0] for files in found] == list(FILES[:count])


def test_one_of_three_or_more_waits():
    assert [waits(f"gw{number}", 3) for number in range(3)] == [False, False, True]
    assert not waits("gw1", 2)
    assert not waits("gw3", 3), "it was started in place of one that ended"


@pytest.mark.skipif("PYTEST_XDIST_WORKER" not in os.environ, reason="in one process nothing is shared")
def test_processes_share_the_cores():
    assert {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"} <= os.environ.keys()
    worker, count = os.environ["PYTEST_XDIST_WORKER"], int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
    if count >= FEWEST and hasattr(os, "nice") and not waits(worker, count):
        assert os.nice(0) >= NICENESS
