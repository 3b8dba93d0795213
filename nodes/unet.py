"""Delta-Cache Patch (U-Net): skip the inside of a U-Net on most steps."""

from comfy_api.latest import io

from ..blockdance_core.comfy.models.unet import UNETS
from ..blockdance_core.methods.method import Method, with_storage
from ..blockdance_core.methods.unet import UNet, UNetMethod
from ..blockdance_core.plan.plan import Kind
from .patch import CATEGORY, PatchNode, enabled_input, storage_inputs

SD15 = UNet("SD1.5", stacks=(1, 2, 2, 1, 2, 2, 1, 2, 2, 1, 1, 1, 3, 1, 1, 2, 2, 2, 3, 2, 2, 3, 2, 2, 2),
            channels=(320,) * 4 + (640,) * 3 + (1280,) * 12 + (640,) * 3 + (320,) * 3)


class DeltaCacheUNetPatch(PatchNode):
    FAMILY = UNETS
    EXAMPLE = SD15

    @classmethod
    def define_schema(cls) -> io.Schema:
        default = UNetMethod()
        return io.Schema(
            node_id="DeltaCacheUNetPatch",
            display_name="Delta-Cache Patch (U-Net)",
            category=f"{CATEGORY}/papers",
            description="The methods Delta-Cache and DeepCache on SD1.5, SD2 and SDXL, for researchers; for everyday "
                        "use take BlockDance Auto. On most steps only the outermost blocks of the U-Net are computed,"
                        " and what its inside changed at the last full step is added (or, as in DeepCache, what it "
                        "returned is reused).",
            search_aliases=["deepcache", "delta-cache", "delta cache", "blockdance paper", "sd1.5", "sdxl", "unet"],
            inputs=[
                io.Model.Input("model", tooltip="A U-Net: SD1.5, SD2 or SDXL."),
                io.Int.Input(
                    "N", default=default.N, min=1, max=10,
                    tooltip="The first of every N steps is computed in full, the others reuse. 2 stays closest to the "
                            "full result; 3 and 4 are faster; 1 turns reuse off."),
                io.Int.Input(
                    "depth", default=default.depth, min=1, max=99,
                    tooltip="How many of the first input blocks and of the last output blocks every step computes: "
                            "fewer is faster and loses more detail. 2 is the paper's. SD1.5 has 12, SDXL 9; mode delta "
                            "needs the same number of channels on both sides: 1, 2, 5, 8 or more for both."),
                io.Combo.Input(
                    "mode", options=[Kind.DELTA.value, Kind.FEATURE.value], default=default.mode.value,
                    tooltip="delta: add the stored change to what the step itself computed so far (Delta-Cache). "
                            "feature: reuse the stored hidden state as it is (DeepCache)."),
                io.Float.Input(
                    "start", default=default.start, min=0., max=1., step=.01,
                    tooltip="Where reuse begins, as a fraction of sampling. 0 as in the paper; 0.2 to 0.4 is safer and "
                            "saves less."),
                io.Float.Input(
                    "end", default=default.end, min=0., max=1., step=.01,
                    tooltip="Where reuse ends, as a fraction of sampling. 1 as in the paper; 0.9 to 0.95 gives the "
                            "finest detail full steps and saves less."),
                *storage_inputs(), enabled_input(),
            ],
            outputs=[io.Model.Output(display_name="model", tooltip="The same model, sampling with block reuse.")],
            hidden=[io.Hidden.unique_id], not_idempotent=True,  # server.py says why
        )

    @classmethod
    def method(cls, N: int, depth: int, mode: str, start: float, end: float, storage: str = "model",
               offload: str = "auto") -> Method:
        return with_storage(UNetMethod(N, depth, Kind(mode), start, end), storage, offload)
