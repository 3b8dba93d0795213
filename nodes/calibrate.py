"""BlockDance Calibrate: measure a model by full runs, on purpose and with several seeds."""

import comfy.samplers
from comfy_api.latest import io

from nodes import common_ksampler

from ..blockdance_core.auto.kernel import Kernel, mean
from ..blockdance_core.auto.policy import RecordPolicy
from ..blockdance_core.flow_time import Quantity
from ..blockdance_core.host.anything import ANYTHING
from ..blockdance_core.host.attach import attach, last_report
from . import notify, profiles
from .patch import CATEGORY


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
            ],
            outputs=[
                io.Model.Output(display_name="model", tooltip="The model as it came, to be passed on to BlockDance "
                                                              "Auto, which then uses the new profile."),
                io.String.Output(display_name="profile", tooltip="The name of the file in models/blockdance."),
            ],
            hidden=[io.Hidden.unique_id], not_idempotent=True,  # notify.py says why
        )

    @classmethod
    def execute(cls, model, positive, negative, latent_image, seed: int, runs: int, steps: int, cfg: float,
                sampler_name: str, scheduler: str) -> io.NodeOutput:
        measured = profiles.Measured(model)
        found: list[tuple[Quantity, Kernel]] = []

        def keep(quantity: Quantity, kernel: Kernel) -> str:
            found.append((quantity, kernel))
            return f"run {len(found)} of {runs} measured"
        recording = attach(model, RecordPolicy(keep), family=ANYTHING)
        for run in range(runs):
            notify.show(f"run {run + 1} of {runs}", cls.hidden.unique_id)
            common_ksampler(recording, (seed + run) % 2 ** 64, steps, cfg, sampler_name, scheduler, positive, negative,
                            latent_image)
            if len(found) <= run:
                raise ValueError(f"run {run + 1} of {runs} has shown nothing: {last_report(recording).line()}")
        quantity, _ = found[0]
        name = measured.save(quantity, mean([kernel for _, kernel in found]), runs, cfg=cfg, sampler=sampler_name,
                             scheduler=scheduler)
        notify.show(f"{runs} runs measured: {name}", cls.hidden.unique_id)
        return io.NodeOutput(model, name)
