"""docs/internals/templates.md: what BlockDance does in each of ComfyUI's own templates."""

import re
from collections import Counter
from collections.abc import Iterable
from datetime import date
from pathlib import Path

from . import outcome
from .outcome import Outcome, Sampling
from .record import Record

PAGE = Path(__file__).resolve().parents[2] / "docs" / "internals" / "templates.md"
START = """# ComfyUI's own templates

What BlockDance does in the workflow templates that ComfyUI shows. Each was opened in ComfyUI's page; a BlockDance Auto
node was put in front of each sampler, in subgraphs, too, and, for transformers, a BlockDance Patch node in another
copy; the page converted it, and a server was asked to run it. In those that were tried to the end nothing was objected
to but files that are not there.
The graph that `--accelerate` of the [command line](../api.md) makes was compared with the page's: they are the same.

No large model was downloaded. Where the model's class can be made tiny, the template's samplers ran on such an instance
of random weights, with the template's own steps, sampler, schedule, guidance and patches: twice with Auto at its
defaults (2x, at least 30 dB) and nothing measured before, then with BlockDance Patch. LoRAs and other patches that come
from files were left out of that. *First run* and *second run* are how many of the evaluations were computed in full
there; the decibels that stood behind this are those of random weights and are not repeated. **How many steps Auto
computes of a real model depends on what it measures of it**; of a distilled model with its few steps it is expected to
be nearly all. BlockDance Patch computes the first blocks of the other steps, too.

`python3 -m lab.templates` does all this, `--publish` writes this page; see [contributing](../contributing.md).
"""
NOTES = (  # in the words of Auto, and in those of this page
    (re.compile(r"not measured yet|measuring anew"), "measures"),
    (re.compile(r"nothing to gain here.*below the least of"),
     "nothing to gain: fewer would fall below the least quality"),
    (re.compile(r"nothing to gain here"), "nothing to gain: too few steps"),
    (re.compile(r"nothing to forecast"), "nothing to gain: the noise does not fall over two steps"),
    (re.compile(r"would be too much for the models"), "by the general profile, which allows less than asked"),
    (re.compile(r"not known yet"), "by the general profile: this part of a schedule is not measured"),
    (re.compile(r"below the least of"), "fewer would fall below the least quality"),
    (re.compile(r"dB expected|the full result expected"), "planned by what was measured"))
FEW = 8  # steps


def write(record: Record, comfyui: str, version: str, own: str, untried: int) -> Path:
    """Of the newest package, and of the ComfyUI's own where the newest does not work in this ComfyUI or lacks one."""
    made = page(chosen(record, version, own), comfyui, version, own, date.today(), untried)
    PAGE.write_text(made, encoding="utf-8")
    return PAGE


def chosen(record: Record, version: str, own: str) -> list[Outcome]:
    newest = {found.name: found for found in record.all(version)}
    older = {found.name: found for found in record.all(own)}
    names = dict.fromkeys((*newest, *older))
    better = {name: newest[name] if name in newest and (newest[name].status != outcome.NEWER or name not in older)
              else older[name] for name in names}
    return sorted(better.values(), key=lambda found: (-found.usage, found.name))


def page(outcomes: list[Outcome], comfyui: str, version: str, own: str, today: date, untried: int = 0) -> str:
    counts = Counter(found.status for found in outcomes)
    works = [found for found in outcomes if found.status in (outcome.WORKS, outcome.FAILS)]
    lines = [
        START,
        f"Made on {today.isoformat()} with ComfyUI {comfyui} and `comfyui-workflow-templates-json` {version}; where "
        f"that needs a newer ComfyUI, with {own}, which ComfyUI {comfyui} has (marked *).",
        "", *(f"- {counts[status]} {words}" for status, words in COUNTED if counts[status]),
        *([f"- {untried} of {version} were not tried yet: the command goes on with them"] if untried else ()), "",
        "## What was tried", "",
        "The most used first, as the index of the templates counts. Two samplers of a workflow are in two lines of a "
        "cell. cfg *none* is a guider without a negative prompt.", "",
        f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|", *(row(found, own) for found in works), ""]
    for status, heading in LEFT:
        if found := [entry for entry in outcomes if entry.status == status]:
            lines += [f"## {heading}", "", "| template | why |", "|---|---|",
                      *(f"| {_title(entry, own)} | {_cell(_short(entry.reason))} |" for entry in found), ""]
    return "\n".join(lines).rstrip() + "\n"


COLUMNS = ("template", "model", "steps", "sampler, scheduler", "cfg", "Auto, first run", "Auto, second run",
           "BlockDance Patch")
COUNTED = ((outcome.WORKS, "work"), (outcome.NEWER, "need nodes or choices that this ComfyUI does not have"),
           (outcome.PARTNER, "call a service by a partner node, and are not of one's own machine"),
           (outcome.NOTHING, "have no sampler that is switched on"), (outcome.FAILS, "fail"))
LEFT = ((outcome.NEWER, "Need a newer ComfyUI"), (outcome.PARTNER, "Partner nodes"),
        (outcome.NOTHING, "No sampler that is switched on"))


def row(found: Outcome, own: str) -> str:
    parts = _alike(found.samplings)
    cells = (
        [_title(found, own) + (" (fails)" if found.status == outcome.FAILS else "")],
        [_times(count, part.model or part.file) + ("".join(f", {name}" for name in _distilled(part)))
         for part, count in parts],
        [_steps(part) for part, _ in parts],
        [", ".join(filter(None, (part.sampler, part.scheduler))) for part, _ in parts],
        [part.cfg for part, _ in parts],
        [_did(part.first, part.why) for part, _ in parts],
        [_did(part.second, "") for part, _ in parts],
        [_patched(part.patch) for part, _ in parts])
    return "| " + " | ".join(_cell("<br>".join(cell if any(cell) else ())) for cell in cells) + " |"


def _alike(samplings: Iterable[Sampling]) -> list[tuple[Sampling, int]]:
    counts = Counter(samplings)
    return list(counts.items())


def _times(count: int, words: str) -> str:
    return f"{count} x {words}" if count > 1 else words


def _distilled(part: Sampling) -> list[str]:
    return ["with a LoRA for few steps"] if any(re.search(r"light|turbo|lcm|hyper|distill|\dstep", name.lower())
                                                for name in part.loras) else []


def _steps(part: Sampling) -> str:
    """As executed; of a part of a longer run also that one's."""
    ran = re.match(r"\d+ of (\d+)", part.first)
    if ran is None:
        return part.steps
    return ran[1] if part.steps in ("", ran[1]) else f"{ran[1]} (steps {part.steps})"


def _did(words: str, why: str) -> str:
    if not words:
        return f"not run: {why}" if why else ""
    counted, _, note = words.partition(": ")
    said = next((short for pattern, short in NOTES if pattern.search(note)), "")
    computed, total = map(int, re.match(r"(\d+) of (\d+)", counted).groups())
    if said.startswith("fewer") and total <= FEW:
        said = "few steps: fewer would fall below the least quality"
    return f"{computed} of {total}" + (f", {said}" if said else "")


def _patched(words: str) -> str:
    counted, _, note = words.partition(": ")
    return counted + (", as the model's blocks run several times in one pass" if outcome.LIMIT in note else "")


def _title(found: Outcome, own: str) -> str:
    return f"`{found.name}`" + ("*" if found.version == own else "")


def _short(text: str, most: int = 160) -> str:
    return text if len(text) <= most else text[:most].rsplit(" ", 1)[0] + " ..."


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
