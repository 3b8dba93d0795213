"""BlockDance Preset: one entry per published row of the papers, and per baseline."""

from comfy_api.latest import io

from ..blockdance_core.methods.presets import PRESETS, Method
from .patch import CATEGORY, PatchNode, enabled_input


class BlockDancePreset(PatchNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="BlockDancePreset",
            display_name="BlockDance Preset",
            category=f"{CATEGORY}/papers",
            description="For researchers; for everyday use take BlockDance Auto. The exact settings of a published "
                        "run of BlockDance or Delta-DiT, or of a baseline that they compare with. Steps, sampler and "
                        "guidance are yours to set as the entry says.",
            search_aliases=["blockdance paper", "delta-dit", "delta-cache", "deepcache", "published settings"],
            inputs=[
                io.Model.Input("model", tooltip="A diffusion transformer with as many blocks as the entry needs: 28 "
                                                "unless it names another number."),
                io.Combo.Input("preset", options=list(PRESETS),
                               tooltip="The number of steps in brackets is that of the published run; keep to it. A "
                                       "higher N or Nc is faster and changes more; BlockDance with N = 2 is closest to "
                                       "the full picture."),
                enabled_input(),
            ],
            outputs=[io.Model.Output(display_name="model", tooltip="The same model, sampling as published.")],
            hidden=[io.Hidden.unique_id], not_idempotent=True,  # notify.py says why
        )

    @classmethod
    def method(cls, preset: str) -> Method:
        return PRESETS[preset]
