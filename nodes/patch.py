"""What every patch node does with its method: attach it, and say on the node what will happen and what did."""

import asyncio

from aiohttp import web
from comfy_api.latest import io

from ..blockdance_core.comfy.attach import attach, is_patched, preview
from ..blockdance_core.comfy.full_runs import FullRuns, Machine
from ..blockdance_core.comfy.models.architectures import ANY_MODEL, TRANSFORMERS, Family
from ..blockdance_core.comfy.models.detection import UnsupportedModel
from ..blockdance_core.engine.report import Report
from ..blockdance_core.methods.method import Method, Off
from ..blockdance_core.plan.extrapolation import FORECASTS
from ..blockdance_core.plan.plan import DTYPES, OFFLOADS, Plan, Storage, Transformer
from ..blockdance_core.plan.plan_text import written
from ..blockdance_core.plan.schedule import Schedule
from ..blockdance_core.words import count
from . import metadata, profiles
from . import server as notify
from .server import callable_by_scripts

CATEGORY = "model/patch/blockdance"
PREVIEW_STEPS = 20
TRANSFORMER = ("Any diffusion transformer that ComfyUI has: Flux, SD3, Qwen-Image, Wan, HunyuanVideo, LTX, Z-Image, "
               "Chroma, PixArt and more. SD1.5 and SDXL are U-Nets and have a node of their own.")


def forecast_input() -> io.Combo.Input:
    return io.Combo.Input(
        "forecast", options=list(FORECASTS), default="off", optional=True, advanced=True,
        tooltip="off = the paper's method, which repeats what was stored. linear continues the change of the last two "
                "computed steps instead, quadratic of the last three: as fast and mostly closer to the full result, "
                "most of all at N = 2. Where these steps are too far or too unevenly apart for that, it is repeated as "
                "with off. Each takes that many times the cache. BlockDance Auto does this, better, by itself.")


def storage_inputs() -> list[io.Combo.Input]:
    return [
        io.Combo.Input(
            "storage", options=list(DTYPES), default=Storage().dtype, optional=True, advanced=True,
            tooltip="In which numbers the cache is kept. model = the model's own, nothing is lost. fp8 takes half of "
                    "what bf16 and fp16 models take and changes the picture a little; bf16 halves only the cache of "
                    "models that compute in fp32."),
        io.Combo.Input(
            "offload", options=list(OFFLOADS), default=Storage().offload, optional=True, advanced=True,
            tooltip="Where the cache is kept. auto = on the GPU, and in main memory when ComfyUI's estimate says that "
                    "the GPU has no room for it beside the model. on = always in main memory, which costs a copy "
                    "over the bus whenever something is stored or reused. off = always on the GPU. The picture is the "
                    "same.")]


def enabled_input() -> io.Boolean.Input:
    """The last input of every patch node."""
    return io.Boolean.Input(
        "enabled", default=True, optional=True, label_on="on", label_off="off",
        tooltip="off = the picture as without this node, to compare: same seed, once on and once off. The node then "
                "says how long the full run takes, and from then on how many times faster it makes it.")


class PatchNode(io.ComfyNode):
    """A node that puts a method on a model. EXAMPLE stands for the model as long as that is not known.

    FULL_RUNS: those that were seen, of all nodes, to tell how much faster others are; kept beside the profiles.
    """
    FAMILY: Family = TRANSFORMERS
    EXAMPLE = Transformer("PixArt", (28,))
    FULL_RUNS = FullRuns(lambda: profiles.library().folders[0])

    @classmethod
    def method(cls, **settings) -> Method:
        """The method that the values of the inputs mean. Raises ValueError where they have no meaning."""
        raise NotImplementedError

    @classmethod
    def method_for(cls, model, **settings) -> Method:
        """The same for a model that is there."""
        return cls.method(**settings)

    @classmethod
    def meaning(cls, **settings) -> dict:
        """The values of the inputs that `method` takes, where some stand for others."""
        return settings

    @classmethod
    def unheeded(cls, **settings) -> str:
        """What the values of the inputs say that does not count, for people; nothing where all of it does."""
        return ""

    @classmethod
    def preview_steps(cls, **settings) -> int:
        """How many steps to tell of as long as the sampler is not known."""
        return PREVIEW_STEPS

    @classmethod
    @callable_by_scripts
    def execute(cls, model, **settings) -> io.NodeOutput:
        node_id = notify.id_of(cls)
        given = {name: value for name, value in settings.items() if isinstance(value, (int, float, str))}
        on = settings.pop("enabled", True)
        if not on and is_patched(model):
            notify.show("switched off: the patch before it stays as it is", node_id)
            return io.NodeOutput(model)
        unheeded, settings = cls.unheeded(**settings) if on else "", cls.meaning(**settings)
        method, family = (cls.method_for(model, **settings), cls.FAMILY) if on else (Off(), cls._family_of(model))
        plan = preview(model, method, cls.preview_steps(**settings) if on else PREVIEW_STEPS, family)
        timeline = notify.Timeline(node_id, given)
        machine = Machine.of(model)

        def finished(report: Report) -> None:
            if unheeded:
                report.notes.append(unheeded)
            report.full_seconds = cls.FULL_RUNS.seconds(report, machine)
            cls.FULL_RUNS.see(report, machine)
            timeline.finished(report)
            notify.show(report.line(), node_id)
            metadata.add(report, node_id, given)
        output = attach(model, method, finished, family, timeline.running, plan)
        notify.show(_outlook(family.transformer_of(model.model.diffusion_model), plan), node_id)
        return io.NodeOutput(output)

    @classmethod
    def _family_of(cls, model) -> Family:
        """One that knows the blocks of the model if any does: what is not to be patched need not be known."""
        try:
            cls.FAMILY.transformer_of(model.model.diffusion_model)
        except UnsupportedModel:
            return ANY_MODEL
        return cls.FAMILY


def _outlook(transformer: Transformer, plan: Plan) -> str:
    """One line on what a run would do."""
    share = plan.computed_blocks(transformer.depth) / (transformer.depth * plan.steps)
    text = (f"{transformer.name}, {count(transformer.depth, 'block')}: in {count(plan.steps, 'step')} "
            f"{len(plan.reused_steps)} would reuse, {share:.0%} of the blocks be computed")
    return f"{text}; {plan.note}" if plan.note else text


MOST_STEPS, MOST_BLOCKS = 200, 1000  # a timeline of more steps has less than two pixels for each


def serve(routes: web.RouteTableDef, nodes: list[type[PatchNode]]) -> None:
    """Offer the ids of these nodes as GET /blockdance/plan, and their plans as POST.

    POST takes {"node": id, "settings": values of its inputs, "steps": number or null, "model": fields of its
    Transformer or null} and answers {"report": of a run that has executed nothing, "hint", "written": the plan as text}
    or {"error"}.
    """
    by_id = {node.__name__: node for node in nodes}

    @routes.get("/blockdance/plan")
    async def ids(_: web.Request) -> web.Response:
        return web.json_response(list(by_id))

    @routes.post("/blockdance/plan")
    async def plan(request: web.Request) -> web.Response:
        try:
            asked = await request.json()
            # In a thread: Auto's plan of so many steps takes seconds, in which the server has others to serve
            answer = await asyncio.to_thread(
                _answer, by_id[asked["node"]], asked["settings"], asked["steps"], asked["model"])
        except (KeyError, TypeError, AttributeError) as error:
            raise web.HTTPBadRequest(text=f"not a request for a plan: {error!r}")
        except ValueError as error:
            answer = {"error": str(error)}
        return web.json_response(answer)


def _answer(node: type[PatchNode], settings: dict, steps: int | None, model: dict | None) -> dict:
    """Raises ValueError, with the reason for the user, where there is no plan."""
    on, transformer = settings.pop("enabled", True), node.EXAMPLE
    unheeded, settings = node.unheeded(**settings) if on else "", node.meaning(**settings)
    method = node.method(**settings) if on else Off()
    hints = [unheeded] if unheeded else []
    if model is not None:
        transformer = type(transformer)(**{name: tuple(value) if isinstance(value, list) else value
                                           for name, value in model.items()})
    else:
        hints.append(f"for {transformer.name} as an example, until a run has shown the model")
    if steps is None:
        steps = node.preview_steps(**settings) if on else PREVIEW_STEPS
        hints.append(f"{count(steps, 'step')}, as no sampler is connected")
    if steps > MOST_STEPS:
        hints.append(f"for {MOST_STEPS} steps in place of {steps}")
    steps = min(max(1, steps), MOST_STEPS)
    if not 1 <= transformer.depth <= MOST_BLOCKS:
        raise ValueError(f"no plan for a model of {count(transformer.depth, 'block')}")
    plan = method.plan(Schedule.even(steps), transformer)
    report = Report(method.name, transformer, plan)
    return {"report": report.as_dict(), "hint": "; ".join(hints), "written": written(plan)}
