"""The command in ComfyUI's Python: start the workers, wait for them, write the report."""

import signal
import subprocess
import sys
import time
from pathlib import Path

from . import document, search
from .options import Options, parse
from .published import joined
from .published import read as published
from .record import load
from .table import tables
from .versions import versions
from .worker import chosen_arms, chosen_settings

BOOT = Path(__file__).with_name("boot.py")


def main() -> int:
    options = parse(sys.argv[1:])
    if options.rewrite:
        print(*document.write(document.DOCS, published(document.DOCS / document.CSV)), sep="\n")
        return 0
    options.out.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # unwinds, so that the workers are stopped
    if options.search:
        print(f"report: {search.search(options)}")
        return 0
    for chosen in (chosen_arms, chosen_settings):  # wrong names are told once and not by every worker
        chosen(options)
    refuse_other_weights(options)
    started = time.monotonic()
    if (code := work(options)) != 0:
        print("a worker has failed; what was measured is kept, and the same command goes on from there",
              file=sys.stderr)
        return code
    measured = tables(*load(options.out))
    written = document.write(options.out, measured)
    if options.publish:
        written += document.write(document.DOCS, joined(published(document.DOCS / document.CSV), measured))
    print(f"measured in {(time.monotonic() - started) / 60:.1f} minutes; report: {', '.join(map(str, written))}")
    return 0


def refuse_other_weights(options: Options) -> None:
    """Exits where the folder has measurements of other weights under the same name."""
    present = versions(options.models)
    _, _, recorded = load(options.out)
    for path in options.models:
        if {some[path.name] for some in recorded if path.name in some} - {present[path.name]}:
            sys.exit(f"error: {options.out} has measurements of another {path.name}: give another folder with --out, "
                     "or delete it")


def work(options: Options) -> int:
    """Run the workers to their end; returns the first exit code that is not 0. Stops all when interrupted."""
    workers = [subprocess.Popen([sys.executable, str(BOOT), "blockdance.lab.benchmarks.worker",
                                 f"{number}/{options.workers}", *sys.argv[1:]]) for number in range(options.workers)]
    try:
        return next((code for code in [worker.wait() for worker in workers] if code), 0)
    except KeyboardInterrupt:
        return 130
    finally:
        for worker in workers:
            if worker.poll() is None:
                worker.terminate()
            worker.wait()


if __name__ == "__main__":
    sys.exit(main())
