"""The command ``certify``: the timing of this computer, measured."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path

import click

from rtaffect.common.offline import offline_module
from rtaffect.common.option_types import PATH, Number, Whole
from rtaffect.common.screen import has_screen
from rtaffect.common.terminal import Terminal
from rtaffect.run.certificate import aims_of, certificate_of, write_certificate
from rtaffect.run.certify import certify
from rtaffect.run.certify_plan import LEAST_S, CertifyPlan
from rtaffect.view import require_window, run_window

_MOST_S = 3600


@click.command()
@click.option(
    "--seconds",
    type=Whole(LEAST_S, _MOST_S),
    default=120,
    show_default=True,
    help="Length of the session; drift shows within minutes.",
)
@click.option("--capture", metavar="DEVICE", help="Sound device that hears the clicks; default: the system's input.")
@click.option("--capture-stream", metavar="QUERY", help="LSL stream of sound that hears them, as in name=Room.")
@click.option("--no-capture", is_flag=True, help="Capture nothing: the player's own word stands for the sound.")
@click.option("--speaker", metavar="DEVICE", help="Sound device that plays the clicks; default: the system's output.")
@click.option("--headsets", type=Whole(1, 100), default=1, show_default=True, help="Simulated headsets, over LSL.")
@click.option("--channels", type=Whole(1, 512), default=8, show_default=True, help="Channels of each.")
@click.option("--rate", type=Number(100, 20_000), default=250.0, show_default=True, help="Their rate, Hz.")
@click.option("--bundle", type=PATH, help="Bundle whose featurizer reads the sound, so that its cost is in the steps.")
@click.option("--headless", is_flag=True, help="No window: when values are painted is not measured.")
@click.option(
    "--out",
    type=PATH,
    help="New folder for certificate and session; default: sessions/certificate-DATE-TIME.",
)
def command(
    seconds: int,
    capture: str | None,
    capture_stream: str | None,
    no_capture: bool,
    speaker: str | None,
    headsets: int,
    channels: int,
    rate: float,
    bundle: Path | None,
    headless: bool,
    out: Path | None,
) -> None:
    """Measure the timing of this computer: clicks in sound and EEG, from their source to the step and to the screen.

    Its sound must come back: by a cable or loopback device, a microphone at the speaker, or an LSL stream of sound. The
    exit status is 0 if all aims are met, else 1.
    """
    console, pages = Terminal(), offline_module("calibration.finished.certificate")
    pages.need_parts()
    plan = CertifyPlan(
        out=out or Path("sessions") / f"certificate-{datetime.now():%Y%m%d-%H%M%S}",
        seconds=seconds,
        capture=capture,
        capture_stream=capture_stream,
        captured=not no_capture,
        speaker=speaker,
        headsets=headsets,
        channels=channels,
        rate=rate,
        bundle=bundle,
        headless=headless or not has_screen(),
    )
    if not plan.headless:
        require_window()
    with console.status("getting ready") as status:
        # What the session says step by step would hide what is said here.
        done = certify(plan, Terminal(quiet=True), run_window, status.update)
        status.update("analysing")
        certificate = certificate_of(done)
        write_certificate(plan.out, certificate)
        page = pages.write_page(plan.out)
    for text in certificate["notes"]:
        console.print(f"note: {text}", style="yellow", highlight=False, soft_wrap=True, markup=False)
    for aim in aims_of(certificate):
        console.print(aim.line, style="green" if aim.met else "red", highlight=False, soft_wrap=True, markup=False)
    console.print(f"certificate {page}", highlight=False, soft_wrap=True, markup=False)
    sys.exit(0 if certificate["met"] else 1)
