"""BlockDance Calibrate: measure a model by full runs, on purpose and with several seeds."""

import time
from dataclasses import dataclass, field, replace
from typing import Callable, Iterator

import comfy.samplers
import torch
from comfy.model_management import InterruptProcessingException
from comfy.model_patcher import ModelPatcher
from comfy_api.latest import io

from nodes import common_ksampler

from ..blockdance_core.auto.calibrate import Stages, calibrated
from ..blockdance_core.auto.calibration import CHECKED, SPEEDUPS, CalibrationRuns, size_of
from ..blockdance_core.auto.kernel import Kernel, mean
from ..blockdance_core.auto.measurement import MeasureMethod
from ..blockdance_core.auto.sampler_observation import Samplers
from ..blockdance_core.auto.trial import TrialMethod
from ..blockdance_core.comfy.attach import attach, last_report
from ..blockdance_core.comfy.models.architectures import ANY_MODEL
from ..blockdance_core.comfy.step_tracking import traits_of
from ..blockdance_core.methods.method import Method
from ..blockdance_core.plan.schedule import Quantity
from ..blockdance_core.words import count
from . import profiles
from . import server as notify
from .patch import CATEGORY
from .server import callable_by_scripts


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
                             tooltip="Full runs to measure. 2 are enough for most, 4 give a little more. With "
                                     "error_growth and check_quality on, each counts 5.5 times: 2 take as long as 11 "
                                     "pictures; with both off, as long as 2."),
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
                io.Boolean.Input("check_quality", default=True, optional=True, advanced=True,
                                 tooltip="Also draw the same seeds at "
                                         f"{', '.join(f'{speedup:g}' for speedup in CHECKED)}x, so that the quality "
                                         "that Auto expects is what came out. Takes 1.5 more full runs for each run."),
                io.Boolean.Input("fit_weights", default=False, optional=True, advanced=True,
                                 tooltip="Also fit the weights to the final images, for the speed-ups at which a "
                                         "difference can be seen, and keep what is closer in runs that took no part "
                                         "in it. Needs 2 runs, better 6; takes 3 to 8 more full runs for each run and "
                                         "speed-up. The gain is small."),
            ],
            outputs=[
                io.Model.Output(display_name="model", tooltip="The model as it came, to be passed on to BlockDance "
                                                              "Auto, which then uses the new profile."),
                io.String.Output(display_name="profile", tooltip="The name of the file in models/blockdance."),
            ],
            is_output_node=True,  # it may run alone
            hidden=[io.Hidden.unique_id], not_idempotent=True,  # server.py says why
        )

    @classmethod
    @callable_by_scripts
    def execute(cls, model, positive, negative, latent_image, seed: int, runs: int, steps: int, cfg: float,
                sampler_name: str, scheduler: str, refine: int = 0, error_growth: bool = True,
                check_quality: bool = True, fit_weights: bool = False) -> io.NodeOutput:
        if fit_weights and runs < 2:
            raise ValueError("fit_weights fits to some runs and judges by others: set runs to 2 or more, better to 6")
        measured, node_id = profiles.Measured(model), notify.id_of(cls)

        def draw(patched: ModelPatcher, run: int, sampler: str) -> torch.Tensor:
            latent = common_ksampler(patched, (seed + run) % 2 ** 64, steps, cfg, sampler, scheduler, positive,
                                     negative, latent_image)[0]["samples"]
            if not latent.is_nested:
                return model.model.process_latent_in(latent).flatten()
            return torch.cat([part.flatten() for part in latent.unbind()])  # video and sound are drawn together
        stages = Stages(error_growth, SPEEDUPS if refine else CHECKED if check_quality or fit_weights else (),
                        refine or 1, fit_weights)
        quantity = traits_of(comfy.samplers.sampler_object(sampler_name)).quantity
        work = Work(lambda text: notify.show(text, node_id), runs * (1 + stages.cost(quantity)))
        calibration = Runs(model, runs, draw, measured, work)
        full = calibration.full(sampler_name, f"; about {work.total:.0f} full runs in all")
        settings = {"cfg": cfg, "sampler": sampler_name, "scheduler": scheduler}
        full = replace(full, kernel=measured.resumed(full.quantity, full.kernel, runs, **settings))

        def by(sampler: str) -> CalibrationRuns:
            return calibration.full(sampler, f" by {sampler}")
        try:
            for full in calibrated(full, by, stages, work.tell):
                pass
        except InterruptProcessingException:
            measured.save(full.quantity, full.kernel, runs, **settings, **profiles.STOPPED)
            raise
        name = measured.save(full.quantity, full.kernel, runs, **settings)
        notify.show("; ".join((f"{count(runs, 'run')} measured", *full.notes, *_outcome(full, stages),
                               f"kept as {name}")), node_id)
        return io.NodeOutput(model, name)


def _outcome(full: CalibrationRuns, stages: Stages) -> Iterator[str]:
    """What the stages have come to, for people."""
    fitted = sum(bool(plan.changes) for plan in full.kernel.proven)
    if stages.tries > 1:
        yield f"{count(len(full.kernel.proven), 'plan')} refined"
    if stages.fit:
        yield (f"weights of {count(fitted, 'plan')} fitted" if fitted else
               "no weights were closer than those measured")
    if stages.speedups:
        yield "expect " + ", ".join(f"{speedup:g}x {full.shown(speedup):.0f} dB" for speedup in stages.speedups)


@dataclass
class Work:
    """How much there is to do, in full runs, and how much is done. show: shows a line."""
    show: Callable[[str], None]
    total: float
    done: float = 0.
    started: float = field(default_factory=time.monotonic)

    def tell(self, text: str, more: float = 0.) -> None:
        """With the time that is left, once it is known and more than a minute. more: full runs to do, on top."""
        self.total += more
        left = (time.monotonic() - self.started) * (self.total / self.done - 1) / 60 if self.done else 0.
        self.show(f"{text}; about {left:.0f} min left" if left > 1 else text)


@dataclass(frozen=True)
class Runs:
    """Those of one execution. draw: makes one with a model, by its number and a sampler, and gives its latent (n,);
    samplers: keeps what is observed of samplers; work: shows what goes on."""
    model: ModelPatcher
    count: int
    draw: Callable[[ModelPatcher, int, str], torch.Tensor]
    samplers: Samplers
    work: Work

    def full(self, sampler: str, how: str = "") -> CalibrationRuns:
        """how: said of these runs beside their numbers. Raises ValueError where one shows nothing of the model."""
        found: list[tuple[Quantity, Kernel]] = []

        def keep(quantity: Quantity, kernel: Kernel) -> str:
            found.append((quantity, kernel))
            return f"run {len(found)} of {self.count} measured"
        recording, latents = attach(self.model, MeasureMethod(keep, samplers=self.samplers), family=ANY_MODEL), []
        for run in range(self.count):
            self.work.tell(f"run {run + 1} of {self.count}{how}")
            latents.append(self.draw(recording, run, sampler))
            if len(found) <= run:
                raise ValueError(f"run {run + 1} of {self.count} has shown nothing: {last_report(recording).line()}")
            self.work.done += 1

        def error_of(method: Method, run: int) -> torch.Tensor:
            error = self.draw(attach(self.model, method, family=ANY_MODEL), run, sampler) - latents[run]
            self.work.done += method.share if isinstance(method, TrialMethod) else 1
            return error
        return CalibrationRuns(found[0][0], mean([kernel for _, kernel in found]), error_of, self.count,
                               last_report(recording).way, size_of(latents))
