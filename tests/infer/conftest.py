"""What several tests of the script's own main share."""

import pytest
import torch

import predict as script_module
from bgm.infer.models import Model
from tests.infer import networks


@pytest.fixture
def quick(monkeypatch):
    """A network that is a difference, and counts its frames."""
    seen = []

    def net(src, bgr):
        seen.append(src)
        return networks.refine(src, bgr)

    opened = Model(net, torch.device("cpu"), 1.0)
    monkeypatch.setattr(script_module, "open_model", lambda *_, **__: opened)
    return seen
