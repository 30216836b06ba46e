"""Every command called wrongly: each option with values of every wrong kind, and each ends in one line or runs."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import click
from click.testing import CliRunner

from rtaffect.cli import COMMANDS, cli
from rtaffect.common.errors import RtaffectError
from tests.fuzz import seeds
from tests.fuzz.workers import _limit, outcome_of, resource

#: A call that takes longer has hung, s: most take some milliseconds, and one of them may wait for streams.
MOST_S = 90.0
_MOST_ADDRESSES = 12_000_000_000
_NUMBERS = ("nan", "inf", "-inf", "-1", "0", "1e12", "1000000000000", "", "x", "9" * 5000, "\u00b2", "1_0", "0x1F")
_TEXTS = ("", "\0", "a\nb", "x" * 5000, "-1", "[bold]", "\udcff", "\u00b2", "../..", "1e12", "nan")


def _files(folder: Path) -> dict[str, str]:
    """Write what wrong names lead to, and return names of every wrong kind of file or folder."""
    (folder / "directory").mkdir()
    (folder / "empty").touch()
    (folder / "noise.bin").write_bytes(bytes(range(256)) * 8)
    (folder / "words.txt").write_text("not what was meant\n")
    (folder / "dangling").symlink_to(folder / "nowhere")
    os.mkfifo(folder / "pipe")
    return {
        "missing": f"{folder}/missing",
        "a folder": f"{folder}/directory",
        "an empty file": f"{folder}/empty",
        "noise": f"{folder}/noise.bin",
        "words": f"{folder}/words.txt",
        "a link to nowhere": f"{folder}/dangling",
        "a pipe": f"{folder}/pipe",
        "a device": "/dev/null",
        "through a file": f"{folder}/empty/inside",
        "no name": "",
        "NUL": f"{folder}/a\0b",
        "too long": f"{folder}/{'n' * 300}",
        "too long a path": f"{folder}/{'n/' * 3000}",
        "not UTF-8": f"{folder}/\udcff",
    }


def _bases(folder: Path) -> dict[str, list[str]]:
    """Return arguments of each command with which it ends soon, whatever a further option says."""
    good = folder / "good"
    for name in ("xdf", "protocol", "allocation", "session", "tables"):
        (good / name).mkdir(parents=True)
        getattr(seeds, name)(good / name)
    recording, missing = str(good / "xdf/recording.xdf"), str(folder / "missing")
    return {
        "demo": ["--headless", "--speed", "7"],
        "live": ["--headless", "--no-outlet", "--wait", "0.05", "--eeg", "name=nobody at all"],
        "replay": [recording, "--headless", "--speed", "max", "--bundle", missing],
        "start": ["--plan", missing],
        "contact": ["--headless", "--seconds", "1", "--wait", "0.05", "--eeg", "name=nobody at all"],
        "protocol check": [str(good / "protocol/protocol.toml")],
        "protocol examples": [],
        "allocate": [str(good / "protocol/protocol.toml"), "--count", "4"],
        "unblind": [str(good / "allocation/sealed.txt")],
        "report": [missing],
        "export-bids": [missing, "--out", str(folder / "dataset")],
        "scrub": [missing],
        "certify": ["--headless", "--capture", "no device of this name", "--out", str(folder / "certificate")],
        "lightcheck": ["--stream", "no stream of this name", "--headless"],
        "soundcheck": ["--headless", "--capture", "no device of this name"],
        "simulate": ["--out", str(folder / "empty")],
        "simulate-headset": ["emotiv", "--seconds", "0.1"],
        "calibrate": [missing, "--out", str(folder / "bundle")],
        "affect": [missing, "--out", str(folder / "affect")],
        "covariates": [missing, "--out", str(folder / "seen.tsv")],
        "export": ["--model", missing, "--layer", "1", "--fidelity", "none", "--out", str(folder / "model.onnx")],
        "featurizers": [],
        "headmodel": ["--montage", missing, "--out", str(folder / "operator.safetensors")],
        "devices": ["--boards"],
        "doctor": ["--nonsense"],
    }


def _commands() -> Iterator[tuple[str, click.Command]]:
    context = click.Context(cli)
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from ((f"{name} {each}", inner) for each, inner in command.commands.items())
        else:
            yield name, command


def wrong_calls(folder: Path) -> Iterator[list[str]]:
    """Yield the arguments of every call, program's name left out."""
    files, bases = _files(folder), _bases(folder)
    for name, command in _commands():
        base = [*name.split(), *bases[name]]
        yield base
        yield [*base, "--no-such-option"]
        for parameter in command.params:
            for value in _wrong_values(parameter, files):
                yield _with(base, parameter, value, len(name.split()))


def _wrong_values(parameter: click.Parameter, files: dict[str, str]) -> tuple[str, ...]:
    if isinstance(parameter, click.Option) and parameter.is_flag:
        return ()
    if isinstance(parameter.type, click.Path):
        return tuple(files.values())
    if isinstance(parameter.type, (click.types.IntParamType, click.types.FloatParamType)):
        return _NUMBERS
    return (*_TEXTS, files["a folder"], files["noise"], files["too long"])


def _with(base: list[str], parameter: click.Parameter, value: str, words: int) -> list[str]:
    """Return a call with the parameter's value replaced, or added."""
    if isinstance(parameter, click.Argument):
        return [*base[:words], value, *base[words + 1 :]]
    option = next(each for each in parameter.opts if each.startswith("--"))
    if option in base:
        at = base.index(option)
        base = [*base[:at], *base[at + 2 :]]
    return [*base, option, value]


def call(arguments: list[str]) -> tuple[str, str]:
    """Call a command in this process; return how it ends, in the words of :data:`tests.fuzz.workers.OUTCOMES`."""

    def run(_: Path) -> None:
        result = CliRunner().invoke(cli, arguments)
        error = result.exception
        if error is None or isinstance(error, SystemExit):
            if result.exit_code not in (0, 1, 2):
                raise RuntimeError(f"exit status {result.exit_code}")
            if result.exit_code == 2:
                raise RtaffectError("refused by click")
            return
        raise error

    return outcome_of(run, Path())


def _in_child(arguments: list[str]) -> tuple[str, str]:
    """Call a command in a forked child with limits."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.close(reader)
        _limit(resource.RLIMIT_AS, _MOST_ADDRESSES)
        nothing = os.open(os.devnull, os.O_RDWR)
        for each in (0, 1, 2):
            os.dup2(nothing, each)
        outcome, detail = call(arguments)
        os.write(writer, f"{outcome}\t{detail}".encode(errors="replace")[:4000])
        os._exit(0)
    os.close(writer)
    end = time.monotonic() + MOST_S
    while not os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT):
        if time.monotonic() > end:
            os.kill(child, signal.SIGKILL)
        time.sleep(0.002)
    _, status = os.waitpid(child, 0)
    with os.fdopen(reader, "rb") as said:
        text = said.read().decode()
    if os.WIFSIGNALED(status):
        by = signal.Signals(os.WTERMSIG(status)).name
        return ("HANG" if by == "SIGKILL" else "CRASH"), f"ended by {by}"
    outcome, _, detail = text.partition("\t")
    return outcome, detail


def run_calls(out: Path | None = None, every: int = 1) -> int:
    """Make the calls (of ``every`` so many one) and print how they ended; return 1 if one ended in a bad way."""
    counts: dict[str, Counter[str]] = {}
    bad = 0
    with tempfile.TemporaryDirectory(prefix="calls-") as scratch:
        os.environ["RTAFFECT_CONFIG"] = scratch
        # Without a screen no window opens, which would wait for a person.
        for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
            os.environ.pop(name, None)
        home = os.getcwd()
        calls = list(wrong_calls(Path(scratch)))
        (Path(scratch) / "here").mkdir()
        os.chdir(Path(scratch) / "here")
        there = set(_inside(Path(scratch)))
        try:
            for arguments in itertools.islice(calls, 0, None, every):
                outcome, detail = _in_child(arguments)
                _remove(set(_inside(Path(scratch))) - there)
                counts.setdefault(arguments[0], Counter())[outcome] += 1
                if outcome not in ("ok", "refused"):
                    bad += 1
                    shown = " ".join(repr(each[:60]) for each in arguments)
                    print(f"{outcome}: {shown}: {detail}", flush=True)
        finally:
            os.chdir(home)
    table = "\n".join(_table(counts))
    print(table)
    if out is not None:
        out.write_text(table + "\n", encoding="utf-8")
    return int(bad > 0)


def _inside(folder: Path) -> Iterator[Path]:
    """Yield what is in a folder, and in its folders."""
    for path in folder.iterdir():
        yield path
        if path.is_dir() and not path.is_symlink():
            yield from path.iterdir()


def _remove(paths: Iterable[Path]) -> None:
    """Remove what a call wrote: what is said to be missing must not be there for the next one."""
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _table(counts: dict[str, Counter[str]]) -> list[str]:
    kinds = ("ok", "refused", "TRACEBACK", "WORDY", "HANG", "MEMORY", "CRASH")
    lines = [f"| command | calls | {' | '.join(kinds)} |", "|---|" + "---:|" * (len(kinds) + 1)]
    total: Counter[str] = sum(counts.values(), Counter())
    for name, of in [*counts.items(), ("**all**", total)]:
        lines.append(f"| {name} | {of.total()} | {' | '.join(str(of[kind]) for kind in kinds)} |")
    return lines
