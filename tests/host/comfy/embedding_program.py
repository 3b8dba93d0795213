"""A program that uses ComfyUI as a library: argument 1 is a folder of its own, argument 2 names a way of calling nodes.

By hand is what people write; as a script is what exporters make of workflows, which hand the hidden inputs over, too.
Prints, as JSON, what came of each node.
"""

import asyncio
import importlib.util
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
FOLDER = Path(sys.argv[1])

spec = importlib.util.spec_from_file_location("conftest", ROOT / "tests" / "conftest.py")
spec.loader.exec_module(importlib.util.module_from_spec(spec))
sys.path.insert(0, str(FOLDER))  # its own modules come first, as those of any program

import folder_paths  # noqa: E402
import torch  # noqa: E402

import nodes  # noqa: E402
from blockdance.tests.models.tiny import FLUX, sample  # noqa: E402
from blockdance.tests.models.unets import SD  # noqa: E402

ways = {
    "by hand": lambda node, inputs: node.execute(**inputs),
    "as a script": lambda node, inputs: getattr(node(), node.FUNCTION)(
        **inputs, **{name: None for name in node.INPUT_TYPES().get("hidden", {})}),
}
call = ways[sys.argv[2]]
folder_paths.models_dir = str(FOLDER / "models")
folder_paths.set_temp_directory(str(FOLDER / "temp"))
folder_paths.set_input_directory(str(FOLDER / "there is none"))


def defaults(node: type) -> dict:
    """The values of its widgets."""
    required = node.INPUT_TYPES()["required"]
    return {name: spec[1]["default"] for name, spec in required.items() if len(spec) > 1 and "default" in spec[1]}


def main() -> dict:
    if not asyncio.run(nodes.load_custom_node(str(ROOT))):
        return {}
    ours = {name: node for name, node in nodes.NODE_CLASS_MAPPINGS.items()
            if getattr(node, "RELATIVE_PYTHON_MODULE", None) == f"custom_nodes.{ROOT.name}"}
    full, found = sample(FLUX.build(), FLUX), {"nodes": sorted(ours)}
    found["choices"] = {name: ours[node].INPUT_TYPES()["required"][name][1]["options"]
                        for node, name in (("BlockDanceAuto", "profile"), ("BlockDanceAdaLoader", "policy"))}
    found["refusals"] = [ours["BlockDanceAuto"].validate_inputs(profile="PixArtMS-28-ad070aa7-velocity-30.json"),
                         ours["BlockDanceAdaLoader"].validate_inputs(policy="shapes-world-pixart.safetensors")]
    for name in ("BlockDanceAuto", "BlockDancePatch", "DeltaCachePatch", "DeltaDiTPatch", "BlockDancePlan",
                 "DeltaCacheUNetPatch", "BlockDanceAuto", "BlockDanceProbe"):
        tiny = SD if name == "DeltaCacheUNetPatch" else FLUX
        patched = call(ours[name], {"model": tiny.build(), **defaults(ours[name])})[0]
        latent = {"samples": sample(patched, tiny)}
        viewer = ours["BlockDanceSimilarity" if name == "BlockDanceProbe" else "BlockDanceReport"]
        said = call(viewer, {**defaults(viewer), "model": patched, "latent": latent})[0]
        found[name] = [*found.get(name, []), said]
    calibrate = ours["BlockDanceCalibrate"]
    found["BlockDanceCalibrate"] = call(calibrate, {
        **defaults(calibrate), "model": FLUX.build(), "positive": FLUX.conditioning(10),
        "negative": FLUX.conditioning(20), "latent_image": {"samples": torch.zeros(1, *FLUX.latent)}, "steps": 8,
        "sampler_name": "euler", "scheduler": "simple"})[1]
    quality = ours["BlockDanceQuality"]
    picture = full[:, :3].movedim(1, -1)
    found["BlockDanceQuality"] = call(quality, {**defaults(quality), "reference": picture, "image": picture})[3]
    return found


print(json.dumps(main()))
