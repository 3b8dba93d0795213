"""Programs that use ComfyUI without its web server, and call nodes without its executor."""

import json
import subprocess
import sys
import types
from pathlib import Path

import pytest

from blockdance.blockdance_core.engine.report import Report
from blockdance.blockdance_core.plan.plan import Plan, Transformer
from blockdance.nodes import server as notify

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = Path(__file__).with_name("embedding_program.py")
NODES = json.loads((ROOT / "locales" / "zh" / "nodeDefs.json").read_text(encoding="utf-8"))


def outcome(folder: Path, way: str) -> dict:
    done = subprocess.run([sys.executable, PROGRAM, folder, way], capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("own_server", [False, True], ids=["no server", "a module of that name of its own"])
@pytest.mark.parametrize("way", ["by hand", "as a script"])
def test_nodes_work_without_server_and_executor(tmp_path, way, own_server):
    if own_server:
        (tmp_path / "server.py").write_text("PromptServer = None\n")
    found = outcome(tmp_path, way)
    assert found["nodes"] == sorted(NODES)
    profiles = ["auto", "general", "measure anew", "measure only when asked"]
    assert found["choices"] == {"profile": profiles, "policy": []}, "those of the demo"
    assert all("there is no " in refusal and "copy the file there" in refusal for refusal in found["refusals"])
    first, second = found["BlockDanceAuto"]
    assert "0 of 8 evaluations reused" in first and "the next run will be faster" in first
    assert "4 of 8 evaluations reused" in second
    for name in ("BlockDancePatch", "DeltaCachePatch", "DeltaDiTPatch", "DeltaCacheUNetPatch"):
        assert " of 8 evaluations reused" in found[name][0] and "0 of 8" not in found[name][0], name
    assert "plan is for 20 steps" in found["BlockDancePlan"][0]
    assert "block_index" in found["BlockDanceProbe"][0]
    assert (tmp_path / "models" / "blockdance" / found["BlockDanceCalibrate"]).is_file()
    assert found["BlockDanceQuality"] == "identical"


def test_what_stands_in_for_a_server_may_lack_anything(monkeypatch, caplog):
    class PromptServer:
        instance = object()
    monkeypatch.setitem(sys.modules, "server", types.SimpleNamespace(PromptServer=PromptServer))
    notify.show("a line", "1")
    notify.Timeline("1", {}).finished(Report("method", Transformer("model", (2,)), Plan.from_reuses([None])))
    assert caplog.text.count("the page could not be told") == 2
