"""The CRED-nf checklist, filled in from what a session recorded.

Ros et al., "Consensus on the reporting and experimental design of clinical and cognitive-behavioural neurofeedback
studies (CRED-nf checklist)", *Brain* 143, 2020, doi:10.1093/brain/awaa009. Numbers and wording are those of the
checklist's own online tool (Pedder & Thibault, crednf.shinyapps.io/CREDnf), which says that its content is that of the
published version; 2c, which the tool asks as two questions, is put into one here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from calibration.finished.report.checklist import FILL, Findings
from calibration.finished.report.data import SessionData

RECORDED, STUDY, PARTLY, BY_HAND = "recorded", "from the protocol's [study]", "in part", "to be added by hand"


@dataclass(frozen=True, slots=True)
class Item:
    """One item: its number, domain and wording, the names in ``[study]`` that answer it, and what is left to say."""

    number: str
    domain: str
    wording: str
    keys: tuple[str, ...]
    left: str


@dataclass(frozen=True, slots=True)
class Answer:
    """One item as a session answers it: what is recorded, what the protocol's ``[study]`` says, what is left to add."""

    number: str
    domain: str
    item: str
    state: str
    recorded: str
    study: str
    left: str


ITEMS: Final = (
    Item("1a", "Pre-experiment", "Pre-register experimental protocol and planned analyses",
         ("preregistration",), "Link to the registration, and whether it came before the first participant."),
    Item("1b", "Pre-experiment", "Justify sample size", ("sample_size",), "How the number of participants was chosen."),
    Item("2a", "Control groups", "Employ control group(s) or control condition(s)",
         ("control",), "Which control there was, and why it is the right one."),
    Item("2b", "Control groups", "When leveraging experimental designs where a double-blind is possible, use a "
         "double-blind", ("blinding",), "Who knew of the arms: who drew them, who met the participants."),
    Item("2c", "Control groups", "Blind those who rate the outcomes, and those who analyse the data",
         ("blind_analysis",), "Whether raters and analysts knew the arms."),
    Item("2d", "Control groups", "Examine to what extent participants and experimenters remain blinded",
         ("blinding_check",), "What participants and experimenters guessed, and how sure they were."),
    Item("2e", "Control groups", "In clinical efficacy studies, employ a standard-of-care intervention group as a "
         "benchmark for improvement", ("standard_of_care",), "Only for clinical efficacy studies."),
    Item("3a", "Control measures", "Collect data on psychosocial factors", ("psychosocial",),
         "Motivation, expectation, mood, how the experimenter was seen."),
    Item("3b", "Control measures", "Report whether participants were provided with a strategy",
         ("strategy",), "What they were told beyond the instructions on the screen."),
    Item("3c", "Control measures", "Report the strategies participants used", ("strategies_used",),
         "What they say that they did."),
    Item("3d", "Control measures", "Report methods used for online-data processing and artifact correction",
         ("artifacts",), ""),
    Item("3e", "Control measures", "Report condition and group effects for artifacts", ("artifact_effects",),
         "Whether arms differ: the report of the group compares them once the allocation is opened."),
    Item("4a", "Feedback specifications", "Report how the online-feature extraction was defined",
         ("feature",), ""),
    Item("4b", "Feedback specifications", "Report and justify the reinforcement schedule", ("reinforcement",),
         "Why this schedule."),
    Item("4c", "Feedback specifications", "Report the feedback modality and content", ("modality",), ""),
    Item("4d", "Feedback specifications", "Collect and report all brain activity variable(s) and/or contrasts used "
         "for feedback, as displayed to experimental participants", ("displayed",), ""),
    Item("4e", "Feedback specifications", "Report the hardware and software used", ("hardware",),
         "Amplifier and electrodes, screen and loudspeakers or earphones."),
    Item("5a", "Outcome measures - brain", "Report neurofeedback regulation success based on the feedback signal",
         ("regulation",), ""),
    Item("5b", "Outcome measures - brain", "Plot within-session and between-session regulation blocks of feedback "
         "variable(s), as well as pre-to-post resting baselines or contrasts", ("courses",),
         "Between sessions: the report of the group. Resting baselines before and after, if the protocol has them."),
    Item("5c", "Outcome measures - brain", "Statistically compare the experimental condition/group to the control "
         "condition(s)/group(s) (not only each group to baseline measures)", ("comparison",),
         "The report of the group compares arms once the allocation is opened."),
    Item("6a", "Outcome measures - behaviour", "Include measures of clinical or behavioural significance, defined a "
         "priori, and describe whether they were reached", ("primary_outcome", "behaviour"),
         "Measures, when they were defined, and whether they were reached."),
    Item("6b", "Outcome measures - behaviour", "Run correlational analyses between regulation success and behavioural "
         "outcomes", ("behaviour_correlation",), "Needs the behavioural measures."),
    Item("7a", "Data storage", "Upload all materials, analysis scripts, code, and raw data used for analyses, as well "
         "as final values, to an open access data repository, when feasible", ("data",),
         "Where they are. rtaffect export-bids makes a dataset of session folders."),
)  # fmt: skip


def checklist(data: SessionData, found: Findings) -> tuple[Answer, ...]:
    """Return every item with what is recorded, what the protocol's ``[study]`` says, and what is left to add."""
    study = {str(key): str(value) for key, value in dict(data.protocol.get("study", {})).items()}
    answers = []
    for item in ITEMS:
        recorded = FILL[item.number](data, found) if item.number in FILL else ""
        message = "; ".join(study[key] for key in (*item.keys, item.number) if study.get(key))
        state = STUDY if message else BY_HAND if not recorded else PARTLY if item.left else RECORDED
        left = "" if message else item.left
        answers.append(Answer(item.number, item.domain, item.wording, state, recorded, message, left))
    return tuple(answers)


def other_texts(data: SessionData) -> dict[str, str]:
    """Return the texts of ``[study]`` that answer no item."""
    known = {key for item in ITEMS for key in (*item.keys, item.number)}
    return {str(k): str(v) for k, v in dict(data.protocol.get("study", {})).items() if str(k) not in known}
