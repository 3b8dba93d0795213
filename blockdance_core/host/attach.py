"""Put a policy on a MODEL, as keyed wrappers on a clone of its patcher."""

import logging
from functools import partial
from typing import Callable

from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import WrappersMP

from ..plan import Plan
from ..report import Report
from ..schedule import Schedule
from .architectures import TRANSFORMERS, Family
from .run import Policy, Run

logger = logging.getLogger(__name__)

KEY = "blockdance"


def attach(model: ModelPatcher, policy: Policy, on_report: Callable[[Report], None] | None = None,
           family: Family = TRANSFORMERS) -> ModelPatcher:
    """A clone of the model that samples by this policy; `on_report` gets the account of each finished run.

    A policy that was attached before is replaced. Raises UnsupportedModel for a model without known blocks, and
    ValueError where the policy does not fit it.
    """
    preview(model, policy, 20, family)
    patched = model.clone()
    if patched.wrappers.get(WrappersMP.OUTER_SAMPLE, {}).get(KEY):
        logger.info("%s replaces the BlockDance patch that this model had", policy.name)
    wrappers = {
        WrappersMP.OUTER_SAMPLE: partial(_sample, policy=policy, on_report=on_report, family=family),
        WrappersMP.PREDICT_NOISE: _predict_noise,
        WrappersMP.APPLY_MODEL: _apply_model,
    }
    for kind, wrapper in wrappers.items():
        patched.remove_wrappers_with_key(kind, KEY)
        patched.add_wrapper_with_key(kind, KEY, wrapper)
    return patched


def preview(model: ModelPatcher, policy: Policy, steps: int, family: Family = TRANSFORMERS) -> Plan:
    """The plan of this policy for so many equal steps of a full run."""
    percent_to_sigma = model.get_model_object("model_sampling").percent_to_sigma
    sigmas = tuple(float(percent_to_sigma(step / steps)) for step in range(steps)) + (0.,)
    return policy.plan(Schedule(sigmas, percent_to_sigma), family.transformer_of(model.model.diffusion_model))


def _sample(executor, noise, latent_image, sampler, sigmas, *args, policy, on_report, family, **kwargs):
    """OUTER_SAMPLE: a run begins and ends here."""
    guider = executor.class_obj
    patcher = guider.model_patcher
    schedule = Schedule(tuple(sigmas.tolist()), patcher.get_model_object("model_sampling").percent_to_sigma)
    run = Run(policy, schedule, family, patcher.model.diffusion_model, sampler)
    options = guider.model_options["transformer_options"]
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
    logger.info("%s on %s: %s", policy.name, run.report.transformer.name, run.report.line())
    if on_report is not None:
        on_report(run.report)
    return output


def _predict_noise(executor, x, timestep, model_options, *args, **kwargs):
    """PREDICT_NOISE: one evaluation."""
    def predict():
        return executor(x, timestep, model_options, *args, **kwargs)
    run = model_options["transformer_options"].get(KEY)
    return predict() if run is None else run.evaluate(predict, timestep)


def _apply_model(executor, x, t, c_concat, c_crossattn, control, transformer_options, *args, **kwargs):
    """APPLY_MODEL: one pass."""
    def forward():
        return executor(x, t, c_concat, c_crossattn, control, transformer_options, *args, **kwargs)
    run = transformer_options.get(KEY)
    return forward() if run is None else run.apply_model(forward, executor.class_obj, x, transformer_options)
