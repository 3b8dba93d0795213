"""A method at one point of its knob: a point of a curve in the end."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Callable, TypeVar

from comfy.model_patcher import ModelPatcher

from ...blockdance_core.comfy.attach import attach
from ...blockdance_core.methods.method import Method
from .captions import CALIBRATION
from .kept import kept
from .setting import Setting
from .subject import Drawing, Subject

Learned = TypeVar("Learned")


@dataclass(frozen=True)
class Calibration:
    """What a method may learn from before it is measured: runs of other captions, in the setting at hand. folder: where
    what took long is kept, None for nowhere."""
    subject: Subject
    setting: Setting
    captions: int = 2
    folder: Path | None = None
    _learned: dict[str, object] = field(default_factory=dict)

    def learn(self, name: str, how: Callable[["Calibration"], Learned]) -> Learned:
        """What `how` finds out, found out once for all arms that ask for this name."""
        if name not in self._learned:
            self._learned[name] = how(self)
        return self._learned[name]

    def keep(self, name: str, how: Callable[["Calibration"], Learned], dump: Callable[[Learned], object],
             parse: Callable[[object], Learned]) -> Learned:
        """As learn, and for later runs of the benchmark, too."""
        whole = f"{self.subject.name}, {self.setting.name}, {name}"
        return self.learn(name, lambda calibration: kept(
            self.folder, whole, lambda: how(calibration), dump, parse))

    def draw(self, patched: ModelPatcher) -> list[Drawing]:
        """The calibration captions, each in a run of its own."""
        return [self.draw_one(patched, number) for number in range(self.captions)]

    def draw_one(self, patched: ModelPatcher, number: int) -> Drawing:
        """The calibration caption of this number."""
        scene = self.subject.scenes(self.captions, CALIBRATION)[number]
        return self.subject.draw(patched, replace(self.setting, batch=1), [scene], number)


Patch = Callable[[ModelPatcher, Calibration], ModelPatcher]


@dataclass(frozen=True)
class Arm:
    """method: the curve; point: where on it; patch: puts the method on a model, or None for full sampling.

    share, sampler: full sampling with this fraction of the steps, and another sampler than the setting's.
    inform: puts on what may learn from runs of the very captions that are then measured, which only a ceiling may.
    """
    method: str
    point: str = ""
    patch: Patch | None = field(default=None, compare=False)
    share: float = 1.
    sampler: str | None = None
    inform: Callable[[ModelPatcher, Callable[[ModelPatcher], Drawing]], ModelPatcher] | None = field(
        default=None, compare=False)

    @property
    def name(self) -> str:
        return f"{self.method} {self.point}".strip()

    def prepare(self, calibration: Calibration) -> ModelPatcher:
        """The model as this arm samples it."""
        model = calibration.subject.patcher
        return model if self.patch is None else self.patch(model, calibration)

    def setting(self, of: Setting) -> Setting:
        return replace(of, steps=max(1, round(self.share * of.steps)), sampler=self.sampler or of.sampler)


FULL = Arm("full")


def method_arm(method: str, point: str, of: Method) -> Arm:
    """An arm of one of our methods."""
    return Arm(method, point, lambda model, _: attach(model, of))
