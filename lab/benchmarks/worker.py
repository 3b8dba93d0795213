"""One of the processes that measure: `worker I/N` takes every N-th batch of captions, and appends to a file of its own.

What is on record already is not measured again.
"""

import json
import logging
import sys
from dataclasses import dataclass
from typing import Iterable, Iterator, Sequence

import torch

from . import more_steps
from .arm import FULL, Arm
from .arms import ALL, AUTO, MAIN, MAIN_POINTS, MAIN_SHARE, QUICK, RIVALS, thinned
from .compare import Contest, batches
from .options import Options, parse
from .record import Memory, Record, load, reopen
from .row import BASELINE
from .setting import ALL as SETTINGS
from .setting import BASE, OF_BASE, Setting
from .subject import Subject
from .versions import versions

MANY_STEPS = 200  # of the run that shows which is nearer to the exact solution


@dataclass(frozen=True)
class Share:
    """What one worker does of everything."""
    number: int
    of: int

    def __contains__(self, place: int) -> bool:
        return place % self.of == self.number


def main() -> int:
    number, of = map(int, sys.argv[1].split("/"))
    options = parse(sys.argv[2:])
    torch.set_num_threads(1)
    logging.disable(logging.INFO)  # the host's nodes log every run
    with reopen(options.out / f"records-{number}.jsonl") as file:
        print(json.dumps({"kind": "versions", **versions(options.models)}), file=file)
        for record in measure(options, Share(number, of)):
            print(record.line(), file=file, flush=True)
    return 0


def measure(options: Options, share: Share) -> Iterator[Record | Memory]:
    """All that this worker has to measure and that is not on record."""
    runs, memories, _ = load(options.out)
    done = {record.key for record in [*runs, *memories]}
    for weights in options.models:
        subject = Subject(weights)
        for setting in chosen_settings(options, subject.base):
            if setting.precision != subject.precision:
                subject = Subject(weights, setting.precision)
            first = setting == subject.base
            arms = chosen_arms(options, first)
            many = MANY_STEPS if setting.steps == more_steps.STEPS or first and not options.quick else None
            contest = Contest(subject, arms, setting, many, options.out)
            mine = {arm for place, arm in enumerate(remembering(arms)) if first and place in share
                    and (subject.name, setting, arm.method) not in done}
            if mine:
                yield from contest.memory(batches(subject, setting.batch, setting.batch)[0][1], 0, mine.__contains__)
            captions = options.captions if first else options.other_captions
            for number, some in batches(subject, captions, setting.batch):
                def missing(arm: Arm) -> bool:
                    return (subject.name, setting, number, arm.method, arm.point) not in done
                if number not in share or not any(map(missing, arms)):
                    continue
                yield from contest.run(some, number, number, missing)
                print(f"{subject.name}, {setting.name}: batch {number + 1} of captions", flush=True)
            for arm, reason in contest.refused.items():
                print(f"{subject.name}: {arm.name} left out, {reason}", flush=True)


def chosen_arms(options: Options, first: bool = True) -> tuple[Arm, ...]:
    """Those that the options ask for, the baseline always among them; without a word of theirs all in the first setting
    of a model, MAIN at a few points in others, and in a quick benchmark QUICK, with our own curves whole. Exits where a
    text names none; one that is a whole name, with its point or without, is no other's."""
    whole_names = {name.lower() for arm in ALL for name in (arm.method, arm.name)}
    parts = [text for text in options.arms if text.lower() not in whole_names]
    _refuse_unknown(parts, [arm.method for arm in ALL], "method")
    named = {text.lower() for text in options.arms}

    def asked(arm: Arm) -> bool:
        if options.arms:
            return not named.isdisjoint({arm.method.lower(), arm.name.lower()}) or _has_one(arm.method, parts)
        if not first:
            return arm.method in MAIN and arm.point in MAIN_POINTS
        return not options.quick or arm.method in QUICK and (arm.method not in RIVALS or arm.point in MAIN_POINTS)
    most = 1. if first else MAIN_SHARE
    arms = [arm for arm in ALL if (arm.share <= most if arm.method == BASELINE else asked(arm))]
    if options.points is None:
        return tuple(arms)
    whole = [arm for arm in arms if arm.method == BASELINE or arm.method.startswith(AUTO)]
    return (*whole, *thinned((arm for arm in arms if arm not in whole), options.points))


def remembering(arms: tuple[Arm, ...]) -> tuple[Arm, ...]:
    """One arm of each method, full sampling among them: what a method stores hardly depends on its knob."""
    return FULL, *{arm.method: arm for arm in reversed(arms) if arm.patch is not None}.values()


def chosen_settings(options: Options, base: Setting = BASE) -> tuple[Setting, ...]:
    """Those that the options ask for, of a model that is measured in `base` first. Exits where a text names none."""
    _refuse_unknown(options.settings, [setting.name for setting in SETTINGS], "setting")
    settings = (base,) if options.quick and not options.settings else OF_BASE[base]
    return tuple(setting for setting in settings if not options.settings or _has_one(setting.name, options.settings))


def _has_one(name: str, texts: Iterable[str]) -> bool:
    return any(text.lower() in name.lower() for text in texts)


def _refuse_unknown(texts: Iterable[str], names: Sequence[str], kind: str) -> None:
    """Exits where a text is in none of the names."""
    for text in texts:
        if not any(_has_one(name, [text]) for name in names):
            known = "\n  ".join(dict.fromkeys(names))
            sys.exit(f"error: no {kind} has {text} in its name; known are\n  {known}")


if __name__ == "__main__":
    sys.exit(main())
