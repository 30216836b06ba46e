"""A private sound server (PulseAudio on Linux) with one null sink, whose monitor is the microphone."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

RATE = 48_000
#: What it needs, and where Debian has it.
PROGRAMS = ("pulseaudio", "pacat", "paplay", "pactl")
REMEDY = "apt-get install pulseaudio pulseaudio-utils libasound2-plugins"


def absent() -> list[str]:
    """Return the programs that are not installed."""
    return [name for name in PROGRAMS if shutil.which(name) is None]


#: Before others where that is allowed, else as all: on a busy computer sound is late else, and torn.
FIRST = ("nice", "-n", "-10")


class SoundServer:
    """The server; programs that get ``env`` hear and play through it, and through nothing else.

    Parameters
    ----------
    folder
        For its socket, configuration and log; it exists.
    root
        The project's folder, for programs that import it.
    """

    def __init__(self, folder: Path, root: Path) -> None:
        self.folder = folder
        runtime = folder / "run"
        runtime.mkdir(mode=0o700)
        self.env = os.environ | {
            "PYTHONPATH": str(root),
            "HOME": str(folder),
            "XDG_RUNTIME_DIR": str(runtime),
            "PULSE_SERVER": f"unix:{folder}/pulse.sock",
            "PULSE_SINK": "vmic",
            "PULSE_SOURCE": "vmic.monitor",
            "ALSA_CONFIG_PATH": str(_alsa_config(folder)),
        }
        self._log = (folder / "pulse.log").open("wb")
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Start it and wait until it answers.

        Raises
        ------
        TimeoutError
            If it does not answer within 5 s.
        """
        socket = f"module-native-protocol-unix socket={self.folder}/pulse.sock auth-anonymous=1"
        sink = f"module-null-sink sink_name=vmic rate={RATE} channels=2"
        pulse = self.run("pulseaudio", "-n", "--exit-idle-time=-1", "--daemonize=no", "-L", socket, "-L", sink)
        (self.folder / "pulse.pid").write_text(str(pulse.pid))
        self._wait_until_it_answers()
        # A null sink that nothing plays into is suspended; silence keeps it running.
        self.run("pacat", "--raw", f"--rate={RATE}", "--channels=2", "--format=s16le", "/dev/zero")
        time.sleep(1.0)

    def die(self) -> None:
        """Kill it and all that it runs."""
        for process in reversed(self._processes):
            process.kill()
            process.wait(10)
        self._processes.clear()
        (self.folder / "pulse.sock").unlink(missing_ok=True)

    def run(self, *command: str) -> subprocess.Popen[bytes]:
        """Run a program beside it, which ends with it."""
        null = subprocess.DEVNULL
        process = subprocess.Popen((*FIRST, *command), env=self.env, stdin=null, stdout=self._log, stderr=self._log)
        self._processes.append(process)
        return process

    def stop(self) -> None:
        """End it for good."""
        self.die()
        self._log.close()

    def _wait_until_it_answers(self) -> None:
        for _ in range(100):
            answer = subprocess.run(["pactl", "info"], env=self.env, capture_output=True, timeout=10, check=False)
            if answer.returncode == 0:
                return
            time.sleep(0.05)
        raise TimeoutError((self.folder / "pulse.log").read_text())


def _alsa_config(folder: Path) -> Path:
    """Write an ALSA configuration whose default device is the sound server."""
    path = folder / "asound.conf"
    path.write_text(
        "</usr/share/alsa/alsa.conf>\n"
        'pcm.!default { type pulse hint { show on description "Default" } }\n'
        "ctl.!default { type pulse }\n"
    )
    return path
