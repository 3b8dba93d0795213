"""The same captions and seeds by several arms, and how near each comes to full sampling for its compute.

    from blockdance.lab.benchmarks.arm import Arm, method_arm
    from blockdance.lab.benchmarks.compare import compare
    from blockdance.lab.benchmarks.row import text
    rows = compare("demo/weights/pixart.safetensors", [method_arm("BlockDance", "N=2", BlockDanceMethod(2))])
    print(text(rows))

in a script that `python3 -m lab.benchmarks.start` runs.
"""

from dataclasses import replace
from pathlib import Path
from typing import Callable, Iterator, Sequence

import torch
from comfy.model_patcher import ModelPatcher
from comfy.samplers import sampler_object

from ...blockdance_core.comfy.step_tracking import traits_of
from . import memory
from .arm import FULL, Arm, Calibration
from .captions import Scene
from .expectation import expected
from .quality import compare as judge
from .record import Memory, Record
from .row import Row, rows
from .setting import Setting
from .subject import Drawing, Subject

REFERENCE_EVERY = 8  # arms: load and heat change over minutes, so a full run nearby is what seconds are compared with
FEWER_STEPS = tuple(Arm("fewer steps", f"{share:.0%}", share=share) for share in (.9, .8, .7, .6, .5, .4, .33, .25))


class Contest:
    """Several arms on one model in one setting, each prepared when it is first wanted, which may take hundreds of runs.
    `refused` has those that turned out not to fit, and why.

    many: steps of a run that all are compared with, too, where the sampler adds no noise; None for no such run.
    folder: where what arms have learnt is kept.
    """

    def __init__(self, subject: Subject, arms: Sequence[Arm], setting: Setting, many: int | None = None,
                 folder: Path | None = None):
        self.refused: dict[Arm, str] = {}
        self._many = many if traits_of(sampler_object(setting.sampler)).steady else None
        self._subject = subject
        self._setting = setting
        self._arms = tuple(arms)
        self._patched: dict[Arm, ModelPatcher] = {}
        self._calibration = Calibration(subject, setting, folder=folder)

    def prepared(self, wanted: Callable[[Arm], bool] = lambda _: True) -> list[tuple[Arm, ModelPatcher]]:
        """Those of the wanted arms that fit, on the model."""
        for arm in self._arms:
            if wanted(arm) and arm not in self._patched and arm not in self.refused:
                try:
                    self._patched[arm] = arm.prepare(self._calibration)
                except ValueError as error:
                    self.refused[arm] = str(error)
        return [(arm, self._patched[arm]) for arm in self._arms if wanted(arm) and arm in self._patched]

    def run(self, captions: list[Scene], number: int, seed: int,
            wanted: Callable[[Arm], bool] = lambda _: True) -> Iterator[Record]:
        """Arms on one batch of captions, each time another one first."""
        arms = self.prepared(wanted)
        shift = number % max(1, len(arms))
        exact: Sequence[torch.Tensor | None] = [None] * len(captions)
        if self._many and arms:
            setting = replace(self._setting, steps=self._many)
            exact = self._subject.draw(self._subject.patcher, setting, captions, seed).latents
        for place, (arm, patched) in enumerate(arms[shift:] + arms[:shift]):
            if place % REFERENCE_EVERY == 0:
                full = self._draw(FULL, self._subject.patcher, captions, seed)
            drawing, announced = self._announced(arm, patched, captions, seed)
            yield Record(
                self._subject.name, self._setting, number, arm.method, arm.point, drawing.work.macs,
                drawing.work.blocks, drawing.seconds, drawing.cpu, full.work.macs, full.work.blocks, full.seconds,
                full.cpu, tuple(map(judge, drawing.latents, full.latents, captions, exact)), announced)

    def memory(self, captions: list[Scene], seed: int, wanted: Callable[[Arm], bool]) -> Iterator[Memory]:
        """What arms take of it, the full one included, in one more run of each."""
        full = [(FULL, self._subject.patcher)] if wanted(FULL) else []
        for arm, patched in full + self.prepared(wanted):
            use = memory.measure(lambda on_step: self._draw(arm, patched, captions, seed, on_step))
            yield Memory(self._subject.name, self._setting, arm.method, use.peak, use.held)

    def _draw(self, arm: Arm, patched: ModelPatcher, captions: list[Scene], seed: int,
              on_step: Callable[[], None] | None = None) -> Drawing:
        return self._announced(arm, patched, captions, seed, on_step)[0]

    def _announced(self, arm: Arm, patched: ModelPatcher, captions: list[Scene], seed: int,
                   on_step: Callable[[], None] | None = None) -> tuple[Drawing, float | None]:
        """A run, and the PSNR that it announced."""
        def draw(patched: ModelPatcher) -> Drawing:
            return self._subject.draw(patched, arm.setting(self._setting), captions, seed, on_step)
        model = arm.inform(patched, draw) if arm.inform else patched
        return draw(model), expected(model)


def compare(weights: str | Path | Subject, arms: Sequence[Arm], captions: int = 8, steps: int = 30,
            sampler: str = "euler", scheduler: str = "simple", cfg: float | None = None, seed: int = 0,
            together: bool = True, batch: int = 1, fewer_steps: Sequence[Arm] = FEWER_STEPS) -> list[Row]:
    """Arms against full sampling, with the curve of fewer steps that they have to beat. cfg: that of the model's world
    unless given.

    Raises ValueError for an arm that does not fit the model.
    """
    subject = weights if isinstance(weights, Subject) else Subject(Path(weights))
    setting = Setting(steps, sampler, scheduler, subject.base.cfg if cfg is None else cfg, together, batch)
    contest = Contest(subject, [*fewer_steps, *arms], setting)
    contest.prepared()
    for arm, reason in contest.refused.items():
        raise ValueError(f"{arm.name}: {reason}")
    return rows(record for number, some in batches(subject, captions, batch)
                for record in contest.run(some, number, seed + number))


def batches(subject: Subject, captions: int, batch: int) -> list[tuple[int, list[Scene]]]:
    """The measured captions in numbered batches; the last one may be smaller."""
    wanted = subject.scenes(captions)
    return [(number, wanted[first:first + batch]) for number, first in enumerate(range(0, captions, batch))]
