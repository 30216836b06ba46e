"""What a session's report says of quality, the checklist, and settings, versions and hashes, as HTML."""

from __future__ import annotations

from html import escape
from typing import Any

import tomli_w

from calibration.finished.cred_nf import BY_HAND, PARTLY
from calibration.finished.report.data import SessionData
from calibration.finished.report.figures import good_figure
from calibration.report.html import (
    NONE,
    Picture,
    code,
    figure,
    folded,
    listing,
    paragraph,
    percent,
    prose,
    seconds_of,
    table,
)

Numbers = dict[str, Any]
Section = tuple[str, list[Picture]]


def quality(data: SessionData, numbers: Numbers) -> Section:
    """Return good time, reasons for doubt, streams and latencies."""
    found = numbers["quality"]
    picture = good_figure(data)
    text = ""
    if picture is not None:
        text += figure(
            picture, "Good share of each channel's window, from quality.tsv: dark is bad. Grey: no line was written."
        )
    text += _reasons(
        "Why values were absent or doubtful, in seconds. A second may have several reasons.", found["reasons"]
    )
    text += _reasons("Why nothing was shown in blocks of feedback, in seconds.", found["neutral"])
    if not found["reasons"]:
        text += paragraph("No step gave a reason for doubt.")
    kinds = [[k["kind"], seconds_of(k["seconds"]), percent(k["trusted"])] for k in found["kinds"]]
    if kinds:
        text += table(("kind of block", "seconds", "trusted"), kinds, "Seconds whose mean over rows is trusted.")
    text += _channels(found) + _streams(found) + _latencies(found, numbers) + _log(found)
    return text, [picture] if picture is not None else []


def _reasons(caption: str, reasons: list[Numbers]) -> str:
    if not reasons:
        return ""
    return table(("reason", "seconds"), [[r["reason"], str(r["seconds"])] for r in reasons], caption)


def _channels(found: Numbers) -> str:
    if not found["channels"]:
        return paragraph("Quality of channels was not recorded.")
    rows = [
        [c["channel"], c["person"], percent(c["good"]), seconds_of(c["poor_s"]), str(c["steps"])]
        for c in found["channels"]
    ]
    caption = (
        f"Channels: mean good share of the window, and seconds in which it was below {percent(found['least_good'])}, "
        "with which a channel has no value."
    )
    content = table(("channel", "person", "good", "poor", "steps"), rows, caption, texts=2)
    return folded("All channels as a table", content) if len(rows) > 16 else content


def _streams(found: Numbers) -> str:
    if not found["streams"]:
        return paragraph("There is no recording to tell gaps, clock jumps and drift from.")
    rows = [
        [s["name"], s["type"], str(s["samples"]), f"{s['nominal']:g} Hz" if s["nominal"] else NONE,
         _rate(s["rate"]), _ppm(s["drift_ppm"]),
         str(s["gaps"]), seconds_of(round(s["lost_s"], 1)), str(s["back"]), _offset(s)]
        for s in found["streams"]
    ]  # fmt: skip
    head = (
        "stream",
        "type",
        "samples",
        "nominal",
        "rate",
        "drift",
        "gaps",
        "lost",
        "jumps back",
        "offset (range)",
    )
    caption = (
        "Streams of recording.xdf, by their stamps as sent. Rate and drift against the nominal rate: without gaps. "
        "Offset: median (and range) of what was measured to this computer's clock."
    )
    return table(head, rows, caption, texts=2)


def _offset(stream: Numbers) -> str:
    if stream["offset_ms"] is None:
        return NONE
    return f"{_signed(stream['offset_ms'], 1)} ({_signed(stream['offset_range_ms'], 1)}) ms"


def _rate(value: float | None) -> str:
    return NONE if not value else f"{value:.2f} Hz"


def _ppm(value: float | None) -> str:
    return NONE if value is None else f"{_signed(value, 0)} ppm"


def _ms(value: float | None) -> str:
    return NONE if value is None else f"{_signed(value, 1)} ms"


def _signed(value: float, digits: int) -> str:
    """Return a number with the zero before its point, as times are printed."""
    text = f"{abs(value):.{digits}f}"
    return f"\N{MINUS SIGN}{text}" if value < 0 and text.strip("0.") else text


def _latencies(found: Numbers, numbers: Numbers) -> str:
    regulation = numbers["regulation"]
    window, smoothing = regulation["window_s"], regulation["smoothing_s"]
    late = f"{(window + smoothing - 1) / 2:g}"
    text = paragraph(
        f"A value is of the {window} s before it" + (f" and smoothed over {smoothing} s" if smoothing > 1 else "")
        + f", so that its middle lies {late} s back."
    )  # fmt: skip
    rows = [[e["name"], str(e["count"]), _ms(e["median_ms"]), _ms(e["largest_ms"])] for e in found["latencies"]]
    if not rows:
        return text + paragraph("No other latency was recorded.")
    return text + table(("latency", "of", "median", "largest"), rows, "Latencies that were recorded.")


def _log(found: Numbers) -> str:
    log = found["log"]
    if not log["lines"]:
        return ""
    if not log["trouble"]:
        return paragraph(f"The log has {log['lines']} lines, none of them a warning or an error.")
    counts = ", ".join(f"{n} {name.lower()}" for name, n in log["counts"].items() if n)
    more = [f"and {log['more']} more in session.log"] if log["more"] else []
    return paragraph(f"Warnings and errors in the log: {counts}.") + code("\n".join([*log["trouble"], *more]))


def checklist(numbers: Numbers) -> Section:
    """Return the CRED-nf checklist."""
    items = numbers["checklist"]
    open_items = [i["number"] for i in items if i["state"] in (BY_HAND, PARTLY)]
    text = paragraph(
        "Ros et al., Consensus on the reporting and experimental design of clinical and cognitive-behavioural "
        "neurofeedback studies (CRED-nf checklist), Brain 143, 2020, 1674-1685. Numbers and wording are those of "
        "the checklist's online tool; 2c, which it asks as two questions, is put into one here. What the protocol's "
        "[study] says stands in quotation marks."
    )
    text += paragraph(f"To be completed by hand: {', '.join(open_items)}." if open_items else "Nothing is left open.")
    lines: list[tuple[str, str]] = []
    for item in items:
        if not lines or item["domain"] != lines[-1][0]:
            lines.append(
                (
                    item["domain"],
                    f'<tr class="chosen"><th scope="rowgroup" colspan="4">{escape(item["domain"])}</th></tr>',
                )
            )
        lines.append((item["domain"], _item(item)))
    body = "\n".join(line for _, line in lines)
    head = "".join(
        f'<th scope="col">{name}</th>' for name in ("", "item", "state", "what is recorded, and what is left to add")
    )
    text += f'<div class="wide"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>\n'
    if numbers["other_texts"]:
        text += listing([f"{name}: {words}" for name, words in numbers["other_texts"].items()])
    return text, []


def _item(item: Numbers) -> str:
    parts = []
    if item["study"]:
        parts.append(prose(f"\N{LEFT DOUBLE QUOTATION MARK}{item['study']}\N{RIGHT DOUBLE QUOTATION MARK}"))
    if item["recorded"]:
        parts.append(prose(item["recorded"]))
    if item["left"]:
        lead = "" if item["state"] == BY_HAND else "<strong>To be added by hand:</strong> "
        parts.append(lead + prose(item["left"]))
    return (
        f'<tr><th scope="row" style="min-width: 2em">{item["number"]}</th><td>{prose(item["item"])}</td>'
        f"<td>{f'<strong>{prose(BY_HAND)}</strong>' if item['state'] == BY_HAND else prose(item['state'])}</td>"
        f"<td>{'<br>'.join(parts)}</td></tr>"
    )


def record(data: SessionData, numbers: Numbers) -> Section:
    """Return all that someone needs who would do it again."""
    settings = data.ran.get("settings")
    text = "<h3>Settings of the analysis</h3>\n"
    text += code(tomli_w.dumps(settings).strip()) if settings else paragraph("They are not in session.toml.")
    if data.protocol:
        text += "<h3>Protocol</h3>\n" + code(tomli_w.dumps(data.protocol).strip())
    about = {name: value for name, value in data.ran.items() if name != "settings"}
    text += folded("What ran, as session.toml has it", code(tomli_w.dumps(about).strip()))
    text += table(("package", "version"), list(map(list, numbers["versions"].items())), "Versions.", texts=2)
    hashes = list(map(list, numbers["hashes"].items()))
    if hashes:
        text += f'<div class="hash">{table(("of", "sha256"), hashes, "Hashes.", texts=2)}</div>\n'
    return text + paragraph(f"Report by rtaffect {numbers['made_by']}, of {numbers['folder']}."), []
