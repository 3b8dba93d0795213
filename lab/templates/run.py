"""Try the templates, in ComfyUI's Python: `python3 -m lab.templates`."""

import re
import sys
import tempfile
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Error, sync_playwright

from ...demo import host
from ...demo.base import link_folder
from ...demo.server import comfyui_server
from ...tests.browser import chromium
from ...tests.browser.comfy_page import ComfyPage, make_page_base
from . import document, options, outcome, packages
from .catalogue import templates
from .outcome import Outcome
from .record import Record
from .trial import Server, tried

REPOSITORY = Path(__file__).resolve().parents[2]
WEIGHTS = REPOSITORY / "demo" / "weights" / "pixart.safetensors"
A_PAGE = 20  # templates; a page keeps each that it opened


def main() -> int:
    given = options.parse(sys.argv[1:])
    comfyui = re.search(r'"([\d.]+)"', (host.current().comfyui / "comfyui_version.py").read_text())[1]
    record = Record(comfyui)
    package = packages.own() if given.own else packages.newest()
    wanted = templates(package)
    if unknown := set(given.names) - {template.name for template in wanted}:
        print(f"error: {package.version} has no template that samples of the name {', '.join(unknown)}",
              file=sys.stderr)
        return 2
    wanted = [template for template in wanted if template.name in given.names or not given.names]
    waiting = [template for template in wanted if given.again
               or (found := record.find(package.version, template.name)) is None or found.status == outcome.FAILS]
    print(f"{len(wanted)} templates of {package.version} sample, {len(waiting)} are to be tried", flush=True)
    while waiting:
        with rehearsing(REPOSITORY) as (page, server):
            for template in waiting[:A_PAGE]:
                begun = time.monotonic()
                found = one(page, server, template, package.version)
                record.add(found)
                print(f"{template.name}: {found.status} {found.reason[:300]} ({time.monotonic() - begun:.1f} s)",
                      flush=True)
        waiting = waiting[A_PAGE:]
    print(dict(Counter(found.status for template in wanted
                       if (found := record.find(package.version, template.name)))))
    if given.publish:
        print(document.write(record, comfyui))
    return 0


def one(page: ComfyPage, server: Server, template, version: str) -> Outcome:
    """The outcome of a template; what breaks in it does not cost the others theirs."""
    try:
        return tried(page, server, template, version)
    except (Error, RuntimeError, KeyError, TypeError, ValueError) as error:
        return Outcome(template.name, template.title, version, template.usage, outcome.FAILS,
                       f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}")


@contextmanager
def rehearsing(repository: Path):
    """A page, and the server that it is of, with the stand-ins."""
    if (program := chromium.installed()) is None:
        raise RuntimeError("no Chromium: install one, or name its program in BLOCKDANCE_CHROMIUM")
    with tempfile.TemporaryDirectory(prefix="blockdance-", ignore_cleanup_errors=True) as folder:
        base = make_page_base(Path(folder), WEIGHTS)
        link_folder(repository / "lab" / "templates" / "stand_ins", base / "custom_nodes" / "blockdance_rehearsal")
        with comfyui_server(host.current(), base, base / "comfyui.log", ("--cache-none",)) as server, \
                sync_playwright() as playwright:
            browser = chromium.launch(playwright, program)
            page = ComfyPage(browser.new_page(), server.url)
            yield page, Server(server.url, base / "models" / "blockdance", partners(host.current().comfyui))
            browser.close()


def partners(comfyui: Path) -> frozenset[str]:
    """The node types of ComfyUI that call a service."""
    return frozenset(node for path in (comfyui / "comfy_api_nodes").glob("*.py")
                     for node in re.findall(r'node_id="(\w+)"', path.read_text(encoding="utf-8")))


if __name__ == "__main__":
    sys.exit(main())
