"""Ways of sampling that are measured."""

from dataclasses import asdict, dataclass, replace

PRECISIONS = {
    "float32": "weights and computing in float32",
    "bf16": "weights and computing in bfloat16",
    "fp8": "weights and inputs of the blocks' linear layers in float8 e4m3, by ComfyUI's own quantised layers as on a "
           "GPU that computes in float8; all else in bfloat16",
    "int8": "weights of the blocks' linear layers in int8, and their inputs as ComfyUI's own quantised layers take "
            "them; all else in bfloat16",
}


@dataclass(frozen=True)
class Setting:
    """steps, sampler, scheduler, cfg: as KSampler's; together: cond and uncond in one call of the model, as ComfyUI
    does where memory allows, or in two; batch: pictures a run, each of a caption of its own; shift: of the schedule to
    high noise, None for the model's own; precision: one of PRECISIONS."""
    steps: int = 30
    sampler: str = "euler"
    scheduler: str = "simple"
    cfg: float = 3.
    together: bool = True
    batch: int = 1
    shift: float | None = None
    precision: str = "float32"

    def __post_init__(self):
        for name in ("steps", "batch"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; use 1 or more")
        if self.shift is not None and self.shift <= 0:
            raise ValueError(f"shift is {self.shift}; use a number above 0, such as 3, or None for the model's own")
        if self.precision not in PRECISIONS:
            raise ValueError(f"precision is {self.precision!r}; use one of {', '.join(PRECISIONS)}")

    @property
    def name(self) -> str:
        calls = "" if self.together else ", two calls"
        batch = "" if self.batch == 1 else f", batch {self.batch}"
        shift = "" if self.shift is None else f", shift {self.shift:g}"
        precision = "" if self.precision == "float32" else f", {self.precision}"
        return f"{self.steps} steps, {self.sampler}, {self.scheduler}, cfg {self.cfg:g}{calls}{batch}{shift}{precision}"

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


def in_use(base: Setting) -> tuple[Setting, ...]:
    """What people sample with beside those: samplers, numbers of steps, shifts, cfg and precisions."""
    return (
        *(replace(base, steps=steps) for steps in (25, 40)),
        *(replace(base, sampler=sampler) for sampler in (
            "res_multistep", "uni_pc", "er_sde", "euler_ancestral", "dpmpp_2m_sde")),
        *(replace(base, shift=shift) for shift in (3., 5., 8.)),
        *(replace(base, cfg=cfg) for cfg in (1., 2., 7.)),
        *(replace(base, precision=precision) for precision in PRECISIONS if precision != base.precision))


BASE = Setting()
PICTURES = replace(BASE, cfg=4.)  # of picture world
BASES = {PICTURES: "picture world", BASE: "shapes world"}
OF_BASE = {PICTURES: (*around(PICTURES), *in_use(PICTURES)), BASE: around(BASE)}
ALL = tuple(dict.fromkeys(setting for settings in OF_BASE.values() for setting in settings))
