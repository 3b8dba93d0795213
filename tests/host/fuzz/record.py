"""The record of a full fuzz run, written by the run itself."""

import platform
import time
from collections import Counter
from datetime import date
from textwrap import fill

import comfyui_version
import hypothesis
import torch

from blockdance.tests.documents import ROOT
from blockdance.tests.host.fuzz.cases import Case

DOCS = ROOT / "docs" / "internals" / "fuzz.md"
TEXT = """# Fuzz test

Each case draws a method or a random plan (any spans, feature or delta), a model, a sampler, a scheduler, steps, batch,
cfg, denoising strength, both conditions (areas, masks, timestep ranges, ControlNet, prompts of other lengths), whether
cond and uncond come in one call, and where a run is interrupted. In every case:

- no exception, no failure in the report, and the picture of the unpatched model where nothing was reused;
- another prompt for the condition that the guidance does not take changes no bit of the picture (left out for the
  samplers whose name has `cfg_pp`, which mix the two themselves);
- after the runs and after an interrupted one the model has its own forwards, its weights were never written to, and it
  gives the same picture as before all cases, bit for bit;
- the bytes of all tensors alive are what they were before, and no run's state is left.

Written by `{command}` on the day of the run:

| | |
|---|---|
{facts}

| model | cases | | method | cases | | positive | cases | | negative | cases |
|---|---|---|---|---|---|---|---|---|---|---|
{counts}

{samplers}
"""
TABULATED = ("model", "kind_of_method", "positive", "negative")
DRAWN = (*TABULATED, "sampler", "scheduler")


class Record:
    """Counts the cases that passed."""

    def __init__(self, seed: int):
        self.cases = 0
        self.totals: Counter[str] = Counter()
        self._seed = seed
        self._drawn = {name: Counter() for name in DRAWN}
        self._started = time.monotonic()

    def add(self, case: Case, executed: dict[str, int]) -> None:
        self.cases += 1
        self.totals.update(executed)
        for name, drawn in self._drawn.items():
            drawn[getattr(case, name)] += 1

    def write(self) -> None:
        """To be called once all cases have passed."""
        facts = {
            "date": date.today().isoformat(), "result": f"all {self.cases} cases passed", "seed": self._seed,
            "ComfyUI": comfyui_version.__version__, "torch": torch.__version__, "Python": platform.python_version(),
            "hypothesis": hypothesis.__version__, "minutes": round((time.monotonic() - self._started) / 60),
            "samplers, schedulers": f"{len(self._drawn['sampler'])}, {len(self._drawn['scheduler'])}", **self.totals}
        columns = [self._drawn[name].most_common() for name in TABULATED]
        rows = [" | | ".join(f"{column[row][0]} | {column[row][1]}" if row < len(column) else " | "
                             for column in columns) for row in range(max(map(len, columns)))]
        DOCS.write_text(TEXT.format(
            command=f"BLOCKDANCE_FUZZ={self.cases} python3 -m tests tests/host/fuzz/test_fuzz.py",
            facts="\n".join(f"| {name} | {value} |" for name, value in facts.items()),
            counts="\n".join(f"| {row} |" for row in rows),
            samplers=fill("Samplers: " + ", ".join(
                f"{name} {count}" for name, count in sorted(self._drawn["sampler"].items())) + ".", 120)))
