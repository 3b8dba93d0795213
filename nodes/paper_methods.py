"""The papers' methods for transformers: BlockDance, Delta-Cache and Delta-DiT Patch, and a preset for each published
row."""

from collections.abc import Callable

from comfy_api.latest import io

from ..blockdance_core.methods.blockdance import BlockDanceMethod
from ..blockdance_core.methods.delta_cache import DeltaCacheMethod
from ..blockdance_core.methods.delta_dit import DeltaDiTMethod
from ..blockdance_core.methods.method import Method, with_forecast, with_storage
from ..blockdance_core.methods.presets import PRESETS
from .patch import CATEGORY, TRANSFORMER, PatchNode, enabled_input, forecast_input, storage_inputs


class BlockDancePatch(PatchNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        default = BlockDanceMethod()
        return io.Schema(
            node_id="BlockDancePatch",
            display_name="BlockDance Patch",
            category=f"{CATEGORY}/papers",
            description="The method of the paper BlockDance (CVPR 2025), for researchers; for everyday use take "
                        "BlockDance Auto. Once the structure of the picture has settled, most steps reuse the output "
                        "of the first three quarters of the blocks and compute only the rest. Put it between the "
                        "model loader and the sampler.",
            search_aliases=["blockdance paper", "feature reuse", "dit"],
            inputs=[
                io.Model.Input("model", tooltip=TRANSFORMER),
                io.Int.Input(
                    "N", default=default.N, min=1, max=10,
                    tooltip="Inside the window one step of every N is computed in full, the others reuse. "
                            "2 stays closest to the full result; 3 and 4 are faster; 1 turns reuse off."),
                io.Int.Input(
                    "block_index", default=default.block_index, min=-1, max=999,
                    tooltip="Deepest reused block, counted from 0 through all blocks of the model. Higher is faster "
                            "and loses more detail. -1 = three quarters of the depth, the paper's 20 of 28."),
                io.Float.Input(
                    "start", default=default.start, min=0., max=1., step=.01,
                    tooltip="Where reuse begins, as a fraction of sampling like every start percent in ComfyUI. Before "
                            "it the structure is still forming; earlier is faster and changes more of the picture. "
                            "0.25 to 0.5 are sensible."),
                io.Float.Input(
                    "end", default=default.end, min=0., max=1., step=.01,
                    tooltip="Where reuse ends, as a fraction of sampling. The last steps finish the fine detail; 0.9 "
                            "to 1 are sensible, later is faster."),
                forecast_input(), *storage_inputs(), enabled_input(),
            ],
            outputs=[io.Model.Output(display_name="model", tooltip="The same model, sampling with block reuse.")],
            hidden=[io.Hidden.unique_id], not_idempotent=True,  # server.py says why
        )

    @classmethod
    def method(cls, N: int, block_index: int, start: float, end: float,
               forecast: str = "off", storage: str = "model", offload: str = "auto") -> Method:
        return with_storage(
            with_forecast(BlockDanceMethod(N, block_index, start, end), forecast), storage, offload)


class DeltaCachePatch(PatchNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        default = DeltaCacheMethod()
        return io.Schema(
            node_id="DeltaCachePatch",
            display_name="Delta-Cache Patch",
            category=f"{CATEGORY}/papers",
            description="The method Delta-Cache of the paper Delta-DiT, with blocks of your choice, for researchers; "
                        "for everyday use take BlockDance Auto. On most steps a span of blocks is skipped and the "
                        "change that it made at the last full step is added instead. Keeps closer to the full result "
                        "than reusing the features themselves.",
            search_aliases=["delta-cache", "delta cache", "blockdance paper", "dit"],
            inputs=[
                io.Model.Input("model", tooltip=TRANSFORMER),
                io.Int.Input(
                    "N", default=default.N, min=1, max=10,
                    tooltip="The first of every N steps is computed in full, the others reuse. 2 stays closest to the "
                            "full result; 3 and 4 are faster; 1 turns reuse off."),
                io.Int.Input(
                    "first_block", default=default.first_block, min=0, max=999,
                    tooltip="First block of the span, counted from 0. Shallow spans (from 0) keep detail and lose "
                            "outline, deep ones keep the outline and lose detail. For 28 blocks and a span of 21: "
                            "shallow 0, middle 3, deep 7."),
                io.Int.Input(
                    "n_cached", default=default.n_cached, min=-1, max=999,
                    tooltip="Length of the span in blocks: more is faster and changes more of the picture. -1 = three "
                            "quarters of the depth, the paper's; half of the depth is safer."),
                io.Float.Input(
                    "start", default=default.start, min=0., max=1., step=.01,
                    tooltip="Where reuse begins, as a fraction of sampling. 0 as in the paper; 0.2 to 0.4 is safer and "
                            "saves less."),
                io.Float.Input(
                    "end", default=default.end, min=0., max=1., step=.01,
                    tooltip="Where reuse ends, as a fraction of sampling. 1 as in the paper; 0.9 to 0.95 gives the "
                            "finest detail full steps and saves less."),
                forecast_input(), *storage_inputs(), enabled_input(),
            ],
            outputs=[io.Model.Output(display_name="model", tooltip="The same model, sampling with Delta-Cache.")],
            hidden=[io.Hidden.unique_id], not_idempotent=True,  # server.py says why
        )

    @classmethod
    def validate_inputs(cls, n_cached: int | None = None) -> bool | str:
        return _answer(DeltaCacheMethod, n_cached=n_cached)

    @classmethod
    def method(cls, N: int, first_block: int, n_cached: int, start: float, end: float,
               forecast: str = "off", storage: str = "model", offload: str = "auto") -> Method:
        return with_storage(
            with_forecast(DeltaCacheMethod(N, first_block, n_cached, start, end), forecast), storage, offload)


class DeltaDiTPatch(PatchNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        default = DeltaDiTMethod()
        return io.Schema(
            node_id="DeltaDiTPatch",
            display_name="Delta-DiT Patch",
            category=f"{CATEGORY}/papers",
            description="The method of the paper Delta-DiT, for researchers; for everyday use take BlockDance Auto. "
                        "Every second step (N = 2) skips the deep blocks while the outline forms and the shallow "
                        "blocks while the details do, and adds the change that they made at the last full step.",
            search_aliases=["delta-dit", "delta dit", "blockdance paper", "budget"],
            inputs=[
                io.Model.Input("model", tooltip=TRANSFORMER),
                io.Int.Input(
                    "N", default=default.N, min=1, max=10,
                    tooltip="The first of every N steps is computed in full, the others reuse. 2 stays closest to the "
                            "full result; 3 and 4 are faster; 1 turns reuse off. Not used with a budget."),
                io.Float.Input(
                    "b", default=default.b, min=0., max=1., step=.01,
                    tooltip="Boundary between the outline and the detail stage, as a fraction of sampling: 0.6 is step "
                            "12 of 20, the paper's. Higher favors the outline, lower the detail; 0.4 to 0.6 are "
                            "sensible. The line on the node and in the log states the step."),
                io.Int.Input(
                    "n_cached", default=default.n_cached, min=-1, max=999,
                    tooltip="How many blocks a cached step skips: more is faster and changes more of the picture. -1 = "
                            "three quarters of the depth; half of the depth is safer. Not used with a budget."),
                io.Float.Input(
                    "budget", default=default.budget, min=0., max=.99, step=.01,
                    tooltip="0 = off. Otherwise the target cost as a fraction of full compute, 0.1 to 0.99: lower is "
                            "faster and changes more of the picture, 0.6 to 0.75 are sensible. N and n_cached follow "
                            "from it (Eq. 6 and 7 of the paper) and are shown on the node."),
                forecast_input(), *storage_inputs(), enabled_input(),
            ],
            outputs=[io.Model.Output(display_name="model", tooltip="The same model, sampling with Delta-DiT.")],
            hidden=[io.Hidden.unique_id], not_idempotent=True,  # server.py says why
        )

    @classmethod
    def validate_inputs(cls, n_cached: int | None = None, budget: float | None = None) -> bool | str:
        return _answer(DeltaDiTMethod, n_cached=n_cached, budget=budget)

    @classmethod
    def method(cls, N: int, b: float, n_cached: int, budget: float,
               forecast: str = "off", storage: str = "model", offload: str = "auto") -> Method:
        return with_storage(
            with_forecast(DeltaDiTMethod(N, b, n_cached, budget), forecast), storage, offload)


def _answer(method: Callable[..., Method], **given: int | float | None) -> bool | str:
    """Of a node that is asked whether these inputs can be: the method's objection, if it has one. None for a link."""
    try:
        method(**{name: value for name, value in given.items() if value is not None})
    except ValueError as error:
        return str(error)
    return True


class BlockDancePreset(PatchNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="BlockDancePreset",
            display_name="BlockDance Preset",
            category=f"{CATEGORY}/papers",
            description="For researchers; for everyday use take BlockDance Auto. The exact settings of a published "
                        "run of BlockDance or Delta-DiT, or of a baseline that they compare with. Set the steps of "
                        "your sampler as the entry says, where it does, and sampler and guidance as in the paper.",
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
            hidden=[io.Hidden.unique_id], not_idempotent=True,  # server.py says why
        )

    @classmethod
    def method(cls, preset: str) -> Method:
        return PRESETS[preset]
