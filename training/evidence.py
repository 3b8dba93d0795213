"""How a policy does on captions that it was not trained on, against BlockDance-N and Auto, with confidence intervals.

    python3 -m benchmarks.start training/evidence.py FOLDER --policies FILE

Measurements are kept in FOLDER, and the same command goes on from there.
"""

import argparse
import json
import logging
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Callable, Iterator, Sequence

import numpy as np
import torch
from comfy.model_patcher import ModelPatcher

from blockdance.benchmarks.arm import FULL, Arm, Calibration, policy
from blockdance.benchmarks.arms import auto
from blockdance.benchmarks.quality import compare
from blockdance.benchmarks.setting import Setting
from blockdance.benchmarks.statistics import estimate
from blockdance.benchmarks.subject import Subject
from blockdance.blockdance_core.ada import policy_file
from blockdance.blockdance_core.blockdance import BlockDancePolicy
from blockdance.blockdance_core.host.attach import attach, last_report
from blockdance.blockdance_core.host.fingerprint import fingerprint_of

WEIGHTS = Path(__file__).resolve().parent.parent / "demo" / "weights" / "pixart.safetensors"


def ada(path: Path, threshold: float = .5) -> Arm:
    def patch(model: ModelPatcher, _: Calibration) -> ModelPatcher:
        loaded = policy_file.read(path)
        loaded.card.check(fingerprint_of(model), loaded.source)
        return attach(model, replace(loaded.policy, threshold=threshold))
    return Arm("BlockDance-Ada", path.stem + ("" if threshold == .5 else f", threshold {threshold:g}"), patch)


STATIC = (
    *(policy("BlockDance", f"N={N}", BlockDancePolicy(N)) for N in (2, 3, 4)),
    policy("BlockDance, all blocks", "N=2", BlockDancePolicy(2, block_index=27)),
    auto("Auto", 1.5), auto("Auto", 2.),
)


def measure(subject: Subject, setting: Setting, arms: Sequence[Arm], captions: int,
            known: Callable[[Setting, int, str], bool]) -> Iterator[dict]:
    """A row for each arm and caption that is not known yet."""
    calibration = Calibration(subject, setting)
    prepared: dict[str, ModelPatcher] = {}
    for number, scene in enumerate(subject.scenes(captions)):
        missing = [arm for arm in arms if not known(setting, number, arm.name)]
        if not missing:
            continue
        full = subject.draw(subject.patcher, FULL.setting(setting), [scene], number)
        for arm in missing:
            if arm.name not in prepared:
                prepared[arm.name] = arm.prepare(calibration)
            drawing = subject.draw(prepared[arm.name], arm.setting(setting), [scene], number)
            report = last_report(prepared[arm.name])
            yield {"steps": setting.steps, "caption": number, "objects": len(scene.objects), "arm": arm.name,
                   "macs": drawing.work.macs / full.work.macs, "blocks": drawing.work.blocks / full.work.blocks,
                   "reused": len(report.plan.reused_steps), "note": report.plan.note,
                   "quality": asdict(compare(drawing.latents[0], full.latents[0], scene))}


def table(rows: list[dict], steps: int) -> str:
    """Means with 95 % intervals, and the mean difference from BlockDance N=2 and N=3 on the same captions."""
    columns = ("method", "captions", "steps reused", "blocks saved", "PSNR, dB", "SSIM", "against N=2, dB",
               "against N=3, dB", "objects right")
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    arms: dict[str, dict[int, dict]] = {}
    for row in rows:
        if row["steps"] == steps:
            arms.setdefault(row["arm"], {})[row["caption"]] = row
    for name, found in arms.items():
        common = found.keys() & arms["BlockDance N=2"].keys() & arms["BlockDance N=3"].keys()
        some = [found[number] for number in sorted(common)]
        quality = [row["quality"] for row in some]
        psnr, ssim = (estimate([q[key] for q in quality]) for key in ("psnr", "ssim"))
        saved, against = estimate([1 - row["blocks"] for row in some]), []
        for other in ("BlockDance N=2", "BlockDance N=3"):
            gap = estimate([found[number]["quality"]["psnr"] - arms[other][number]["quality"]["psnr"]
                            for number in sorted(common)])
            against.append("" if name == other else f"{gap.mean:+.2f} ({gap.low:+.2f} to {gap.high:+.2f})")
        right, objects = (sum(q[key] for q in quality) for key in ("right", "objects"))
        cells = (name, len(some), f"{np.mean([row['reused'] for row in some]):.1f}",
                 f"{saved.mean:.1%} ({saved.low:.1%} to {saved.high:.1%})",
                 f"{psnr.mean:.2f} ({psnr.low:.2f} to {psnr.high:.2f})", f"{ssim.mean:.5f}", *against,
                 f"{right} / {objects}")
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def adaptivity(rows: list[dict], arm: str) -> str:
    """Reused steps by the number of objects in a caption, and their correlation."""
    some = [row for row in rows if row["arm"] == arm and row["steps"] == 30]
    objects, reused = np.array([(row["objects"], row["reused"]) for row in some], float).T
    rng = np.random.default_rng(0)
    drawn = rng.integers(len(some), size=(2000, len(some)))
    several = [np.corrcoef(objects[index], reused[index])[0, 1] for index in drawn if np.ptp(reused[index])]
    low, high = np.quantile(several, [.025, .975]) if several else (np.nan, np.nan)
    means = ", ".join(f"{count:.0f} objects {reused[objects == count].mean():.1f}" for count in np.unique(objects))
    value = np.corrcoef(objects, reused)[0, 1] if np.ptp(reused) else 0.
    return f"reused steps: {means}; correlation {value:+.2f} ({low:+.2f} to {high:+.2f})"


def main() -> int:
    options = _parse(sys.argv[1:])
    torch.set_num_threads(1)
    logging.disable(logging.INFO)
    options.out.mkdir(parents=True, exist_ok=True)
    rows = [json.loads(line) for file in sorted(options.out.glob("*.jsonl")) for line in file.read_text().splitlines()]
    done = {(row["steps"], row["caption"], row["arm"]) for row in rows}
    subject = Subject(WEIGHTS)
    share, of = map(int, options.share.split("/"))
    policies = [ada(path, threshold) for path in options.policies for threshold in options.thresholds]
    arms = [arm for arm in (*STATIC, *policies)
            if not options.arms or any(text in arm.name for text in options.arms)]
    with (options.out / f"evidence-{share}.jsonl").open("a") as output:
        for steps in options.steps:
            for row in measure(subject, Setting(steps), arms, options.captions, lambda setting, number, name: (
                    number % of != share or (setting.steps, number, name) in done)):
                rows.append(row)
                print(json.dumps(row), file=output, flush=True)
    for steps in sorted({row["steps"] for row in rows}):
        print(f"\n{steps} steps\n\n{table(rows, steps)}")
    for arm in policies:
        print(f"\n{arm.name}: {adaptivity(rows, arm.name)}")
    return 0


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="folder for measurements")
    parser.add_argument("--policies", type=Path, nargs="*", default=[])
    parser.add_argument("--thresholds", type=float, nargs="+", default=[.5])
    parser.add_argument("--captions", type=int, default=32)
    parser.add_argument("--steps", type=int, nargs="+", default=[30])
    parser.add_argument("--arms", nargs="+", default=[], metavar="TEXT", help="only those whose name has one of these")
    parser.add_argument("--share", default="0/1", metavar="I/N", help="every N-th caption, for several processes")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
