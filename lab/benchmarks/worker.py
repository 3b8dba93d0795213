"""One of the processes that measure: `worker I/N` takes every N-th batch of captions, and appends to a file of its own.

What is on record already is not measured again.
"""

import json
import logging
import sys
from dataclasses import dataclass
from typing import Iterable, Iterator, Sequence

import torch

from .arm import FULL, Arm
from .arms import ALL, AUTO, BASE_ONLY, SLOW, thinned
from .compare import Contest, batches
from .options import Options, parse
from .record import Memory, Record, load, reopen
from .row import BASELINE
from .setting import ALL as SETTINGS
from .setting import BASE, Setting, around
from .subject import Subject
from .versions import versions

MANY_STEPS = 200  # of the run that shows which is nearer to the exact solution; left out of a quick benchmark


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
            arms = tuple(arm for arm in chosen_arms(options) if setting == subject.base or arm.method not in BASE_ONLY)
            contest = Contest(subject, arms, setting, None if options.quick else MANY_STEPS)
            mine = {arm for place, arm in enumerate(remembering(arms)) if place in share
                    and (subject.name, setting, arm.method) not in done}
            if mine:
                yield from contest.memory(batches(subject, setting.batch, setting.batch)[0][1], 0, mine.__contains__)
            for number, captions in batches(subject, options.captions, setting.batch):
                def missing(arm: Arm) -> bool:
                    return (subject.name, setting, number, arm.method, arm.point) not in done
                if number not in share or not any(map(missing, arms)):
                    continue
                yield from contest.run(captions, number, number, missing)
                print(f"{subject.name}, {setting.name}: batch {number + 1} of captions", flush=True)
            for arm, reason in contest.refused.items():
                print(f"{subject.name}: {arm.name} left out, {reason}", flush=True)


def chosen_arms(options: Options) -> tuple[Arm, ...]:
    """Those that the options ask for, the baseline always among them and our own curves with all their points. What
    takes dozens of runs before the first that is measured a quick benchmark has only where it is named. Exits where a
    text names none; one that is a whole name, with its point or without, is no other's."""
    whole_names = {name.lower() for arm in ALL for name in (arm.method, arm.name)}
    parts = [text for text in options.arms if text.lower() not in whole_names]
    _refuse_unknown(parts, [arm.method for arm in ALL], "method")

    def asked(arm: Arm) -> bool:
        if not options.arms:
            return not (options.quick and arm.method in SLOW)
        named = {arm.method.lower(), arm.name.lower()} & {text.lower() for text in options.arms}
        return bool(named) or _has_one(arm.method, parts)
    arms = [arm for arm in ALL if arm.method == BASELINE or asked(arm)]
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
    settings = (base,) if options.quick and not options.settings else around(base)
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
