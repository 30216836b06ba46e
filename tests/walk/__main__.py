"""``python -m tests.walk PAGE...``: what was typed on pages of the documents, seen, and how long it took."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
from pathlib import Path

from bench import loopback
from tests.walk.pages import ROOT


def main() -> None:
    """Walk the pages that are named; the exit status is 1 if a step did not do what was promised."""
    parser = argparse.ArgumentParser(prog="python -m tests.walk")
    parser.add_argument("pages", nargs="+", type=Path, metavar="PAGE", help="README.md, docs/guide.md, ...")
    parser.add_argument("--markdown", action="store_true", help="print tables of Markdown, to paste")
    parser.add_argument("--cache", type=Path, help="cache to use [default: an empty one for each page]")
    parser.add_argument("--without", action="append", default=[], metavar="WORD", help="leave out commands with it")
    asked = parser.parse_args()
    # Also where it is ended, what it has started ends.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = Path(tempfile.mkdtemp(prefix="walk-"))
    (folder / "lsl_api.cfg").write_text(loopback(), encoding="utf-8")
    # Before anything imports pylsl.
    os.environ["LSLAPICFG"] = str(folder / "lsl_api.cfg")
    from tests.walk.typing import walk

    wrong = 0
    for named in asked.pages:
        page = named if named.exists() else ROOT / named
        cache = asked.cache or folder / f"cache-{page.stem}"
        home = folder / page.stem
        home.mkdir()
        if asked.markdown:
            print(f"\n### {page.resolve().relative_to(ROOT)}\n\n| typed | seen | s |\n|---|---|---:|", flush=True)
        for seen in walk(page.resolve(), home, {"RTAFFECT_CACHE": str(cache.resolve())}, asked.without):
            wrong += bool(seen.wrong)
            ended = f", {seen.ended}" if seen.ended else ""
            said = f"{seen.wrong or seen.line:.110}{ended}"
            if asked.markdown:
                cells = (f"`{seen.step.title}`", said, f"{seen.seconds:.0f}")
                print("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |", flush=True)
            else:
                print(f"{seen.seconds:6.1f} s  {seen.step.title:.120}\n          {said}", flush=True)
            if seen.wrong:
                print(seen.output[-3000:], file=sys.stderr, flush=True)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
