"""Try the templates, in ComfyUI's Python: `python3 -m lab.templates`."""

import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Error, sync_playwright

from ...demo import host
from ...demo.base import link_folder
from ...demo.server import comfyui_server
from ...tests.browser import chromium
from ...tests.browser.comfy_page import ComfyPage, make_page_base
from . import document, options, outcome, packages
from .catalogue import Template, templates
from .outcome import Outcome
from .page import Opened
from .record import Record
from .trial import Server, opened_in, tried

REPOSITORY = Path(__file__).resolve().parents[2]
WEIGHTS = REPOSITORY / "demo" / "weights" / "pixart.safetensors"
STAND_INS = REPOSITORY / "lab" / "templates" / "stand_ins"
A_PAGE = 20  # templates; a page keeps each that it opened
PATIENCE = 1800  # seconds for a server to start, on a machine that has other work


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
    if waiting:
        try_all(waiting, record, package.version)
    print(dict(Counter(found.status for template in wanted
                       if (found := record.find(package.version, template.name)))))
    if given.publish:
        newest = packages.newest()
        untried = sum(record.find(newest.version, template.name) is None for template in templates(newest))
        print(document.write(record, comfyui, newest.version, packages.own().version, untried))
    return 0


def try_all(waiting: list[Template], record: Record, version: str) -> None:
    with rehearsing() as (browser, server):
        for first in range(0, len(waiting), A_PAGE):
            some = waiting[first:first + A_PAGE]
            for template, opened in zip(some, all_opened(browser, server, some)):
                begun = time.monotonic()
                record.add(found := one(server, template, version, opened))
                print(f"{template.name}: {found.status} {found.reason[:300]} ({time.monotonic() - begun:.1f} s)",
                      flush=True)


def all_opened(browser: Browser, server: Server, some: list[Template]) -> list[Opened | Error]:
    """Some templates in one page, which is closed then: a page that nobody looks at draws all the same."""
    with browser.new_context() as context:
        context.set_default_timeout(1000 * PATIENCE)
        page = ComfyPage(context.new_page(), server.url)
        found: list[Opened | Error] = []
        for template in some:
            try:
                found.append(opened_in(page, template))
            except Error as error:
                found.append(error)
        return found


def one(server: Server, template: Template, version: str, opened: Opened | Error) -> Outcome:
    """The outcome of a template; what breaks in it does not cost the others theirs."""
    try:
        if isinstance(opened, Error):
            raise opened
        return tried(server, template, version, opened)
    except (Error, RuntimeError, KeyError, TypeError, ValueError) as error:
        return Outcome(template.name, template.title, version, template.usage, outcome.FAILS,
                       f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}")


@contextmanager
def rehearsing() -> Iterator[tuple[Browser, Server]]:
    """A browser, and a server with the stand-ins."""
    if (program := chromium.installed()) is None:
        raise RuntimeError("no Chromium: install one, or name its program in BLOCKDANCE_CHROMIUM")
    with tempfile.TemporaryDirectory(prefix="blockdance-", ignore_cleanup_errors=True) as folder:
        base = make_page_base(Path(folder), WEIGHTS)
        link_folder(STAND_INS, base / "custom_nodes" / STAND_INS.name)
        log = base / "comfyui.log"
        with comfyui_server(host.current(), base, log, ("--cache-none",), timeout=PATIENCE) as server, \
                sync_playwright() as playwright:
            browser = chromium.launch(playwright, program)
            yield browser, Server(server.url, base / "models" / "blockdance", partners(host.current().comfyui))
            browser.close()


def partners(comfyui: Path) -> frozenset[str]:
    """The node types of ComfyUI that call a service."""
    return frozenset(node for path in (comfyui / "comfy_api_nodes").glob("*.py")
                     for node in re.findall(r'node_id="(\w+)"', path.read_text(encoding="utf-8")))


if __name__ == "__main__":
    sys.exit(main())
