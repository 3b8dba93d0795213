"""Draw the demo's captions in a headless ComfyUI, in full and by each method, and report. Runs in the host's Python.

Pictures are written as they come: whatever ends the job early, those that are drawn stay. Exit code 0, or 1 when the
server or a prompt fails, 130 after Ctrl-C, 143 after SIGTERM; the server is stopped in any case.
"""

import sys
import tempfile
from pathlib import Path

from lab.headless import client
from lab.headless.stopping import Stopping

from . import base, closing, host, server, sheet, table
from .options import Options, parse
from .picture import ARMS, Arm, Picture, draw, scenes
from .progress import Progress, about

Pictures = dict[Arm, list[Picture]]


def main() -> int:
    options = parse(sys.argv[1:])
    stopping = Stopping()
    log = options.out / "comfyui.log"
    pictures: Pictures = {arm: [] for arm in ARMS}
    # Errors are ignored because Windows holds on to the files of a process that has just ended
    with tempfile.TemporaryDirectory(prefix="blockdance-", ignore_cleanup_errors=True) as folder:
        print("starting ComfyUI ...", flush=True)
        try:
            with server.comfyui_server(host.current(), base.make_base(Path(folder), options.weights), log) as comfyui:
                print(f"ComfyUI is at {comfyui.url}, its log at {log}", flush=True)
                try:
                    draw_all(comfyui.url, options, pictures)
                except (client.PromptError, client.ServerLost) as error:
                    raise server.ServerError(f"{error}\nThe server's last lines:\n{comfyui.last_lines()}") from error
        except (server.ServerError, host.HostError) as error:
            print(f"\nerror: {error}\n{kept(pictures, options.out)}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print(f"\ninterrupted; ComfyUI is stopped. {kept(pictures, options.out)}", file=sys.stderr)
            return stopping.exit_code
    rows = table.rows(pictures)
    print(f"\n{table.text(rows)}\n\nmedian sampling time per picture, and its ratio to that of full; PSNR and SSIM "
          f"against full\npictures and sheet.png: {options.out}\n\n{closing.sentence(rows)}")
    return 0


def draw_all(url: str, options: Options, pictures: Pictures) -> None:
    """Every caption by every arm, into `pictures` and the folder for them. One picture goes before and is thrown away,
    and the arms take turns in going first, so that warming up favours none."""
    captions = scenes(options.captions)
    total = len(captions) * len(ARMS)
    warm = draw(url, ARMS[1], captions[0], options.seed + options.captions, options, _step("warming up"))
    progress = Progress(total, warm.seconds)
    print(f"drawing {total} pictures, {len(ARMS)} ways of each caption, {about(progress.seconds_left)}", flush=True)
    for index, scene in enumerate(captions):
        first = index % len(ARMS)
        for arm in ARMS[first:] + ARMS[:first]:
            picture = draw(url, arm, scene, options.seed + index, options, _step(f"{progress.label(1)} {arm.name:15}"))
            (options.out / file_name(index, arm)).write_bytes(picture.png)
            pictures[arm].append(picture)
            progress.drawn()
            print(f"{progress.label()} {arm.name:15} {picture.seconds:6.2f} s  {scene.caption()}", flush=True)
        sheet.sheet(pictures).save(options.out / "sheet.png")  # of all captions so far


def _step(label: str) -> client.Progress | None:
    if not sys.stdout.isatty():
        return None
    return lambda _, value, maximum: print(f"{label} step {value}/{maximum}", end="\r", flush=True)


def file_name(index: int, arm: Arm) -> str:
    """`<caption number>-<arm>.png`."""
    return f"{index + 1}-{arm.name.lower().translate({ord(' '): '-', ord('='): None, ord('%'): None})}.png"


def kept(pictures: Pictures, folder: Path) -> str:
    """What an ended job leaves, in words."""
    drawn = sum(map(len, pictures.values()))
    return f"Pictures that were drawn: {drawn}, in {folder}" if drawn else "No picture was drawn."


if __name__ == "__main__":
    sys.exit(main())
