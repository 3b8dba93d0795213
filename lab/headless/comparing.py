"""What --compare and --sweep do: the variants of a workflow measured, told, and written as tables and a chart."""

import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from . import bypass, comparison, fleet, outputs, running
from .client import Result
from .compared import compared
from .comparison import Variant
from .errors import PromptError, UsageError
from .graph import Prompt
from .node_types import Types
from .overrides import Setting
from .row import Row, front

EXPLANATION = ("Sampling time: median of {rounds} after a warm-up; speedup: that of the same without BlockDance, "
               "divided by it. PSNR (of what differs) and SSIM against that, too. Marked: nothing else is both as fast "
               "and as close.")
Measured = tuple[list[Row], list[Result]]  # with the outputs of the first round


@dataclass
class Comparing:
    """servers: what is measured is spread over them; out: the folder for outputs; saved: what was written there."""
    servers: Sequence[str]
    rounds: int
    out: Path
    saved: list[Path]

    def compare(self, prompt: Prompt, types: Types, combinations: list[tuple[Setting, ...]], table: str) -> None:
        """Measure the workflow with each combination of settings against the same without this pack.

        Raises UsageError where the pack changes nothing in it, and in the end whatever kept a server from its part.
        """
        if not bypass.patches(prompt, types):
            raise UsageError("nothing to compare: the workflow has no node of BlockDance that changes a MODEL; "
                             "--accelerate 2 adds one")
        plain, nodes = bypass.bypass(prompt, types), tuple(bypass.samplers(prompt, types))
        if not nodes:
            raise UsageError("nothing to compare: no sampler of the workflow that has an output behind it gets the "
                             "MODEL of a BlockDance node")
        variants = comparison.variants(prompt, plain, nodes, combinations)
        measured, errors = self._measured(variants, compared(plain, nodes, types))
        order = [variant.label for variant in variants]
        rows = sorted((replace(row, server=server) for server, (part, _) in measured.items() for row in part),
                      key=lambda row: order.index(row.label))
        if rows:
            self._write(rows, variants, table)
        for server, error in errors.items():
            print(f"what {server} was to measure is missing: {error}", file=sys.stderr)
        if errors:
            raise next(iter(errors.values()))
        if any(result.problems for _, results in measured.values() for result in results):
            raise PromptError(running.MISSING)

    def _measured(self, variants: list[Variant], shown: list[str]
                  ) -> tuple[dict[str, Measured], dict[str, Exception]]:
        """By server; with what kept others from it."""
        if len(self.servers) > 1:
            return self._spread(variants, shown)
        server, = self.servers
        return {server: comparison.compare(
            variants, self.rounds, shown, lambda label, prompt: running.submit(server, label, prompt),
            lambda variant, result: self._keep(variant, result, variant.label))}, {}

    def _spread(self, variants: list[Variant], shown: list[str]) -> tuple[dict[str, Measured], dict[str, Exception]]:
        parts, ours, one_at_a_time = fleet.shares(variants, self.servers), fleet.Fleet(), threading.Lock()
        for server in self.servers:
            labels = ", ".join(variant.label for variant in parts.get(server, ()))
            print(f"{server}: {labels or 'nothing to do'}", file=sys.stderr)

        def measure(server: str) -> Measured:
            place = outputs.place(server)

            def run(label: str, prompt: Prompt) -> Result:
                result = ours.submit(server, prompt)
                with one_at_a_time:
                    running.tell(f"{place}: {label}", prompt, result)
                return result

            def keep(variant: Variant, result: Result) -> None:
                with one_at_a_time:
                    self._keep(variant, result, f"{variant.label} on {place}")
            return comparison.compare(parts[server], self.rounds, shown, run, keep)
        return ours.each(measure, list(parts))

    def _keep(self, variant: Variant, result: Result, folder: str) -> None:
        self.saved.extend(outputs.save(result, variant.prompt, outputs.new_folder(self.out, folder)))

    def _write(self, rows: list[Row], variants: list[Variant], table: str) -> None:
        explanation = EXPLANATION.format(rounds=f"{self.rounds} round{'s' * (self.rounds > 1)}")
        best = front(rows)
        print(f"{outputs.table(rows, best)}\n\n{explanation}\n")
        self.saved.append(self.out / f"{table}.csv")
        columns = {variant.label: variant.columns for variant in variants}
        outputs.write_csv(self.saved[-1], rows, best, [columns[row.label] for row in rows])
        if table == "sweep":
            self.saved.append(self.out / f"{table}.png")
            outputs.draw(self.saved[-1], rows, best, explanation)
