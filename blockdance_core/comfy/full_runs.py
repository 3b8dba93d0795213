"""How long full runs took, to tell how much faster others are: kept in a file, which several programs may share.

Clock times say something only beside those of the same work under the same conditions. The same work is the same model,
size, number of evaluations and multiply-accumulates; the same conditions are the same machine and versions, and, as
another program may have taken its share of the machine meanwhile, evaluations that take as long as they did.
"""

import json
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import comfyui_version
import torch
from comfy import model_management
from comfy.cli_args import args
from comfy.ldm.modules import attention
from comfy.model_patcher import ModelPatcher

from ..engine.report import Report
from ..files import alone, replacing
from .messages import words_of

logger = logging.getLogger(__name__)

NAME = "full-runs.jsonl"  # beside profiles, none of which ends so
MOST_RUNS = 100  # runs that are kept, the latest
LARGEST = 2 ** 20  # bytes of a file
LIKE = .05  # of the work: runs that differ by no more are of the same size, as prompts may be longer or shorter
STEADY = 1.5  # times that an evaluation may take longer in one run than in another of the same conditions
POSSIBLE = 1.25  # times that a run may be faster than what it leaves out explains


@dataclass(frozen=True)
class Machine:
    """What the times of a model depend on beside the run, as text. paced: whether the host's clock says how long an
    evaluation takes, which it does not where a device works on after the call."""
    name: str = ""
    paced: bool = True

    @classmethod
    def of(cls, model: ModelPatcher) -> "Machine":
        device = model.load_device
        options = sorted(option.value for option in getattr(args, "fast", None) or ())
        parts = (model_management.get_torch_device_name(device), model_management.vram_state.name,
                 getattr(attention.optimized_attention, "__name__", ""), *options, f"torch {torch.__version__}",
                 f"ComfyUI {comfyui_version.__version__}", f"{model.model_size()} bytes")
        return cls(", ".join(parts), device.type == "cpu")


@dataclass(frozen=True)
class FullRun:
    """machine: its name. blocks, macs: of all evaluations, the latter 0 where
    they could not be counted. seconds: without loading. pace: of one evaluation; None where that is not known."""
    machine: str
    model: str
    stacks: tuple[int, ...]
    shape: tuple[int, ...]
    evaluations: int
    blocks: int
    macs: int
    seconds: float
    pace: float | None

    def __post_init__(self):
        if not self.seconds > 0 or (self.pace is not None and not self.pace > 0):
            raise ValueError(f"a run takes time, not {self.seconds:g} s")

    @classmethod
    def of(cls, report: Report, machine: Machine) -> "FullRun":
        """What a run would be in full, with the times that it took itself."""
        transformer, pace = report.transformer, report.pace if machine.paced else None
        return cls(machine.name, transformer.name, transformer.stacks, report.shape, len(report.evaluations),
                   report.total, report.total_macs, max(report.warm_seconds, 1e-6), pace or None)

    def is_like(self, other: "FullRun") -> bool:
        """Whether the two are the same work, on the same machine."""
        if self._kind != other._kind:
            return False
        if not self.macs or not other.macs:  # what was compiled cannot be counted
            return self.blocks == other.blocks
        return abs(self.macs - other.macs) <= LIKE * max(self.macs, other.macs)

    @property
    def _kind(self) -> tuple:
        return self.machine, self.model, self.stacks, self.shape, self.evaluations

    def is_steady(self, other: "FullRun") -> bool:
        """Whether evaluations took as long in both, as far as that is known."""
        paces = [run.pace for run in (self, other) if run.pace is not None]
        return len(paces) < 2 or max(paces) <= STEADY * min(paces)


class FullRuns:
    """Those that were seen, the fastest of each kind: the first may have had to compile, or to wait.

    folder: gives the place of the file; it is asked each time. Without one, or where its file cannot be read or
    written, runs are known as long as this program runs.
    """

    def __init__(self, folder: Callable[[], Path] | None = None, most: int = MOST_RUNS):
        self._folder, self._most = folder, most
        self._seen: list[FullRun] = []
        self._complained = False

    def see(self, report: Report, machine: Machine = Machine()) -> None:
        """Keep a run, if it was a full one."""
        if not report.is_full:
            return
        run = FullRun.of(report, machine)
        self._seen = self._with(self._seen, run)
        if self._folder is not None:
            with self._excused():
                self._keep(self._folder(), run)

    def seconds(self, report: Report, machine: Machine = Machine()) -> float | None:
        """Of a full run like this one, if one was seen that can be compared with it."""
        run, known = FullRun.of(report, machine), self._seen
        if self._folder is not None:
            with self._excused():
                known = [*_read(self._folder() / NAME), *known]
        full = min((past.seconds for past in known if past.is_like(run) and past.is_steady(run)), default=None)
        if full is None or full * report.work > POSSIBLE * run.seconds:
            return None
        return full

    def _keep(self, folder: Path, run: FullRun) -> None:
        with alone(folder):
            known = _read(folder / NAME)
            kept = self._with(known, run)
            if kept != known:
                with replacing(folder / NAME) as written:
                    written.write_text("".join(f"{json.dumps(asdict(each))}\n" for each in kept), encoding="utf-8")

    def _with(self, known: Iterable[FullRun], run: FullRun) -> list[FullRun]:
        """These and one more. Of several like it the fastest stays, unless conditions have changed since."""
        known = list(known)
        like = [past for past in known if past.is_like(run)]
        steady = [past for past in like if past.is_steady(run)]
        fastest = min((*steady, run), key=lambda each: each.seconds)
        return [*(past for past in known if past not in like), fastest][-self._most:]

    @contextmanager
    def _excused(self) -> Iterator[None]:
        """No trouble with the file costs more than a number in a sentence; it is told of once."""
        try:
            yield
        except Exception as error:
            if not self._complained:
                self._complained = True
                logger.warning("how long full runs take is not kept: %s", words_of(error))


def _read(path: Path) -> list[FullRun]:
    """What is in the file; lines that are no runs are passed over, as those of later versions may be."""
    if not path.is_file():
        return []
    if path.stat().st_size > LARGEST:
        raise ValueError(f"{path} is too large")
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            entry = json.loads(line)
            found.append(FullRun(**entry | {name: tuple(map(int, entry[name])) for name in ("stacks", "shape")}))
        except (ValueError, TypeError, KeyError):
            continue
    return found
