"""A workflow's model measured by its own settings: a Calibrate node in place of the sampler (`calibrate`)."""

import copy

from .acceleration import SEEDS, model_links
from .errors import UsageError
from .graph import Prompt, sources
from .node_types import Types

CALIBRATE = "BlockDanceCalibrate"
TITLE = "BlockDance Calibrate"
TAKEN = "positive", "negative", "latent_image", "steps", "cfg", "sampler_name", "scheduler"  # of the sampler's inputs


def calibrate(prompt: Prompt, types: Types, runs: int) -> Prompt:
    """A prompt that measures each MODEL that samplers get, by as many runs with the first sampler's settings, and does
    nothing else. Raises UsageError where no sampler has these settings, as a KSampler does."""
    found: dict[tuple, dict] = {}
    for node, given in model_links(prompt, types):
        inputs = prompt[node]["inputs"]
        if inputs.keys() >= {*TAKEN}:
            found.setdefault(tuple(inputs[given]), {
                "model": inputs[given], "runs": runs, **{key: inputs[key] for key in TAKEN},
                "seed": next((inputs[seed] for seed in SEEDS if seed in inputs), 0)})
    if not found:
        raise UsageError(f"nothing to calibrate by: no node of this workflow takes a MODEL and has all of "
                         f"{', '.join(TAKEN)}, as a KSampler does. Put a {TITLE} node into it, and run it")
    result, wanted = {}, set()
    for number, inputs in enumerate(found.values(), 1):
        title = TITLE if len(found) == 1 else f"{TITLE} {number}"
        result[f"calibrate {number}"] = {"class_type": CALIBRATE, "inputs": inputs, "_meta": {"title": title}}
        wanted |= sources(result, f"calibrate {number}")
    while wanted:
        node = wanted.pop()
        result[node] = copy.deepcopy(prompt[node])
        wanted |= sources(prompt, node) - result.keys()
    return result
