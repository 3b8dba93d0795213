"""One template: opened, accelerated, converted, posted, and its samplers rehearsed."""

import json
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from lab.headless import acceleration, client
from lab.headless.errors import HeadlessError
from lab.headless.graph import Prompt
from lab.headless.node_types import Types, node_types

from ...tests.browser.comfy_page import ComfyPage
from . import outcome, rehearsal
from .catalogue import Template
from .complaints import judged
from .outcome import Outcome, Sampling
from .page import Opened, open_with, same
from .settings import setting

PATCH, PATCH_TITLE = "BlockDancePatch", "BlockDance Patch"
RUNS = 2  # the first may measure
TINY_TYPES = ("BlockDanceReport", "EmptyImage", "SolidMask")


@dataclass(frozen=True)
class Server:
    """url: of a ComfyUI with both packs and the stand-ins; profiles: the folder where Auto keeps what it measures;
    partners: the node types that call a service."""
    url: str
    profiles: Path
    partners: frozenset[str]
    reports: dict[str, list[list[dict]]] = field(default_factory=dict)  # of what was rehearsed, by what it was


def opened_in(page: ComfyPage, template: Template) -> Opened:
    """A template in the page, with Auto."""
    return open_with(page, template.workflow, acceleration.AUTO)


def tried(server: Server, template: Template, version: str, opened: Opened) -> Outcome:
    """What the server says to it, and what its samplers do."""
    with ThreadPoolExecutor(1) as aside:  # while playwright is on, asyncio cannot be used beside it
        return aside.submit(_tried, server, template, version, opened).result()


def _tried(server: Server, template: Template, version: str, opened: Opened) -> Outcome:
    found = Outcome(template.name, template.title, version, template.usage, outcome.WORKS,
                    subgraph=bool(template.workflow.get("definitions", {}).get("subgraphs")))
    if opened.unknown:
        partners = template.partner or server.partners.issuperset(opened.unknown)
        return replace(found, status=outcome.PARTNER if partners else outcome.NEWER,
                       reason=", ".join(sorted(opened.unknown)))
    types = node_types(server.url, opened.plain, (acceleration.AUTO, PATCH, *TINY_TYPES))
    try:
        made = acceleration.accelerate(opened.plain, types)
    except HeadlessError as error:
        return replace(found, status=outcome.NOTHING, reason=str(error))
    if not same(made, opened.prompt, acceleration.AUTO):
        return replace(found, status=outcome.FAILS, reason="the page and the command line insert different nodes")
    verdict = judged(server.url, opened.prompt)
    if verdict.complaints:
        older = judged(server.url, opened.plain).complaints == verdict.complaints
        return replace(found, status=outcome.NEWER if older else outcome.FAILS, reason="; ".join(verdict.complaints))
    patches = [node for node, value in opened.prompt.items() if value["class_type"] == acceleration.AUTO]
    parts = rehearsal.parts(opened.prompt, types, patches)
    samplings = rehearsed(server, opened.prompt, types, parts, verdict.missing)
    if any(part.model is None or part.model.transformer for part in parts):
        made, added = acceleration.insert(opened.plain, types, PATCH, PATCH_TITLE, {})
        patched = judged(server.url, made)
        if patched.complaints:
            return replace(found, status=outcome.FAILS, reason="; ".join(patched.complaints))
        parts = rehearsal.parts(made, types, added)
        with_patch = rehearsed(server, made, types, parts, verdict.missing, runs=1)
        samplings = {sampler: replace(sampling, patch=with_patch[sampler].first if sampler in with_patch else "")
                     for sampler, sampling in samplings.items()}
    broken = [words for sampling in samplings.values() for words in
              (sampling.why, sampling.first, sampling.second, sampling.patch) if "failed" in words]
    return replace(found, samplings=tuple(samplings.values()), status=outcome.FAILS if broken else found.status,
                   reason="; ".join(dict.fromkeys(broken)))


def rehearsed(server: Server, prompt: Prompt, types: Types, parts: list[rehearsal.Part], missing: frozenset[str],
              runs: int = RUNS) -> dict[str, Sampling]:
    """What becomes of each sampler, by its id."""
    made = rehearsal.rehearsal(prompt, types, parts, missing)
    problem, ran = "", []
    try:
        ran = _ran(server, made, runs) if made.reports else []
    except client.PromptError as error:
        problem = f"failed on a tiny model: {str(error).splitlines()[0]}"
    found = {}
    for part in parts:
        said = [_said(reports[part.sampler]) for reports in ran if part.sampler in reports]
        first, second, *_ = [*said, "", ""]
        found[part.sampler] = replace(
            _set(prompt, part), first=first, second=second, why=made.absent.get(part.sampler, problem))
    return found


def _ran(server: Server, made: rehearsal.Rehearsal, runs: int) -> list[dict[str, dict]]:
    """The reports of each run, by sampler. What many templates do alike is run once."""
    alike = f"{runs} {rehearsal.shape(made)}"
    if alike not in server.reports:
        shutil.rmtree(server.profiles, ignore_errors=True)
        written = [client.submit(server.url, _seeded(made.prompt, run)).written for run in range(runs)]
        server.reports[alike] = [
            [json.loads(texts[report][1]) for report in made.reports.values()] for texts in written]
    return [dict(zip(made.reports, reports)) for reports in server.reports[alike]]


def _seeded(prompt: Prompt, run: int) -> Prompt:
    """With other seeds, so that each run samples again."""
    return {node: value | {"inputs": {key: run + 1 if key in acceleration.SEEDS else given
                                      for key, given in value["inputs"].items()}} for node, value in prompt.items()}


def _set(prompt: Prompt, part: rehearsal.Part) -> Sampling:
    """The settings of a sampler, as far as they are written in the workflow."""
    def at(names: tuple[str, ...], *nodes: str) -> str:
        values = [setting(prompt, node, name) for node in nodes if node in prompt for name in names]
        return next((f"{value:g}" if isinstance(value, (int, float)) else str(value)
                     for value in values if value is not None), "")

    def source(key: str, node: str) -> str:
        link = prompt[node]["inputs"].get(key)
        return rehearsal.chosen(prompt, link)[0] if isinstance(link, list) else ""
    guider, sampler, sigmas = (source(key, part.sampler) for key in ("guider", "sampler", "sigmas"))
    steps = at(("steps",), part.sampler, sigmas)
    if not steps and sigmas and isinstance(written := setting(prompt, sigmas, "sigmas"), str):
        steps = str(len(re.findall(r"[\d.]+", written)) - 1)
    named = at(("sampler_name",), part.sampler, sampler)
    if not named and sampler:
        named = prompt[sampler]["class_type"].removeprefix("Sampler").lower()
    cfg = at(("cfg", "cfg_conds", "video_cfg"), part.sampler, guider)
    if not cfg and guider and prompt[guider]["class_type"] == "BasicGuider":
        cfg = "none"
    scheduler = at(("scheduler",), part.sampler, sigmas) or (prompt[sigmas]["class_type"] if sigmas else "")
    return Sampling(part.file, part.model.name if part.model else "", steps, named, scheduler, cfg, part.loras)


def _said(report: dict) -> str:
    """What a node did in a run, from its report."""
    evaluations = report["evaluations"]
    computed = sum(entry["executed"] == entry["total"] for entry in evaluations)
    words = f"{computed} of {len(evaluations)} in full"
    failures = [failure if outcome.LIMIT in failure else f"failed: {failure}"
                for failure in report.get("failures") or ()]
    return ": ".join(filter(None, (words, "; ".join(filter(None, (report.get("note"), *failures))))))
