"""Draw the demo's captions in a headless ComfyUI, in full and by each method, and report. Runs in the host's Python.

Pictures are written as they come: whatever ends the job early, those that are drawn stay. Exit code 0, or 1 when the
server or a prompt fails, 130 after Ctrl-C, 143 after SIGTERM; the server is stopped in any case.
"""

import sys
import tempfile
from pathlib import Path

from lab.headless import client
from lab.headless.stopping import Stopping

from . import base, closing, host, pictures_showcase, server, shapes_showcase, sheet, table
from .options import Options, parse
from .picture import Arm, Picture, draw
from .progress import Progress, about
from .showcase import Measuring, Showcase

Pictures = dict[Arm, list[Picture]]
SHOWCASES = {"pictures": pictures_showcase.SHOWCASE, "shapes": shapes_showcase.SHOWCASE}


def main() -> int:
    options = parse(sys.argv[1:])
    showcase = SHOWCASES[options.world]
    stopping = Stopping()
    log = options.out / "comfyui.log"
    pictures: Pictures = {arm: [] for arm in showcase.arms}
    # Errors are ignored because Windows holds on to the files of a process that has just ended
    with tempfile.TemporaryDirectory(prefix="blockdance-", ignore_cleanup_errors=True) as folder:
        print("starting ComfyUI ...", flush=True)
        try:
            place = base.make_base(Path(folder), options.weights, showcase.weights_name)
            with server.comfyui_server(host.current(), place, log) as comfyui:
                print(f"ComfyUI is at {comfyui.url}, its log at {log}", flush=True)
                try:
                    draw_all(comfyui.url, showcase, options, pictures)
                except (client.PromptError, client.ServerLost) as error:
                    raise server.ServerError(f"{error}\nThe server's last lines:\n{comfyui.last_lines()}") from error
        except (server.ServerError, host.HostError) as error:
            print(f"\nerror: {error}\n{kept(pictures, options.out)}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print(f"\ninterrupted; ComfyUI is stopped. {kept(pictures, options.out)}", file=sys.stderr)
            return stopping.exit_code
    rows = table.rows(pictures, showcase)
    print(f"\n{table.text(rows, showcase)}\n\nsampling time of the fastest picture, and its ratio to that of full; "
          f"PSNR and SSIM against full\npictures and sheet.png: {options.out}\n\n{closing.sentence(rows, showcase)}")
    return 0


def draw_all(url: str, showcase: Showcase, options: Options, pictures: Pictures) -> None:
    """Every caption by every arm, into `pictures` and the folder for them. One picture goes before and is thrown away,
    and the arms take turns in going first, so that warming up favours none."""
    captions, arms = showcase.captions(options.captions), showcase.arms
    total = len(captions) * len(arms)
    before = showcase.measuring or Measuring(arms[1], captions[0])
    warm = draw(url, showcase.template, before.arm, before.caption, options.seed + len(captions), options,
                _step("measuring the model" if showcase.measuring else "warming up"))
    if showcase.measuring:
        print(f"Auto has measured this model in its first run, {before.caption!r} in full: {warm.seconds:.2f} s",
              flush=True)
    progress = Progress(total, warm.seconds)
    print(f"drawing {total} pictures, {len(arms)} ways of each caption, {about(progress.seconds_left)}", flush=True)
    for index, caption in enumerate(captions):
        first = index % len(arms)
        for arm in arms[first:] + arms[:first]:
            picture = draw(url, showcase.template, arm, caption, options.seed + index, options,
                           _step(f"{progress.label(1)} {arm.name:20}"))
            (options.out / file_name(index, arm)).write_bytes(picture.png)
            pictures[arm].append(picture)
            progress.drawn()
            print(f"{progress.label()} {arm.name:20} {picture.seconds:6.2f} s  {caption}", flush=True)
        # Of all captions so far
        whole = sheet.sheet(pictures, table.rows(pictures, showcase))
        whole.save(options.out / "sheet.png")
        sheet.excerpt(whole).save(options.out / "excerpt.jpg", quality=85)


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
