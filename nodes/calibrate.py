"""BlockDance Calibrate: measure a model by full runs, on purpose and with several seeds."""

from dataclasses import replace
from typing import Callable

import comfy.samplers
import torch
from comfy.model_patcher import ModelPatcher
from comfy_api.latest import io

from nodes import common_ksampler

from ..blockdance_core.auto.calibration import LEFT_OUT, SPEEDUPS, growth_of, refined
from ..blockdance_core.auto.kernel import Kernel, mean
from ..blockdance_core.auto.measurement import MeasureMethod
from ..blockdance_core.auto.method import AutoMethod
from ..blockdance_core.comfy.attach import attach, last_report
from ..blockdance_core.comfy.models.architectures import ANY_MODEL
from ..blockdance_core.methods.method import Method
from ..blockdance_core.plan.schedule import Quantity
from ..blockdance_core.words import count
from . import profiles
from . import server as notify
from .patch import CATEGORY
from .server import callable_by_scripts

STEADY = "euler"  # by which the growth of errors is measured where the sampler adds noise


class BlockDanceCalibrate(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="BlockDanceCalibrate",
            display_name="BlockDance Calibrate",
            category=f"{CATEGORY}/auto",
            description="Measures a model for BlockDance Auto by a few full runs of your own settings, and keeps the "
                        "result as a profile in models/blockdance. Auto does this by itself in its first run; more "
                        "runs, with your typical prompt, make a better profile.",
            search_aliases=["blockdance", "calibrate", "profile", "measure", "auto"],
            inputs=[
                io.Model.Input("model", tooltip="Any diffusion model, with the LoRAs and patches that you use."),
                io.Conditioning.Input("positive", tooltip="A prompt that is typical of what you make."),
                io.Conditioning.Input("negative", tooltip="The negative prompt that you use with it."),
                io.Latent.Input("latent_image", tooltip="An empty latent of your usual size. A batch of 2 to 4 "
                                                        "measures more in one run."),
                io.Int.Input("seed", default=0, min=0, max=2 ** 64 - 1,
                             control_after_generate=io.ControlAfterGenerate.fixed,
                             tooltip="The seed of the first run; the others count on from it by 1."),
                io.Int.Input("runs", default=2, min=1, max=16,
                             tooltip="Full runs to measure. 2 are enough for most, 4 give a little more; each takes "
                                     "as long as a picture."),
                io.Int.Input("steps", default=30, min=8, max=500,
                             tooltip="Your usual number of steps. Profiles serve other numbers, too; 20 to 50 measure "
                                     "well."),
                io.Float.Input("cfg", default=4., min=0., max=100., step=.1, round=.01,
                               tooltip="Your usual guidance: 1 for distilled models, 3 to 7 for most others."),
                io.Combo.Input("sampler_name", options=comfy.samplers.SAMPLER_NAMES, default="euler",
                               tooltip="Your usual sampler, if it evaluates the model once a step, as most do."),
                io.Combo.Input("scheduler", options=comfy.samplers.SCHEDULER_NAMES, default="simple",
                               tooltip="Your usual scheduler."),
                io.Int.Input("refine", default=0, min=0, max=12, optional=True, advanced=True,
                             tooltip="How many plans to try for each of the speed-ups "
                                     f"{', '.join(f'{speedup:g}' for speedup in SPEEDUPS)}, in runs of these seeds; "
                                     "the closest is kept for this number of steps and scheduler. 0 trusts the "
                                     "measurement. 6 say something with 4 runs or more, and take as long as some 13 "
                                     "full pictures for each run; the gain is small."),
                io.Boolean.Input("error_growth", default=True, optional=True, advanced=True,
                                 tooltip="Also measure how much a small error early in a run changes the picture, "
                                         "which says how many of the first steps have to be computed. Takes three "
                                         "more full runs for each run, four where the sampler adds noise; worth it "
                                         "for models of real pictures."),
            ],
            outputs=[
                io.Model.Output(display_name="model", tooltip="The model as it came, to be passed on to BlockDance "
                                                              "Auto, which then uses the new profile."),
                io.String.Output(display_name="profile", tooltip="The name of the file in models/blockdance."),
            ],
            hidden=[io.Hidden.unique_id], not_idempotent=True,  # server.py says why
        )

    @classmethod
    @callable_by_scripts
    def execute(cls, model, positive, negative, latent_image, seed: int, runs: int, steps: int, cfg: float,
                sampler_name: str, scheduler: str, refine: int = 0, error_growth: bool = True) -> io.NodeOutput:
        measured, node_id = profiles.Measured(model), notify.id_of(cls)

        def draw(patched: ModelPatcher, run: int, sampler: str) -> torch.Tensor:
            latent = common_ksampler(patched, (seed + run) % 2 ** 64, steps, cfg, sampler, scheduler, positive,
                                     negative, latent_image)[0]["samples"]
            parts = latent.unbind() if latent.is_nested else [latent]  # video and sound are drawn together
            return torch.cat([part.flatten() for part in parts])

        def measure(sampler: str) -> tuple[Quantity, Kernel, Callable[[Method], list[torch.Tensor]]]:
            """What full runs show, and the errors of others by the same sampler."""
            found: list[tuple[Quantity, Kernel]] = []

            def keep(quantity: Quantity, kernel: Kernel) -> str:
                found.append((quantity, kernel))
                return f"run {len(found)} of {runs} measured"
            recording, full = attach(model, MeasureMethod(keep, samplers=measured), family=ANY_MODEL), []
            for run in range(runs):
                notify.show(f"run {run + 1} of {runs}" + (f" by {sampler}" if sampler != sampler_name else ""), node_id)
                full.append(draw(recording, run, sampler))
                if len(found) <= run:
                    raise ValueError(f"run {run + 1} of {runs} has shown nothing: {last_report(recording).line()}")

            def errors_of(method: Method) -> list[torch.Tensor]:
                patched = attach(model, method, family=ANY_MODEL)
                return [draw(patched, run, sampler) - full[run] for run in range(runs)]
            return found[0][0], mean([kernel for _, kernel in found]), errors_of
        quantity, kernel, errors_of = measure(sampler_name)
        said = ""
        if error_growth:
            noisy = quantity is Quantity.PICTURE  # how errors grow is the model's, and noise hides it
            notify.show(f"measuring how errors grow, in {count(runs * (len(LEFT_OUT) + noisy), 'more run')}", node_id)
            try:
                of_quantity, of, errors = measure(STEADY) if noisy else (quantity, kernel, errors_of)
                kernel = replace(kernel, growth=growth_of(of, of_quantity, errors))
                said = f", errors grow by {kernel.growth:.1f}"
            except ValueError as error:
                said = f", how errors grow is not known: {error}"

        def errors_of_plan(method: AutoMethod) -> list[torch.Tensor]:
            notify.show(f"trying plans for {method.speedup:.2f}x", node_id)
            return errors_of(method)
        if refine:
            kernel = refined(kernel, quantity, refine, errors_of_plan)
        name = measured.save(quantity, kernel, runs, cfg=cfg, sampler=sampler_name, scheduler=scheduler)
        plans = f", {count(len(kernel.proven), 'plan')} refined" if refine else ""
        notify.show(f"{count(runs, 'run')} measured{said}{plans}: {name}", node_id)
        return io.NodeOutput(model, name)
