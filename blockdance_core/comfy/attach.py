"""Put a method on a MODEL, as keyed wrappers on a clone of its patcher; and what a profile knows that MODEL by."""

import logging
import math
from contextlib import suppress
from copy import copy
from dataclasses import replace
from functools import partial
from typing import Callable, Collection, Sequence

import comfyui_version
import torch
from comfy.model_management import InterruptProcessingException
from comfy.model_patcher import ModelPatcher
from comfy.model_sampling import CONST
from comfy.patcher_extension import WrappersMP
from comfy.samplers import CFGGuider
from torch.nn import Module

from .. import __version__
from ..auto.profile import Fingerprint
from ..auto.weights import KernelExtrapolation
from ..engine.report import Report
from ..methods.method import Method
from ..plan.plan import Plan
from ..plan.schedule import FlowTime, SamplerTraits, Schedule
from .messages import words_of
from .models.architectures import ANY_MODEL, TRANSFORMERS, Family
from .run import Run
from .run_history import MOST_RUNS, History, Result
from .step_tracking import traits_of

logger = logging.getLogger(__name__)

KEY = "blockdance"


def attach(model: ModelPatcher, method: Method, on_report: Callable[[Report], None] | None = None,
           family: Family = TRANSFORMERS, on_evaluation: Callable[[Report], None] | None = None,
           previewed: Plan | None = None) -> ModelPatcher:
    """A clone of the model that samples by this method; `on_report` gets the account of each finished run, and
    `on_evaluation` that of a running one whenever an evaluation begins.

    A method that was attached before is replaced. Raises UnsupportedModel for a model without known blocks, and
    ValueError where the method does not fit it, which `preview` has found out already where its plan is given.
    """
    if previewed is None:
        preview(model, method, 20, family)

    def begin(schedule: Schedule, diffusion_model: Module, undisturbed: bool) -> Run:
        return Run(method, schedule, family, diffusion_model, undisturbed, on_evaluation)

    def finish(run: Run) -> Report:
        report = run.finish()
        with run.messages.survive("what this run was made with is not known"):
            report.provenance = provenance(report.plan)
        logger.info("%s on %s: %s", method.name, report.transformer.name, report.line())
        if on_report is not None:
            with run.messages.survive("the report of this run could not be passed on"):
                on_report(report)
        return report
    return install(model, method.name, begin, finish)


def install(model: ModelPatcher, name: str, begin: Callable, finish: Callable, most: int = MOST_RUNS) -> ModelPatcher:
    """A clone of the model that samples through the runs that `begin` makes, in place of what was attached before.

    `finish` gets each run that has come to its end, and returns what is to be known of it, which is
    kept of the latest `most`.
    """
    patched = model.clone()
    if patched.wrappers.get(WrappersMP.OUTER_SAMPLE, {}).get(KEY):
        logger.info("%s replaces the BlockDance patch that this model had", name)
    results = History(most)
    wrappers = {
        WrappersMP.OUTER_SAMPLE: partial(_sample, begin=begin, finish=finish, results=results),
        WrappersMP.PREDICT_NOISE: _predict_noise,
        WrappersMP.CALC_COND_BATCH: _calc_cond_batch,
        WrappersMP.APPLY_MODEL: _apply_model,
    }
    for kind, wrapper in wrappers.items():
        patched.remove_wrappers_with_key(kind, KEY)
        patched.add_wrapper_with_key(kind, KEY, wrapper)
    patched.set_attachments(KEY, results)
    return patched


def is_patched(model: ModelPatcher) -> bool:
    """Whether something was attached to this model, or to one that it is a clone of."""
    return model.get_attachment(KEY) is not None


def last_report(model: ModelPatcher) -> Report | None:
    """The account of the latest finished run of a patched model, of its clones included; None before the first."""
    return latest(model, Report)


def latest(model: ModelPatcher, kind: type[Result]) -> Result | None:
    """What the latest run has left, if it is of this kind. It holds no tensors of the run's cache."""
    return history(model).latest(kind)


def history(model: ModelPatcher) -> History:
    """The finished runs of a patched model and of its clones, whatever it was patched by last."""
    return model.get_attachment(KEY) or History()


def preview(model: ModelPatcher, method: Method, steps: int, family: Family = TRANSFORMERS) -> Plan:
    """The plan of this method for so many equal steps of a full run. Raises as `attach` does."""
    sampling = model.get_model_object("model_sampling")
    sigmas = tuple(float(sampling.percent_to_sigma(step / steps)) for step in range(steps)) + (0.,)
    return method.plan(schedule_of(sampling, sigmas), family.transformer_of(model.model.diffusion_model))


def schedule_of(sampling: object, sigmas: tuple[float, ...], sampler: SamplerTraits = SamplerTraits()) -> Schedule:
    """The schedule of a run of a model with this model_sampling."""
    return Schedule(sigmas, sampling.percent_to_sigma, FlowTime(is_flow(sampling)), sampler)


def is_flow(sampling: object) -> bool:
    """Whether a model_sampling is that of a flow: the latent is (1 - sigma) * picture + sigma * noise."""
    return isinstance(sampling, CONST)


def _sample(executor, noise, latent_image, sampler, sigmas, *args, begin, finish, results, **kwargs):
    """OUTER_SAMPLE: a run begins and ends here."""
    guider = executor.class_obj
    patcher = guider.model_patcher
    options = guider.model_options["transformer_options"]
    undisturbed = options["wrappers"][WrappersMP.PREDICT_NOISE].keys() == {KEY}
    masked = next(iter(args), kwargs.get("denoise_mask")) is not None
    schedule = schedule_of(patcher.get_model_object("model_sampling"), tuple(sigmas.tolist()),
                           traits_of(sampler, shown=undisturbed and not masked))
    if len(shapes := kwargs.get("latent_shapes") or ()) > 1:
        schedule = replace(schedule, streams=tuple(math.prod(shape[1:]) for shape in shapes))
    if undisturbed and not masked:
        with suppress(AttributeError, TypeError, ValueError):  # of a guider that is like none of ComfyUI's
            schedule = replace(schedule, way=_way(guider, schedule.sampler.key, noise.shape))
    run = begin(schedule, patcher.model.diffusion_model, undisturbed)
    enclosing = options.get(KEY)
    options[KEY] = run
    try:
        output = executor(noise, latent_image, sampler, sigmas, *args, **kwargs)
    finally:
        run.close()
        if enclosing is None:
            del options[KEY]
        else:
            options[KEY] = enclosing
    try:
        results.add(finish(run))
    except InterruptProcessingException:  # an Exception in older releases
        raise
    except Exception as error:  # the picture is there and must not be lost
        logger.warning("what a run has shown is lost: %s", words_of(error), exc_info=error)
        results.add(None)
    return output


def way_of(sampler: str, cfg: float, shape: Sequence[int], guidances: Collection[float] = ()) -> str:
    """Schedule.way. sampler: its key; shape: (B, C, ...) of the latent; guidances: those that the model is told."""
    told = [f"guidance {guidance:g}" for guidance in sorted(guidances)]
    return ", ".join([sampler, f"cfg {cfg:g}", *told, " x ".join(map(str, shape[1:]))])


def _way(guider: object, sampler: str, shape: Sequence[int]) -> str:
    """Of a run that is about to begin; empty for guiders that combine conditions in other ways than by one cfg."""
    if type(guider).predict_noise is not CFGGuider.predict_noise:
        return ""
    guidances = {cond.get("guidance") for conds in guider.conds.values() for cond in conds} - {None}
    return way_of(sampler, guider.cfg, shape, guidances)


def _predict_noise(executor, x, timestep, model_options, *args, **kwargs):
    """PREDICT_NOISE: one evaluation."""
    def predict():
        return executor(x, timestep, model_options, *args, **kwargs)
    run = model_options.get("transformer_options", {}).get(KEY)
    if run is None:
        return predict()
    guider = executor.class_obj
    return run.evaluate(predict, x, timestep, getattr(guider, "conds", {}), not _is_watched(guider, model_options))


def _is_watched(guider: object, model_options: dict) -> bool:
    """Whether a sampler has put in a function that is told the parts of each evaluation, as those of CFG++ do."""
    functions = "sampler_post_cfg_function"
    return model_options.get(functions, []) != getattr(guider, "model_options", {}).get(functions, [])


def _calc_cond_batch(executor, model, conds, x_in, timestep, model_options, *args, **kwargs):
    """CALC_COND_BATCH: some passes of an evaluation, which guidance may ask for several times."""
    run = model_options.get("transformer_options", {}).get(KEY)
    if run is not None:
        run.begin_call()
    return executor(model, conds, x_in, timestep, model_options, *args, **kwargs)


def _apply_model(executor, x, t, c_concat, c_crossattn, control, transformer_options, *args, **kwargs):
    """APPLY_MODEL: one pass."""
    run = transformer_options.get(KEY)
    if run is None:
        return executor(x, t, c_concat, c_crossattn, control, transformer_options, *args, **kwargs)

    def forward():
        # U-Nets and HunyuanDiT take the residuals out of their lists, which a second call would miss
        residuals = control and {place: copy(found) for place, found in control.items()}
        return executor(x, t, c_concat, c_crossattn, residuals, transformer_options, *args, **kwargs)
    return run.apply_model(forward, executor.class_obj, x, transformer_options, control)


def fingerprint_of(model: ModelPatcher) -> Fingerprint:
    diffusion_model = model.model.diffusion_model
    transformer = ANY_MODEL.transformer_of(diffusion_model)
    name, parameters = transformer.name, getattr(diffusion_model, "parameters", tuple)()
    if not isinstance(diffusion_model, Module):  # an engine tells nothing of what it runs
        name = f"{type(model.model).__name__} {name}"
    return Fingerprint(name, transformer.stacks, sum(p.numel() for p in parameters),
                       is_flow(model.get_model_object("model_sampling")))


def versions() -> dict[str, str]:
    return {"comfyui": comfyui_version.__version__, "blockdance": __version__, "torch": str(torch.__version__)}


def provenance(plan: Plan) -> dict[str, str]:
    """What it takes to make the same picture again: the versions, and where the plan forecasts by a profile the digest
    of that."""
    extrapolation = plan.extrapolation
    profile = {"profile": extrapolation.kernel.digest} if isinstance(extrapolation, KernelExtrapolation) else {}
    return {**versions(), **profile}
