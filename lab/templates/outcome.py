"""What was found of one template."""

from dataclasses import asdict, dataclass, field

WORKS = "works"
PARTNER = "partner nodes"  # not local
NEWER = "needs a newer ComfyUI"
NOTHING = "nothing to accelerate"
FAILS = "fails"
LIMIT = "did not run them exactly once"  # said of blocks: a patch runs the model several times in one pass


@dataclass(frozen=True)
class Sampling:
    """One sampler: the model's file and name, what the template sets it to, and what the nodes did on a tiny model.

    first, second: what Auto did in the first run, and in one after it; patch: what BlockDance Patch did. Empty where
    that was not run, and `why` says why.
    """
    file: str
    model: str
    steps: str
    sampler: str
    scheduler: str
    cfg: str
    loras: tuple[str, ...] = ()  # files, as far as they are switched on
    first: str = ""
    second: str = ""
    patch: str = ""
    why: str = ""


@dataclass(frozen=True)
class Outcome:
    name: str
    title: str
    version: str  # of the package of templates
    usage: int
    status: str
    reason: str = ""
    subgraph: bool = False
    samplings: tuple[Sampling, ...] = field(default=())

    def to_dict(self) -> dict:
        return asdict(self)

    @classmethod
    def of(cls, values: dict) -> "Outcome":
        return cls(**values | {"samplings": tuple(
            Sampling(**entry | {"loras": tuple(entry["loras"])}) for entry in values["samplings"])})
