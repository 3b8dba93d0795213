"""The command line."""

import argparse
import importlib.util
import re
import sys
import textwrap
from collections.abc import Iterable
from pathlib import Path

from . import acceleration, calibration, graph, outputs, overrides, progress, running, words
from .errors import HeadlessError, PromptError, UsageError
from .node_types import Types, node_types
from .spelling import meant
from .stopping import Stopping

EXIT_CODES = """exit codes:
  0  done, outputs saved
  1  outputs could not be written
  2  the command line or the workflow file is wrong; nothing was run
  3  no server answers, or the connection broke
  4  the server does not have a node type of the workflow
  5  the server refused the workflow; nodes and inputs are named
  6  a node failed, and its traceback is printed; or some outputs are missing, and the others are saved
  130  interrupted: by Ctrl-C, which stops the prompt on the server, too, or by somebody on the server
  143  ended by SIGTERM; the prompt is stopped as with Ctrl-C"""
NEEDS = ("av", "kornia", "numpy", "PIL", "torch")
OPTION = re.compile(r"--[a-z]+")
WIDTH = 120
HERE = "http://127.0.0.1:8188"


class Parser(argparse.ArgumentParser):
    """Tells of an unknown option which one was meant."""

    def parse_known_args(self, *args, **kwargs):
        found, rest = super().parse_known_args(*args, **kwargs)
        if wrong := next((word for word in rest if word.startswith("--")), None):
            self.error(f"there is no option {wrong}{meant(wrong.split('=')[0], OPTION.findall(self.format_help()))}")
        return found, rest


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit code."""
    options = parser().parse_args(arguments)
    options.servers = options.servers or [HERE]
    stopping = Stopping()
    try:
        options.action(options)
    except HeadlessError as error:
        return _fail(str(error), error.exit_code)
    except OSError as error:
        return _fail(f"cannot write: {error}", 1)
    except KeyboardInterrupt:
        return _fail("interrupted; nothing of this is running on the server any more", stopping.exit_code)
    return 0


def parser() -> argparse.ArgumentParser:
    result = Parser(
        prog="python -m lab.headless", description="Run ComfyUI workflows (API format) from the command line.",
        epilog=EXIT_CODES, formatter_class=argparse.RawDescriptionHelpFormatter)
    actions = result.add_subparsers(required=True, metavar="ACTION")
    prepared = _with_workflow()
    prepared.add_argument("--accelerate", type=_speedup, metavar="SPEEDUP",
                          help="put a BlockDance Auto node with this speed-up, such as 2, in front of every sampler, "
                               "so that the workflow need not be edited; of one model the first run measures")
    inputs = actions.add_parser("inputs", parents=[prepared],
                                help="list what --set and --sweep can change, and to what")
    inputs.set_defaults(action=_inputs)
    run = actions.add_parser("run", parents=[prepared, _with_set("BlockDance Patch.N=3")],
                             help="run a workflow and save its outputs", epilog=EXIT_CODES,
                             formatter_class=argparse.RawDescriptionHelpFormatter)
    run.set_defaults(action=_run)
    run.add_argument("--out", type=Path, default=Path("headless-output"), metavar="FOLDER",
                     help="for the outputs (default: %(default)s)")
    ways = run.add_mutually_exclusive_group()
    ways.add_argument("--compare", action="store_true",
                      help="also run without BlockDance's nodes; report time, PSNR and SSIM")
    ways.add_argument("--sweep", action="append", default=[], metavar="NODE.INPUT=VALUE,VALUE,...",
                      help="the same for every value, and for every combination where given several times, each "
                           "against the same without BlockDance; "
                           "writes sweep.csv and sweep.png")
    run.add_argument("--rounds", type=_positive, default=3, metavar="COUNT",
                     help="how often --compare and --sweep run each variant (default: %(default)s)")
    calibrate = actions.add_parser(
        "calibrate", parents=[_with_workflow(), _with_set("BlockDance Calibrate.fit_weights=true")],
        help="measure a workflow's model for BlockDance Auto, by runs with the settings of its KSampler")
    calibrate.set_defaults(action=_calibrate)
    calibrate.add_argument("--runs", type=_positive, default=2, metavar="COUNT",
                           help="full runs to measure (default: %(default)s)")
    return result


def _with_workflow() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(add_help=False)
    result.add_argument("workflow", type=Path, help="a workflow in the API format: File > Export (API)")
    result.add_argument("--server", type=_url, action="append", default=[], metavar="URL", dest="servers",
                        help=f"where ComfyUI listens (default: {HERE}); run --sweep takes several and is spread over "
                             "them")
    return result


def _with_set(example: str) -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(add_help=False)
    result.add_argument("--set", action="append", default=[], metavar="NODE.INPUT=VALUE",
                        help=f'change an input, as in "{example}"; NODE is a title, a class or an id')
    return result


def _url(text: str) -> str:
    return (text if "://" in text else f"http://{text}").rstrip("/")


def _positive(text: str) -> int:
    if not text.isdecimal() or (value := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 on")
    return value


def _speedup(text: str) -> float:
    try:
        return float(text)  # the server knows how far it goes
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number, such as 2") from None


def _fail(message: str, code: int) -> int:
    progress.clear()
    print(f"error: {message}", file=sys.stderr)
    return code


def _types(options: argparse.Namespace, prompt: graph.Prompt, added: Iterable[str] = ()) -> Types:
    """Of the workflow's nodes and of those that are added, as all servers have them."""
    if len(set(options.servers)) < len(options.servers):
        raise UsageError("a server is named twice: name each once")
    if len(options.servers) > 1 and not getattr(options, "sweep", ()):
        raise UsageError("only a --sweep can be spread over several servers: name one")
    types, *_ = [node_types(server, prompt, added) for server in options.servers]
    return types


def _prepared(options: argparse.Namespace, prompt: graph.Prompt) -> tuple[graph.Prompt, Types]:
    """The workflow with what --accelerate adds, and the types of its nodes."""
    added = (acceleration.AUTO,) if options.accelerate is not None else ()
    types = _types(options, prompt, added)
    return (acceleration.accelerate(prompt, types, options.accelerate) if added else prompt), types


def _inputs(options: argparse.Namespace) -> None:
    prompt, types = _prepared(options, graph.read(options.workflow))
    for node, value in prompt.items():
        print(graph.name(prompt, node))
        found = types[value["class_type"]].inputs
        for given in overrides.settable(prompt, node, types):
            present = value["inputs"].get(given, found[given].default_in_words if given in found else "")
            line = f"  {given} = {'a connection' if graph.is_link(present) else present}"
            allowed = found[given].allowed if given in found else ""
            print(line)
            if allowed:
                print(textwrap.fill(allowed, WIDTH, initial_indent=" " * 6, subsequent_indent=" " * 6,
                                    break_long_words=False, break_on_hyphens=False))


def _run(options: argparse.Namespace) -> None:
    prompt = graph.read(options.workflow)
    table = "sweep" if options.sweep else "comparison" if options.compare else None
    outputs.check(options.out, (f"{table}.csv", f"{table}.png") if table else ())
    prompt, types = _prepared(options, prompt)
    settings = [overrides.parse(text, prompt, types) for text in options.set]
    sweeps = [overrides.parse_sweep(text, prompt, types) for text in options.sweep]
    besides = words.spelled_out(prompt, types, [*settings, *(setting for sweep in sweeps for setting in sweep)])
    for line in words.told(prompt, besides):
        print(line, file=sys.stderr)
    prompt = overrides.apply(prompt, [*besides, *settings])
    if table:
        _compare(options, prompt, types, overrides.combinations(sweeps), table)
    else:
        server, = options.servers
        result = running.submit(server, "", prompt)
        _print_saved(outputs.save(result, prompt, options.out))
        if result.problems:
            raise PromptError(running.MISSING)


def _calibrate(options: argparse.Namespace) -> None:
    prompt = graph.read(options.workflow)
    types = _types(options, prompt, (calibration.CALIBRATE,))
    prompt = calibration.calibrate(prompt, types, options.runs)
    settings = [overrides.parse(text, prompt, types) for text in options.set]
    server, = options.servers
    running.submit(server, "", overrides.apply(prompt, settings))


def _compare(options: argparse.Namespace, prompt: graph.Prompt, types: Types,
             combinations: list[tuple[overrides.Setting, ...]], table: str) -> None:
    """`combinations` is a single empty one for --compare."""
    if missing := [package for package in NEEDS if importlib.util.find_spec(package) is None]:
        raise UsageError(f"--compare and --sweep need {', '.join(missing)}, which {sys.executable} does not have: use "
                         "ComfyUI's Python")
    from .comparing import Comparing  # not at the top: it brings in torch
    saved: list[Path] = []
    try:
        Comparing(options.servers, options.rounds, options.out, saved).compare(prompt, types, combinations, table)
    finally:  # what an interrupted comparison has saved is there, too
        _print_saved(path for path in saved if path.exists())


def _print_saved(paths: Iterable[Path]) -> None:
    for path in paths:
        print(path)
