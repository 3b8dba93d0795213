"""The command line."""

import argparse
import importlib.util
import sys
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

from . import bypass, client, graph, outputs, overrides, progress
from .errors import HeadlessError, PromptError, UsageError
from .node_types import Types, node_types
from .row import front
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
EXPLANATION = ("Sampling time: median of {rounds} round(s) after a warm-up; speedup: median of the rounds' own. PSNR "
               "and SSIM against the same without BlockDance. Marked: nothing else is both as fast and as close.")


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit code."""
    options = parser().parse_args(arguments)
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
    result = argparse.ArgumentParser(
        prog="python -m headless", description="Run ComfyUI workflows (API format) from the command line.",
        epilog=EXIT_CODES, formatter_class=argparse.RawDescriptionHelpFormatter)
    actions = result.add_subparsers(required=True, metavar="ACTION")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("workflow", type=Path, help="a workflow in the API format: File > Export (API)")
    common.add_argument("--server", type=_url, default="http://127.0.0.1:8188", metavar="URL",
                        help="where ComfyUI listens (default: %(default)s)")
    inputs = actions.add_parser("inputs", parents=[common], help="list what --set and --sweep can change")
    inputs.set_defaults(action=_inputs)
    run = actions.add_parser("run", parents=[common], help="run a workflow and save its outputs", epilog=EXIT_CODES,
                             formatter_class=argparse.RawDescriptionHelpFormatter)
    run.set_defaults(action=_run)
    run.add_argument("--set", action="append", default=[], metavar="NODE.INPUT=VALUE",
                     help='change an input, as in "BlockDance Patch.N=3"; NODE is a title, a class or an id')
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
    return result


def _url(text: str) -> str:
    return (text if "://" in text else f"http://{text}").rstrip("/")


def _positive(text: str) -> int:
    if (value := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{value} is too small, use 1 or more")
    return value


def _fail(message: str, code: int) -> int:
    progress.clear()
    print(f"error: {message}", file=sys.stderr)
    return code


def _inputs(options: argparse.Namespace) -> None:
    prompt = graph.read(options.workflow)
    types = node_types(options.server, prompt)
    for node, value in prompt.items():
        print(graph.name(prompt, node))
        for given in overrides.settable(prompt, node, types):
            present = value["inputs"].get(given, "not in the file, so its default")
            print(f"  {given} = {'a connection' if graph.is_link(present) else present}")


def _run(options: argparse.Namespace) -> None:
    prompt = graph.read(options.workflow)
    types = node_types(options.server, prompt)
    settings = [overrides.parse(text, prompt, types) for text in options.set]
    sweeps = [overrides.parse_sweep(text, prompt, types) for text in options.sweep]
    prompt = overrides.apply(prompt, settings)
    if options.compare or sweeps:
        _compare(options, prompt, types, overrides.combinations(sweeps))
    else:
        result = _submit(options, "", prompt)
        _print_saved(outputs.save(result, prompt, options.out))
        _refuse_missing([result])


def _submit(options: argparse.Namespace, label: str, prompt: graph.Prompt) -> client.Result:
    result = client.submit(options.server, prompt, progress.bar(prompt, label))
    progress.clear()
    seconds = f"{sum(result.seconds.values()):.2f} s"
    print(f"{label}: {seconds}" if label else f"done in {seconds}", file=sys.stderr)
    for node, lines in result.texts.items():
        print(f"  {graph.name(prompt, node)}: {lines[-1]}", file=sys.stderr)
    for problem in result.problems:
        print(f"  {problem}", file=sys.stderr)
    return result


def _compare(options: argparse.Namespace, prompt: graph.Prompt, types: Types,
             combinations: list[tuple[overrides.Setting, ...]]) -> None:
    """`combinations` is a single empty one for --compare."""
    if missing := [package for package in NEEDS if importlib.util.find_spec(package) is None]:
        raise UsageError(f"--compare and --sweep need {', '.join(missing)}, which {sys.executable} does not have: use "
                         "ComfyUI's Python")
    if not bypass.patches(prompt, types):
        raise UsageError(f"nothing to compare: {options.workflow} has no node of BlockDance that changes a MODEL")
    from . import comparison  # not at the top: it brings in torch
    plain, nodes = bypass.bypass(prompt, types), tuple(bypass.samplers(prompt, types))
    if not nodes:
        raise UsageError(f"nothing to compare: no sampler of {options.workflow} that has an output behind it gets the "
                         "MODEL of a BlockDance node")
    variants = comparison.variants(prompt, plain, nodes, combinations)
    rows, results = comparison.compare(variants, options.rounds, bypass.after(plain, nodes),
                                       lambda label, wanted: _submit(options, label, wanted))
    saved = [outputs.save(result, variant.prompt, outputs.new_folder(options.out, variant.label))
             for variant, result in zip(variants, results)]
    best = front(rows)
    name = "sweep" if options.sweep else "comparison"
    outputs.write_csv(options.out / f"{name}.csv", rows, best, [variant.columns for variant in variants])
    saved.append([options.out / f"{name}.csv"])
    if options.sweep:
        outputs.draw(options.out / "sweep.png", rows, best, EXPLANATION.format(rounds=options.rounds))
        saved.append([options.out / "sweep.png"])
    print(f"{outputs.table(rows, best)}\n\n{EXPLANATION.format(rounds=options.rounds)}\n")
    _print_saved(chain.from_iterable(saved))
    _refuse_missing(results)


def _print_saved(paths: Iterable[Path]) -> None:
    for path in paths:
        print(path)


def _refuse_missing(results: Iterable[client.Result]) -> None:
    if any(result.problems for result in results):
        raise PromptError("some outputs are missing, as is said above; the others are saved")
