"""The command in ComfyUI's Python, in one process or as one of several."""

import logging
import os
import signal
import sys
from dataclasses import fields

import torch

from ...blockdance_core.ada.policy_file import PolicyError
from ...blockdance_core.ada.training import Progress, Settings
from ...blockdance_core.ada.workers import Workers
from ...blockdance_core.comfy.models.architectures import transformer_of
from ...blockdance_core.figures.canvas import THEMES
from ...blockdance_core.figures.curves import of_progress
from ...blockdance_core.methods.method import three_quarters
from .options import Options, parse


def main() -> int:
    options = parse(sys.argv[1:])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # unwinds, so that the checkpoint is written
    logging.disable(logging.INFO)  # the host's nodes log every run
    if torch.cuda.is_available():  # before ComfyUI asks for the device
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    workers = Workers.join()
    try:
        _train(options, workers)
        return 0
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from here", file=sys.stderr)
        return 130
    except (ValueError, OSError, PolicyError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    finally:
        workers.leave()


def _train(options: Options, workers: Workers) -> None:
    from ...blockdance_core.comfy.ada_predicted_rollouts import PredictedRollouts
    from ...blockdance_core.comfy.ada_rollouts import Rollouts, Sampling
    from ...blockdance_core.comfy.ada_training import train
    from .subject import load, reward_of
    subject = load(options)
    depth = transformer_of(subject.model.model.diffusion_model).depth
    borders = tuple(sorted(three_quarters(depth) - 1 if border == -1 else border for border in options.borders))
    studio = (PredictedRollouts if options.predicted_rollouts else Rollouts)(
        subject.model, subject.captions, subject.encode, options.negative, subject.latent,
        Sampling(options.steps, options.cfg, options.sampler, options.scheduler), borders, reward_of(options.reward),
        subject.decode, options.out.with_suffix(".scenes"), options.rho, options.seed)
    settings = Settings(**{field.name: getattr(options, field.name) for field in fields(Settings)})

    def on_batch(progress: Progress, batches: int) -> None:
        if workers.rank == 0:
            print(_line(progress, batches), flush=True)
            of_progress(progress, THEMES["light"]).save(options.out.with_suffix(".png"))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    card = train(studio, settings, options.network, options.out, workers, on_batch)
    if workers.rank == 0:
        print(f"{options.out}: {card.training['rollouts_done']} rollouts in {card.training['minutes']:.1f} minutes, "
              f"{card.training['macs']:.3g} MACs")


def _line(progress: Progress, batches: int) -> str:
    score = progress.scores[-1]
    line = (f"batch {progress.batches}/{batches}: C {score.saving:.3f}, Q {score.quality:.4f}, R {score.reward:.4f}, "
            f"{progress.seconds / 60:.1f} min")
    judged = progress.validations[-1] if progress.validations else (0, score)
    if judged[0] == progress.batches:
        line += f"; validation: C {judged[1].saving:.3f}, Q {judged[1].quality:.4f}, R {judged[1].reward:.4f}"
    return line


if __name__ == "__main__":
    sys.exit(main())
