"""Draw the demo's captions in a headless ComfyUI, in full and by each method, and report. Runs in the host's Python.

Exit code 0, or 1 when the server or a prompt fails, 130 after Ctrl-C, 143 after SIGTERM; the server is stopped in any
case.
"""

import sys
import tempfile
from pathlib import Path

from headless import client
from headless.stopping import Stopping

from . import base, host, server, sheet, table
from .options import Options, parse
from .picture import ARMS, Arm, Picture, draw, scenes


def main() -> int:
    options = parse(sys.argv[1:])
    stopping = Stopping()
    options.out.mkdir(parents=True, exist_ok=True)
    log = options.out / "comfyui.log"
    # Errors are ignored because Windows holds on to the files of a process that has just ended
    with tempfile.TemporaryDirectory(prefix="blockdance-", ignore_cleanup_errors=True) as folder:
        print("starting ComfyUI ...", flush=True)
        try:
            with server.comfyui_server(host.current(), base.make_base(Path(folder), options.weights), log) as comfyui:
                print(f"ComfyUI is at {comfyui.url}, its log at {log}", flush=True)
                try:
                    pictures = draw_all(comfyui.url, options)
                except (client.PromptError, client.ServerLost) as error:
                    raise server.ServerError(f"{error}\nThe server's last lines:\n{comfyui.last_lines()}") from error
        except (server.ServerError, host.HostError) as error:
            print(f"\nerror: {error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print("\ninterrupted; ComfyUI is stopped", file=sys.stderr)
            return stopping.exit_code
    save(pictures, options.out)
    print(f"\n{table.text(table.rows(pictures))}\n\nmedian sampling time per picture; PSNR and SSIM against full\n"
          f"pictures and sheet.png: {options.out}")
    return 0


def draw_all(url: str, options: Options) -> dict[Arm, list[Picture]]:
    """Every caption by every arm. One picture goes before and is thrown away, and the arms take turns in going
    first, so that warming up favours none."""
    pictures: dict[Arm, list[Picture]] = {arm: [] for arm in ARMS}
    captions = scenes(options.captions)
    draw(url, ARMS[1], captions[0], options.seed + options.captions, options, _progress("warming up"))
    for index, scene in enumerate(captions):
        first = index % len(ARMS)
        for arm in ARMS[first:] + ARMS[:first]:
            label = f"[{index + 1}/{len(captions)}] {arm.name:15}"
            picture = draw(url, arm, scene, options.seed + index, options, _progress(label))
            pictures[arm].append(picture)
            print(f"{label} {picture.seconds:6.2f} s  {scene.caption()}", flush=True)
    return pictures


def _progress(label: str) -> client.Progress | None:
    if not sys.stdout.isatty():
        return None
    return lambda _, value, maximum: print(f"{label} step {value}/{maximum}", end="\r", flush=True)


def save(pictures: dict[Arm, list[Picture]], folder: Path) -> None:
    """Write every picture as `<caption number>-<arm>.png`, and sheet.png."""
    for arm, runs in pictures.items():
        for index, picture in enumerate(runs, 1):
            name = arm.name.lower().translate({ord(" "): "-", ord("="): None, ord("%"): None})
            (folder / f"{index}-{name}.png").write_bytes(picture.png)
    sheet.sheet(pictures).save(folder / "sheet.png")


if __name__ == "__main__":
    sys.exit(main())
