"""The samplers of a workflow as they are set, on tiny models: what a CPU can run of it.

Everything that leads to a sampler is kept but for what needs files or reads pictures: loaders, encoders and latents
have stand-ins (stand_ins/), LoRAs and other patches that come from files are left out.
"""

import json
from collections.abc import Collection
from dataclasses import dataclass, field

from lab.headless.acceleration import DRAWN, SEEDS, model_links
from lab.headless.bypass import MODEL
from lab.headless.graph import Prompt, is_link
from lab.headless.node_types import NodeType, Types

from .model_files import Known, known
from .settings import chosen

FILES = ("unet_name", "ckpt_name", "model_name", "diffusion_model")
KEPT = {"NOISE", "SIGMAS", "SAMPLER", "GUIDER", "INT", "FLOAT", "BOOLEAN", "STRING", "COMBO"}
STAND_INS = {"IMAGE": ("EmptyImage", {"width": 64, "height": 64, "batch_size": 1, "color": 0}),
             "MASK": ("SolidMask", {"value": 1., "width": 64, "height": 64}),
             "CONDITIONING": ("AnyPrompt", {})}
THEME = "dark"


class Unplayable(RuntimeError):
    """Something of the workflow has no stand-in; the message names it."""


@dataclass(frozen=True)
class Part:
    """One sampler of a workflow: the file and the model that it samples with, the LoRAs between, and the node that
    makes it faster."""
    sampler: str
    file: str
    model: Known | None
    loras: tuple[str, ...]
    patch: str


@dataclass
class Rehearsal:
    """prompt: what to run; reports: the node that reports on each sampler; absent: why a sampler has none."""
    prompt: Prompt = field(default_factory=dict)
    reports: dict[str, str] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)


def parts(prompt: Prompt, types: Types, patches: Collection[str]) -> list[Part]:
    """The samplers behind these nodes of ours, in the prompt's order."""
    behind: dict[str, str] = {}
    for node, given in model_links(prompt, types):
        source = prompt[node]["inputs"][given][0]
        if source in patches:
            behind.setdefault(node, source)  # a guider of two models runs the first; the other goes along
    found = []
    for node, value in prompt.items():
        kind = types[value["class_type"]]
        if DRAWN.isdisjoint(kind.outputs) or "GUIDER" in kind.outputs:
            continue
        guiders = [link[0] for key, given in kind.inputs.items() if given.type == "GUIDER"
                   and is_link(link := value["inputs"].get(key))]
        if patch := behind.get(node) or next((behind[guider] for guider in map(
                lambda guider: chosen(prompt, [guider, 0])[0], guiders) if guider in behind), None):
            way = way_of(prompt, types, [patch, 0])
            file = file_of(prompt, way)
            loras = tuple(name for step in way if isinstance(name := prompt[step]["inputs"].get("lora_name"), str))
            found.append(Part(node, file, known(file) if file else None, loras, patch))
    return found


def way_of(prompt: Prompt, types: Types, link: list) -> list[str]:
    """The nodes that a MODEL comes through, back to its loader, by the switches as they are set."""
    way: list[str] = []
    following: list | None = link
    while following is not None and (node := chosen(prompt, following)[0]) in prompt and node not in way:
        way.append(node)
        following = model_input(prompt, types, node)
    return way


def file_of(prompt: Prompt, way: list[str]) -> str:
    """The file that the loader at its end loads."""
    inputs = prompt[way[-1]]["inputs"] if way else {}
    return next((inputs[key] for key in FILES if isinstance(inputs.get(key), str)), "")


def model_input(prompt: Prompt, types: Types, node: str) -> list | None:
    """The link by which a node that gives a MODEL gets one."""
    value = prompt[node]
    kind = types[value["class_type"]]
    return next((link for key, given in kind.inputs.items() if given.type == MODEL
                 and is_link(link := value["inputs"].get(key))), None)


def rehearsal(prompt: Prompt, types: Types, found: list[Part], missing: Collection[str]) -> Rehearsal:
    """missing: the nodes whose files are not there."""
    made = Rehearsal()
    experts: dict[str, int] = {}
    for part in found:
        if part.model is None or part.model.tiny is None:
            made.absent[part.sampler] = f"no tiny model for {part.file or 'what its loader gives'}"
            continue
        kept = _Kept(prompt, types, part.model.tiny, missing, experts)
        try:
            kept.keep(part.sampler)
        except Unplayable as problem:
            made.absent[part.sampler] = str(problem)
            continue
        made.prompt |= kept.prompt
        report = f"report of {part.sampler}"
        made.prompt[report] = {"class_type": "BlockDanceReport", "inputs": {
            "model": [part.patch, 0], "latent": [part.sampler, 0], "theme": THEME}}
        made.reports[part.sampler] = report
    return made


def shape(made: Rehearsal) -> str:
    """What is rehearsed, whatever its nodes are called and which seeds they have."""
    numbers: dict[str, int] = {}

    def described(node: str) -> list:
        if node in numbers:
            return [numbers[node]]
        numbers[node] = len(numbers)
        value = made.prompt[node]
        return [numbers[node], value["class_type"], [
            (key, [*described(given[0]), given[1]] if is_link(given) else given)
            for key, given in sorted(value["inputs"].items()) if key not in SEEDS]]
    return json.dumps([described(report) for report in made.reports.values()])


class _Kept:
    """What is kept for one sampler."""

    def __init__(self, prompt: Prompt, types: Types, tiny: str, missing: Collection[str], experts: dict[str, int]):
        self.prompt: Prompt = {}
        self._given, self._types, self._tiny, self._missing, self._experts = prompt, types, tiny, missing, experts

    def keep(self, node: str, wanted: str = "") -> None:
        if node in self.prompt:
            return
        value = self._given[node]
        kind = self._types[value["class_type"]]
        if node in self._missing:
            raise Unplayable(f"{value['class_type']} needs a file")
        inputs: dict[str, object] = {}
        self.prompt[node] = {"class_type": value["class_type"], "inputs": inputs}
        for key, given in value["inputs"].items():
            if not is_link(given):
                inputs[key] = given
                continue
            type_ = self._type(kind, key, given, wanted)
            link = self._link(given, type_)
            if link is not None:
                inputs[key] = link

    def _type(self, kind: NodeType, key: str, link: list, wanted: str) -> str:
        """What is wanted at an input: its own type, that of what leads to it where it takes any, or `wanted` where that
        gives any, too."""
        own = kind.inputs[key].type if key in kind.inputs else ""
        if own in KEPT | {MODEL, "LATENT", *STAND_INS}:
            return own
        source = self._given.get(link[0])
        outputs = self._types[source["class_type"]].outputs if source else ()
        gives = outputs[link[1]] if link[1] < len(outputs) else own
        return wanted if wanted and not gives.isalpha() else gives

    def _link(self, link: list, type_: str) -> list | None:
        link = chosen(self._given, link)
        if type_ == MODEL:
            return self._model(link)
        if type_ == "LATENT":
            return self._latent(link)
        if type_ in STAND_INS:
            return self._stand_in(type_, *STAND_INS[type_])
        if type_ in KEPT or not type_.isalpha():
            self.keep(link[0], type_)
            return link
        raise Unplayable(f"nothing stands in for {type_}")

    def _model(self, link: list) -> list:
        """The MODEL with those of its patches that need nothing from a file."""
        node = link[0]
        upstream = model_input(self._given, self._types, node)
        if upstream is None:
            expert = self._experts.setdefault(node, sum(self._file(node) != self._file(other)
                                                        for other in self._experts))
            return self._stand_in(f"model {node}", "TinyModel", {"model": self._tiny, "expert": expert})
        before = dict(self.prompt)
        try:
            self.keep(node)
            return link
        except Unplayable:
            self.prompt = before
            return self._link(upstream, MODEL)

    def _file(self, node: str) -> object:
        return [self._given[node]["inputs"].get(key) for key in FILES]

    def _latent(self, link: list) -> list:
        """That of the nearest sampler before, if there is one."""
        edge, seen = [link[0]], set()
        while edge:
            node = edge.pop(0)
            value = self._given.get(node)
            if value is None or node in seen:
                continue
            seen.add(node)
            kind = self._types[value["class_type"]]
            if "LATENT" in kind.outputs and any(given.type in (MODEL, "GUIDER") for given in kind.inputs.values()):
                if self._same_model(node):
                    self.keep(node)
                    return [node, kind.outputs.index("LATENT")]
                break
            edge.extend(given[0] for key, given in value["inputs"].items() if is_link(given)
                        and key in kind.inputs and kind.inputs[key].type == "LATENT")
        return self._stand_in("latent", "TinyLatent", {"model": self._tiny})

    def _same_model(self, sampler: str) -> bool:
        """Whether another sampler makes latents that this part's tiny model takes."""
        value = self._given[sampler]
        kind = self._types[value["class_type"]]
        links = [given for key, given in value["inputs"].items() if is_link(given)
                 and key in kind.inputs and kind.inputs[key].type in (MODEL, "GUIDER")]
        for link in links:
            found = known(file_of(self._given, way_of(self._given, self._types, link)))
            if found is not None:
                return found.tiny == self._tiny
        return False

    def _stand_in(self, name: str, node_class: str, inputs: dict[str, object]) -> list:
        node = f"stand-in for {name}"
        if name == "latent":
            node += f" of {self._tiny}"
        self.prompt[node] = {"class_type": node_class, "inputs": dict(inputs)}
        return [node, 0]
