"""The same picture several ways: sampling times that can be compared, and how far each is from the reference."""

import copy
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import numpy as np

from . import overrides, quality
from .client import Result
from .errors import PromptError
from .graph import Prompt
from .overrides import Setting
from .row import Row

# No node has this input. The server ignores it, but takes the prompt for another one and so samples again
FRESH = "headless_run"
WITHOUT = "without BlockDance"


@dataclass(frozen=True)
class Variant:
    """One way to make the picture. `samplers` are the nodes whose time counts."""
    label: str
    reference: str  # label of the variant that it is measured against, which may be itself
    prompt: Prompt
    samplers: tuple[str, ...]
    settings: tuple[Setting, ...] = ()  # that the prompt was made with

    @property
    def columns(self) -> dict[str, str]:
        """The settings as they were written."""
        return {setting.key: setting.text for setting in self.settings}


Run = Callable[[str, Prompt], Result]  # label, prompt
Keep = Callable[[Variant, Result], None]


def variants(prompt: Prompt, plain: Prompt, samplers: tuple[str, ...], combinations: list[tuple[Setting, ...]]
             ) -> list[Variant]:
    """The prompt with each combination of settings, after its reference: `plain`, the prompt without this pack, with
    those that are not of the pack. A seed, for one, makes another picture without it, too."""
    found: dict[str, Variant] = {}
    for settings in combinations:
        outside = tuple(setting for setting in settings if setting.node in plain)
        reference = f"{WITHOUT}, {overrides.label(outside)}" if outside else WITHOUT
        for label, given, wanted in ((reference, plain, outside),
                                     (overrides.label(settings) or "as given", prompt, settings)):
            found[label] = Variant(label, reference, overrides.apply(given, wanted), samplers, wanted)
    return list(found.values())


def compare(variants: list[Variant], rounds: int, shown: list[str], run: Run,
            keep: Keep = lambda variant, result: None) -> tuple[list[Row], list[Result]]:
    """Measure each variant against its reference. `shown` are the nodes whose pictures are compared.

    One run of each goes before and is not counted, as loading and what a node does in its first run of a model are not
    what is asked; in each round another variant goes first. `keep` gets each variant's result of the first round as
    soon as it is there. Returns the rows, and these results.
    """
    for variant in variants:
        run(f"warming up {variant.label}", _fresh(variant))
    seconds: list[list[float]] = [[] for _ in variants]
    results: list[Result | None] = [None] * len(variants)
    for turn in range(rounds):
        for index in _rotated(len(variants), turn):
            variant = variants[index]
            result = run(f"{turn + 1}/{rounds} {variant.label}", _fresh(variant))
            seconds[index].append(_sampling(variant, result))
            if results[index] is None:
                results[index] = result
                keep(variant, result)
    place = {variant.label: index for index, variant in enumerate(variants)}
    rows = []
    for variant, times, result in zip(variants, seconds, results):
        against = place[variant.reference]
        speedup = median(seconds[against]) / median(times)
        found = quality.compare(_pictures(result, shown), _pictures(results[against], shown))
        rows.append(Row(variant.label, variant.reference, median(times), speedup, found.psnr, found.ssim,
                        found.pictures, found.equal))
    return rows, results


def _rotated(count: int, turn: int) -> list[int]:
    order = list(range(count))
    return order[turn % count:] + order[:turn % count]


def _fresh(variant: Variant) -> Prompt:
    prompt = copy.deepcopy(variant.prompt)
    for node in variant.samplers:
        prompt[node]["inputs"][FRESH] = uuid.uuid4().hex
    return prompt


def _sampling(variant: Variant, result: Result) -> float:
    if missing := [node for node in variant.samplers if node not in result.seconds]:
        raise PromptError(f"cannot time {variant.label}: node {', '.join(missing)} was not executed")
    return sum(result.seconds[node] for node in variant.samplers)


def _pictures(result: Result, shown: list[str]) -> list[np.ndarray]:
    """Of the saved files; of previews where nothing is saved."""
    files = [file for node in shown for file in result.files.get(node, ())]
    return [frame for file in [file for file in files if file.saved] or files for frame in quality.frames(file)]
