"""What the measurements of evidence.py come to: tables in Markdown, and the picture of quality against saving."""

from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Mapping, Sequence

import numpy as np
from PIL import Image

from blockdance.blockdance_core.ada.policy_file import Card
from blockdance.blockdance_core.figures.canvas import THEMES
from blockdance.lab.benchmarks import markdown
from blockdance.lab.benchmarks.arm import Arm
from blockdance.lab.benchmarks.pareto import Curves, comparison
from blockdance.lab.benchmarks.statistics import Estimate, estimate

ARMS = "BlockDance N=2", "BlockDance N=3", "BlockDance, all blocks N=2"  # that others are compared with
INTRODUCTION = """# BlockDance-Ada: measurements

Written by `lab/training/evidence.py`; do not edit. The demo's PixArt (28 blocks, 48 x 48 pixels, Euler, cfg 3) draws
captions that neither the model nor a policy was trained on, each with the same noise in every row. Compared with full
sampling of the same noise; *error* is the root mean square difference in percent of white, which the policies' reward
`distance` is. Means with 95 % bootstrap intervals; differences are paired by caption. [ada.md](ada.md) says what
follows.
"""


@dataclass(frozen=True)
class Row:
    """An arm on a caption. blocks, macs: computed, as fractions of full sampling; psnr: dB."""
    arm: str
    steps: int
    caption: int
    objects: int
    reused: int
    blocks: float
    macs: float
    psnr: float
    ssim: float
    right: int

    @classmethod
    def read(cls, row: Mapping) -> "Row":
        quality = row["quality"]
        return cls(*(row[name] for name in ("arm", "steps", "caption", "objects", "reused", "blocks", "macs")),
                   *(quality[name] for name in ("psnr", "ssim", "right")))

    @property
    def saved(self) -> float:
        return 1 - self.blocks

    @property
    def error(self) -> float:
        """Root mean square, in percent of white."""
        return 100 * 10 ** (-self.psnr / 20)


Found = dict[str, dict[int, Row]]  # rows by arm and caption


def found(rows: Sequence[Row], steps: int, arms: Sequence[Arm]) -> Found:
    """Rows of a number of steps, arms in the order given."""
    by_arm = {arm.name: {row.caption: row for row in rows if (row.arm, row.steps) == (arm.name, steps)}
              for arm in arms}
    return {name: some for name, some in by_arm.items() if some}


def quality(measured: Found) -> str:
    """A line for each arm, with its mean difference from ARMS on the captions that both have."""
    columns = ("method", "captions", "steps reused", "blocks saved", "PSNR, dB", "error, %", "SSIM",
               *(f"against {name.removeprefix('BlockDance').strip(' ,')}, dB" for name in ARMS), "objects right")
    lines = []
    for name, by_caption in measured.items():
        some = list(by_caption.values())
        against = ("" if name == other or other not in measured else _difference(by_caption, measured[other])
                   for other in ARMS)
        lines.append((name, len(some), f"{np.mean([row.reused for row in some]):.1f}",
                      _interval(estimate([row.saved for row in some]), ".1%"),
                      _interval(estimate([row.psnr for row in some]), ".1f"),
                      _interval(estimate([row.error for row in some]), ".3f"),
                      f"{np.mean([row.ssim for row in some]):.5f}", *against,
                      f"{sum(row.right for row in some)} / {sum(row.objects for row in some)}"))
    return markdown.table(columns, lines)


def adaptivity(measured: Found) -> str:
    """Saving and error by the number of objects in a caption, and how saving goes with it."""
    counts = sorted({row.objects for by_caption in measured.values() for row in by_caption.values()})
    columns = ("method", *(f"saved, {_objects(count)}" for count in counts), "correlation of saving with objects",
               *(f"error %, {_objects(count)}" for count in counts))
    lines = []
    for name, by_caption in measured.items():
        some = list(by_caption.values())

        def means(value: Callable[[Row], float], form: str) -> list[str]:
            groups = [[value(row) for row in some if row.objects == count] for count in counts]
            return [format(np.mean(group), form) if group else "" for group in groups]
        lines.append((name, *means(lambda row: row.saved, ".1%"), _correlation(some),
                      *means(lambda row: row.error, ".3f")))
    return markdown.table(columns, lines)


def trainings(cards: Mapping[str, Card]) -> str:
    """What each policy was trained with, took and came to."""
    columns = ("policy", "reward", "lambda", "borders", "entropy", "learning rate", "batches x captions x rollouts",
               "different rollouts", "minutes", "MACs", "C", "Q")
    lines = []
    for name, card in cards.items():
        of = card.training
        lines.append((name, of["reward"], f"{of['quality_weight']:g}", ", ".join(map(str, card.borders)),
                      f"{of.get('entropy', 0):g}", f"{of['learning_rate']:g}",
                      f"{of['batches_done']} x {of['batch']} x {of['rollouts']}",
                      f"{of['rollouts_done']} {'predicted' if of.get('foreseen') else 'sampled'}",
                      f"{of['minutes']:.1f}", f"{of['macs']:.2g}",
                      *(f"{of[key]:.3f}" if key in of else "" for key in ("saving", "quality"))))
    return markdown.table(columns, lines)


def picture(measured: Found, arms: Sequence[Arm]) -> Image.Image:
    """PSNR with its interval against the share of blocks that were computed, a curve for each method."""
    curves: Curves = {}
    intervals: Curves = {}
    for arm in arms:
        if some := list(measured.get(arm.name, {}).values()):
            blocks, psnr = np.mean([row.blocks for row in some]), estimate([row.psnr for row in some])
            curves.setdefault(arm.method, []).append((blocks, psnr.mean))
            intervals.setdefault(arm.method, []).extend([(blocks, psnr.low), (blocks, psnr.high)])
    captions = max(len(some) for some in measured.values())
    return comparison({method: sorted(points) for method, points in curves.items()}, intervals,
                      "blocks computed, as a fraction of full sampling", "BlockDance-Ada against fixed plans and Auto",
                      f"Demo PixArt, 30 steps; up to {captions} held-out captions, mean PSNR with its 95 % interval. "
                      "Higher and further left is better.", THEMES["light"])


def write(folder: Path, rows: Sequence[Row], arms: Sequence[Arm], cards: Mapping[str, Card]) -> None:
    """ada-evidence.md and, where there are runs of 30 steps, ada-evidence.png."""
    parts = [INTRODUCTION]
    for steps in sorted({row.steps for row in rows}, key=lambda steps: (steps != 30, steps)):
        measured = found(rows, steps, arms)
        parts += [f"## {steps} steps\n", quality(measured)]
        if steps == 30:
            picture(measured, arms).save(folder / "ada-evidence.png")
            parts += ["![PSNR against blocks computed](ada-evidence.png)\n", adaptivity(measured)]
    parts += ["## Trainings\n\nC and Q of the greedy decisions on captions that were held out of the training; C is "
              "0.5 where 9 of the 18 steps reuse up to the deepest border. Minutes and MACs are without what was kept "
              "of an earlier training.\n", trainings(cards)]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ada-evidence.md").write_text("\n".join(parts))


def _difference(some: Mapping[int, Row], other: Mapping[int, Row]) -> str:
    common = sorted(some.keys() & other.keys())
    return _interval(estimate([some[caption].psnr - other[caption].psnr for caption in common]), "+.1f")


def _interval(of: Estimate, form: str) -> str:
    mean, low, high = (format(value, form) for value in (of.mean, of.low, of.high))
    return mean if low == high else f"{mean} ({low} to {high})"


def _objects(count: int) -> str:
    return f"{count} object{'s' * (count > 1)}"


def _correlation(rows: Sequence[Row]) -> str:
    """Pearson's, with a bootstrap interval; empty where all are alike. Resamples that are alike have none: they count
    as 0, or a policy that treats one picture otherwise than all others would seem sure to adapt."""
    def pearson(objects: np.ndarray, saved: np.ndarray) -> float | None:
        alike = np.ptp(saved) < 1e-6 or np.ptp(objects) == 0
        return None if alike else float(np.corrcoef(objects, saved)[0, 1])
    objects, saved = np.array([(row.objects, row.saved) for row in rows]).T
    found = pearson(objects, saved)
    if found is None:
        return ""
    drawn = np.random.default_rng(0).integers(len(rows), size=(2000, len(rows)))
    low, high = np.quantile([pearson(objects[index], saved[index]) or 0. for index in drawn], [.025, .975])
    return f"{found:+.2f} ({low:+.2f} to {high:+.2f})"
