"""The command for a GPU, rehearsed with small models: full size is known by its weights, a failure costs one row."""

import json
import time
from collections import Counter

import comfy.model_detection
import pytest
import torch

from blockdance.blockdance_core.comfy.models.architectures import chain_of
from blockdance.lab.benchmarks.gpu import compiling, document, methods, models, options, streaming, synchronisations
from blockdance.lab.benchmarks.gpu.record import Record

LATER = 3600.
CPU = torch.device("cpu")


def record(tmp_path) -> Record:
    return Record(tmp_path / "gpu.json", {"device": "none"})


def rows(tmp_path) -> list[dict]:
    return json.loads((tmp_path / "gpu.json").read_text())["rows"]


@pytest.mark.parametrize("name, billions", [("Flux", 11.9), ("SD3", 2.08), ("Wan", 14.3)])
def test_full_size_is_known_to_comfyui_by_its_weights(name, billions):
    size = models.FULL[name].size
    shapes = models.shapes(size)
    config = comfy.model_detection.model_config_from_unet(shapes, "")
    assert type(config) is size.model
    assert sum(shape.numel() for shape in shapes.values()) / 1e9 == pytest.approx(billions, rel=.02)
    again = config.get_model({}, "", device=torch.device("meta")).diffusion_model.state_dict()
    assert {name: shape.shape for name, shape in again.items()} == {name: shape.shape for name, shape in shapes.items()}


@pytest.mark.parametrize("name", models.SMALL)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float8_e4m3fn])
def test_a_model_is_loaded_in_the_dtype(name, dtype):
    size = models.SMALL[name].size
    model = models.load(models.weights(size, CPU), dtype, CPU)
    assert len(chain_of(model.model.diffusion_model).blocks) >= 4
    assert dtype in {parameter.dtype for parameter in model.model.diffusion_model.parameters()}
    assert torch.isfinite(size.sample(model, 1, cfg=2.)).all()


def test_each_method_beside_the_unpatched_model(tmp_path):
    case = models.SMALL["SD3"]
    model = models.load(models.weights(case.size, CPU), torch.bfloat16, CPU)
    methods.measure(case, "bfloat16", model, record(tmp_path), time.monotonic() + LATER, rounds=1)
    found = {row["method"]: row for row in rows(tmp_path)}
    assert list(found) == ["unpatched", *methods.ARMS]
    assert found["unpatched"]["realised"] == 1 and found["reuse off"]["ideal"] == 1
    assert 1.9 < found["Auto 2x"]["ideal"] <= 2 and found["BlockDance N=2"]["ideal"] > 1
    assert found["Delta-Cache N=2"]["cache"] > 0 and not any(row.get("failures") for row in found.values())


def test_what_there_is_no_time_for_is_left_out_and_said(tmp_path):
    case = models.SMALL["SD3"]
    model = models.load(models.weights(case.size, CPU), torch.bfloat16, CPU)
    methods.measure(case, "bfloat16", model, record(tmp_path), time.monotonic() - 1, rounds=1)
    assert [row["section"] for row in rows(tmp_path)] == ["left out"]


def test_a_failure_costs_its_own_row(tmp_path):
    kept = record(tmp_path)
    with kept.guard("methods", model="Flux"):
        raise RuntimeError("no kernel image is available")
    kept.add("own", milliseconds=1.)
    failed, after = rows(tmp_path)
    assert failed["what"] == "methods" and failed["model"] == "Flux" and "no kernel image" in failed["error"]
    assert after["section"] == "own"


def test_weights_of_skipped_blocks_are_told_from_others(tmp_path):
    """On the CPU nothing is moved, but layers that cast ask for their weights."""
    case = models.SMALL["SD3"]
    streaming.measure(case, record(tmp_path), time.monotonic() + LATER)
    found = {row["method"]: row for row in rows(tmp_path) if row["section"] == "streaming"}
    full, reused = found["unpatched"], found["Delta-Cache N=2"]
    assert reused["asked"] < full["asked"] and reused["moved_for_skipped"] == 0 and reused["reused"] > 0


def test_a_compiled_model_without_time_is_left_out(tmp_path):
    compiling.measure(models.SMALL["Flux"], record(tmp_path), time.monotonic() - 1)
    assert all(row["section"] == "left out" for row in rows(tmp_path))


def test_a_wait_is_counted_at_the_line_that_asks_for_it():
    found: Counter[str] = Counter()
    synchronisations.note(found, "called a synchronizing CUDA operation (Triggered internally at somewhere)")
    synchronisations.note(found, "something else")
    (place, count), = found.items()
    assert "test_gpu.py:" in place and count == 1 and synchronisations.own(found) == 0
    assert synchronisations.own(Counter({"blockdance_core/comfy/step_tracking.py:3": 2, "comfy/samplers.py:9": 5})) == 2


def test_the_document_says_what_was_measured_and_what_was_not(tmp_path):
    kept = record(tmp_path)
    shared = dict(model="Flux", dtype="bfloat16", steps=10, cfg=1., syncs=20, own_syncs=0, peak=3 * 2 ** 20)
    kept.add("methods", **shared, method="unpatched", seconds=4., held=2 ** 20)
    kept.add("methods", **shared | {"peak": 8 * 2 ** 20}, method="Auto 2x", seconds=2.5, held=2 ** 20, ideal=2.,
             cache=5 * 2 ** 20, uncounted=[], failures=[])
    kept.add("left out", what="Wan", why="no time")
    kept.add("failed", what="compile", backend="cudagraphs", error="RuntimeError: no")
    given = options.parse(["--publish", str(tmp_path / "gpu.json")])
    text = document.write(given.publish, tmp_path / "gpu.md").read_text()
    assert "| Flux | bfloat16 | Auto 2x | 10 | 2.500 | 2.000 | 1.600 | 0.800 | 2.0 | 0.0 | 5 | 5 |" in text
    assert "Wan: no time" in text and "compile cudagraphs: RuntimeError: no" in text


def test_a_record_that_is_not_there_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit):
        options.parse(["--publish", str(tmp_path / "none.json")])
    assert "measure first" in capsys.readouterr().err
