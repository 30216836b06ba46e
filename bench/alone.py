"""Most memory and loading time of one model in a process that does nothing else.

``python -m bench.alone featurizer FILE THREADS`` and ``python -m bench.alone library FOLDER THREADS BLOCKS SECONDS``
write them as JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
STEPS = 3


def alone(*arguments: object) -> dict[str, float | None]:
    """Return ``memory_mb`` (None on Windows) and ``load_s`` of such a process."""
    command = [sys.executable, "-m", "bench.alone", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    found: dict[str, float | None] = json.loads(done.stdout.splitlines()[-1])
    return found


def most_memory_mb() -> float | None:
    """Return the most memory that this process has had resident, MB."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1e3
    except (OSError, StopIteration):
        pass
    # On Linux ru_maxrss would begin with what the parent had at the fork.
    try:
        import resource
    except ImportError:
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


def featurizer(file: str, threads: str) -> float:
    """Load and run one of ours with a full context; return the seconds to load."""
    from rtaffect.predicted.featurizer import Featurizer

    begin = time.perf_counter()
    loaded = Featurizer.load(Path(file), threads=int(threads), progress=lambda _: None)
    load_s = time.perf_counter() - begin
    loaded.cost_s(STEPS)
    return load_s


def library(folder: str, threads: str, blocks: str, seconds: str) -> float:
    """Load and run the transformers library's model; return the seconds to load."""
    import torch
    import transformers

    speaking: Any = transformers.utils.logging
    speaking.disable_progress_bar()
    torch.set_num_threads(int(threads))
    begin = time.perf_counter()
    model: Any = transformers.Wav2Vec2Model.from_pretrained(folder)
    load_s = time.perf_counter() - begin
    model.encoder.layers = model.eval().encoder.layers[: int(blocks)]
    silence = torch.from_numpy(np.zeros((1, 16_000 * int(seconds)), np.float32))
    with torch.inference_mode():
        for _ in range(STEPS):
            model(silence)
    return load_s


if __name__ == "__main__":
    works: dict[str, Callable[..., float]] = {"featurizer": featurizer, "library": library}
    load_s = works[sys.argv[1]](*sys.argv[2:])
    print(json.dumps({"memory_mb": most_memory_mb(), "load_s": load_s}))
