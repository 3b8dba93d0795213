"""The command in ComfyUI's Python: measure the parts that were asked for, and write the report of all on record."""

import json
import logging
import os
import sys
from dataclasses import asdict
from typing import Callable, Iterable

import torch

from ..versions import versions
from . import document, idle, loading, methods, once, overhead, storage
from .options import Options, parse


def main() -> int:
    options = parse(sys.argv[1:])
    if options.device == "cuda" and not torch.cuda.is_available():
        sys.exit("error: this torch sees no CUDA device")
    options.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    logging.disable(logging.INFO)  # the host's nodes log every run
    parts: dict[str, Callable[[], Iterable]] = {
        "methods": lambda: methods.measure(options), "idle": lambda: idle.measure(options),
        "overhead": overhead.measure, "scaling": overhead.scale, "once": once.measure, "storage": storage.measure,
        "loading": lambda: [loading.measure()]}
    for part in options.parts:
        _record(options, part, parts[part]())
    print(f"report: {document.write(options.out, options.publish)}")
    return 0


def _record(options: Options, part: str, found: Iterable) -> None:
    """One file for each part, and for each model of full size, written when all of it is there."""
    files: dict[str, list[dict]] = {}
    for measured in found:
        print(measured, flush=True)
        full_size = part in ("methods", "idle")
        name = f"{part}-{measured.model}-{options.device}" if full_size else part
        files.setdefault(name, []).append(asdict(measured))
        about = versions(()) | {"load": _load(), "cores": str(os.cpu_count())} | (
            {"settings": _settings(options)} if full_size else {})
        (options.out / f"{name}.json").write_text(json.dumps({"about": about, "found": files[name]}, indent=1))


def _load() -> str:
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"  # on Windows


def _settings(options: Options) -> str:
    height, width = options.latent
    return (f"latent {height} x {width}, {options.dtype}, {options.steps} steps, euler, simple, cfg 1, "
            f"{options.rounds} runs of each{', torch.compile' if options.compile else ''}")


if __name__ == "__main__":
    sys.exit(main())
