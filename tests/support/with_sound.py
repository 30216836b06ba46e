"""Runs a command where there is a sound device: ``python -m tests.support.with_sound pytest``.

It is a private sound server whose microphone hears its speaker.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.faulty.sound_server import REMEDY, SoundServer, absent

ROOT = Path(__file__).parents[2]


def main(words: list[str]) -> int:
    """Run the command and return its exit status."""
    with tempfile.TemporaryDirectory() as folder:
        if missing := absent():
            raise SystemExit(f"{', '.join(missing)}: not installed; {REMEDY}")
        server = SoundServer(Path(folder), ROOT)
        try:
            server.start()
            own = ("PULSE_SERVER", "PULSE_SINK", "PULSE_SOURCE", "ALSA_CONFIG_PATH")
            return subprocess.run(words, env=os.environ | {n: server.env[n] for n in own}, check=False).returncode
        finally:
            server.stop()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
