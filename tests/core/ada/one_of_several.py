"""A process that trains together with others, as torchrun starts it: writes the weights that it ends with to its own
file in the folder that is its argument."""

import sys
import types
from pathlib import Path

import torch

package = types.ModuleType("blockdance")
package.__path__ = [str(Path(__file__).resolve().parents[3])]
sys.modules["blockdance"] = package

from blockdance.blockdance_core.ada.network import DecisionNetwork  # noqa: E402
from blockdance.blockdance_core.ada.training import Training  # noqa: E402
from blockdance.blockdance_core.ada.workers import Workers  # noqa: E402
from blockdance.tests.core.ada.toy_studio import TINY, TOGETHER, Toy  # noqa: E402

workers = Workers.join()
toy = Toy()
training = Training(DecisionNetwork(TINY).start(), (20,), toy, 8, TOGETHER, workers)
training.run()
torch.save({"network": training.network.state_dict(), "scores": [score.reward for score in training.progress.scores],
            "tried": toy.macs, "macs": training.progress.macs},
           Path(sys.argv[1]) / f"{workers.rank}-of-{workers.count}.pt")
workers.leave()
