"""``python -m tests.fuzz``: damages good files and calls commands wrongly, and prints how that ends."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.fuzz.workers import OUTCOMES, Found, Runner


def main() -> int:
    """Run what is asked for; return 1 if a case ended in a bad way."""
    options = _options()
    if options.calls:
        from tests.fuzz.calls import run_calls

        return run_calls(options.out, options.every)
    from tests.fuzz.parsers import PARSERS

    names = options.parser or list(PARSERS)
    if unknown := [name for name in names if name not in PARSERS]:
        sys.exit(f"there is no parser {unknown[0]}; expected {', '.join(PARSERS)}")
    results: dict[str, tuple[Found, float]] = {}
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir=options.scratch) as scratch:
        for name in names:
            begin = time.monotonic()
            runner = Runner(PARSERS[name], options.seed, Path(scratch))
            if options.replay is not None:
                print(f"{runner.keep(options.replay, options.keep)}: read it with tests.fuzz.parsers.PARSERS['{name}']")
                return 0
            count = -(-options.cases // len(names))
            found = runner.run(range(options.first, options.first + count), options.jobs, _tell)
            results[name] = found, time.monotonic() - begin
            _show_bad(runner, found, options.keep)
            print(_row(name, found), flush=True)
    table = "\n".join(table_of(results, options.seed))
    print(table)
    if options.out is not None:
        options.out.write_text(table + "\n", encoding="utf-8")
    return int(any(found.bad for found, _ in results.values()))


def table_of(results: dict[str, tuple[Found, float]], seed: int) -> list[str]:
    """Return the table of parsers x outcomes, in Markdown."""
    lines = [f"| parser (seed {seed}) | cases | {' | '.join(OUTCOMES)} |", "|---|" + "---:|" * (len(OUTCOMES) + 1)]
    total = Found()
    for name, (found, _) in results.items():
        total.counts += found.counts
        lines.append(_row(name, found))
    return [*lines, _row("**all**", total)]


def _row(name: str, found: Found) -> str:
    return f"| {name} | {found.counts.total()} | {' | '.join(str(found.counts[each]) for each in OUTCOMES)} |"


def _tell(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r{text:<60}", end="", file=sys.stderr, flush=True)


def _show_bad(runner: Runner, found: Found, keep: Path) -> None:
    """Print each bad kind with its first case, whose files are kept."""
    for (outcome, detail), numbers in sorted(found.bad.items(), key=lambda each: -len(each[1])):
        kept = runner.keep(numbers[0], keep)
        print(
            f"{outcome} {runner.parser.name} ({len(numbers)} cases): {detail}; the first is kept in {kept}", flush=True
        )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=10_000, help="damaged files, of all parsers together")
    parser.add_argument("--parser", action="append", help="only this one; may be given several times")
    parser.add_argument("--seed", type=int, default=1, help="another seed, other damage")
    parser.add_argument("--first", type=int, default=0, help="number of the first case of each parser")
    parser.add_argument("--jobs", type=int, default=2, help="children at a time")
    parser.add_argument("--out", type=Path, help="file for the table")
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir()) / "fuzz-kept", help="for bad cases")
    parser.add_argument("--scratch", type=Path, help="folder for the files of the cases")
    parser.add_argument("--replay", type=int, metavar="NUMBER", help="only write the files of that case (one --parser)")
    parser.add_argument("--calls", action="store_true", help="call the commands wrongly instead")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="of the calls only each Nth")
    asked = parser.parse_args()
    if asked.out is not None and asked.out.is_dir():
        parser.error(f"--out {asked.out} is a folder; expected the name of a file")
    return asked


if __name__ == "__main__":
    sys.exit(main())
