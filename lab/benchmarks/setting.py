"""One way of sampling, and the ways that are measured."""

from dataclasses import asdict, dataclass, replace


@dataclass(frozen=True)
class Setting:
    """steps, sampler, scheduler, cfg: as KSampler's; together: cond and uncond in one call of the model, as ComfyUI
    does where memory allows, or in two; batch: pictures a run, each of a caption of its own."""
    steps: int = 30
    sampler: str = "euler"
    scheduler: str = "simple"
    cfg: float = 3.
    together: bool = True
    batch: int = 1

    def __post_init__(self):
        for name in ("steps", "batch"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; use 1 or more")

    @property
    def name(self) -> str:
        calls = "" if self.together else ", two calls"
        batch = "" if self.batch == 1 else f", batch {self.batch}"
        return f"{self.steps} steps, {self.sampler}, {self.scheduler}, cfg {self.cfg:g}{calls}{batch}"

    def as_dict(self) -> dict:
        return asdict(self)


def around(base: Setting) -> tuple[Setting, ...]:
    """The ways of sampling that are measured. One thing is changed at a time: the product of all would take weeks and
    say little more."""
    return (
        base, *(replace(base, steps=steps) for steps in (20, 50)),
        *(replace(base, sampler=sampler) for sampler in ("dpmpp_2m", "heun")),
        *(replace(base, scheduler=scheduler) for scheduler in ("beta", "karras")),
        replace(base, together=False), replace(base, batch=4))


BASE = Setting()
PICTURES = replace(BASE, cfg=4.)  # of picture world
BASES = {BASE: "shapes world", PICTURES: "picture world"}
ALL = *around(BASE), *around(PICTURES)
