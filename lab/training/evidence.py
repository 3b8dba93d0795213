"""How a policy does on captions that it was not trained on, against BlockDance-N and Auto, with confidence intervals.

    python3 -m lab.benchmarks.start lab/training/evidence.py FOLDER --policies FILE OTHER@0.55

Measurements are kept in FOLDER, and the same command goes on from there. 0.55 is a threshold other than 0.5.
"""

import argparse
import json
import logging
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Callable, Iterator, Sequence

import torch
from comfy.model_patcher import ModelPatcher

from blockdance.blockdance_core.ada import policy_file
from blockdance.blockdance_core.comfy.attach import attach, fingerprint_of, last_report
from blockdance.blockdance_core.methods.blockdance import BlockDanceMethod
from blockdance.lab.benchmarks.arm import FULL, Arm, Calibration, method_arm
from blockdance.lab.benchmarks.arms import auto
from blockdance.lab.benchmarks.quality import compare
from blockdance.lab.benchmarks.record import reopen, whole_lines
from blockdance.lab.benchmarks.setting import Setting
from blockdance.lab.benchmarks.subject import Subject
from blockdance.lab.benchmarks.versions import digest
from blockdance.lab.training import evidence_report
from blockdance.lab.training.evidence_report import Row

WEIGHTS = Path(__file__).resolve().parents[2] / "demo" / "weights" / "pixart.safetensors"


def ada(choice: str) -> Arm:
    """Of FILE or FILE@THRESHOLD."""
    path, threshold = _parts(choice)

    def patch(model: ModelPatcher, _: Calibration) -> ModelPatcher:
        loaded = policy_file.read(path)
        loaded.card.check(fingerprint_of(model), loaded.source)
        return attach(model, replace(loaded.policy, threshold=threshold))
    return Arm(f"Ada {path.stem}", "" if threshold == .5 else f"threshold {threshold:g}", patch)


STATIC = (
    *(method_arm("BlockDance", f"N={N}", BlockDanceMethod(N)) for N in (2, 3, 4)),
    *(method_arm("BlockDance, all blocks", f"N={N}", BlockDanceMethod(N, block_index=27)) for N in (2, 3)),
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


def main() -> int:
    options = _parse(sys.argv[1:])
    torch.set_num_threads(1)
    logging.disable(logging.INFO)
    options.out.mkdir(parents=True, exist_ok=True)
    subject = Subject(WEIGHTS)
    share, of = map(int, options.share.split("/"))
    policies = list(map(ada, options.policies))
    if len({arm.name for arm in policies}) < len(policies):
        sys.exit(f"error: two of {', '.join(options.policies)} have one name, by which they are told apart")
    digests = {arm.name: digest(_parts(choice)[0]) for arm, choice in zip(policies, options.policies)}
    rows = [row for path in sorted(options.out.glob("*.jsonl")) for row in whole_lines(path)
            if row["policy"] == digests.get(row["arm"], "")]  # one that was trained again is another under its name
    done = {(row["steps"], row["caption"], row["arm"]) for row in rows}
    arms = [arm for arm in (*STATIC, *policies)
            if not options.arms or any(text in arm.name for text in options.arms)]
    with reopen(options.out / f"evidence-{share}.jsonl") as output:
        for steps in options.steps:
            for row in measure(subject, Setting(steps), arms, options.captions, lambda setting, number, name: (
                    number % of != share or (setting.steps, number, name) in done)):
                row["policy"] = digests.get(row["arm"], "")
                rows.append(row)
                print(json.dumps(row), file=output, flush=True)
    evidence_report.write(options.report or options.out, list(map(Row.read, rows)), [*STATIC, *policies],
                          {path.stem: policy_file.read(path).card for path, _ in map(_parts, options.policies)})
    return 0


def _parts(choice: str) -> tuple[Path, float]:
    path, _, threshold = choice.partition("@")
    return Path(path), float(threshold or .5)


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="folder for measurements")
    parser.add_argument("--report", type=Path, help="folder for tables and picture (default: that of measurements)")
    parser.add_argument("--policies", nargs="*", default=[], metavar="FILE[@THRESHOLD]")
    parser.add_argument("--captions", type=int, default=32)
    parser.add_argument("--steps", type=int, nargs="+", default=[30])
    parser.add_argument("--arms", nargs="+", default=[], metavar="TEXT", help="only those whose name has one of these")
    parser.add_argument("--share", default="0/1", metavar="I/N", help="every N-th caption, for several processes")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
