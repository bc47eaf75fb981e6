"""Coarse sizes that change by the step: in training only, and the same in a resumed run."""

import pytest
from torch.utils.data import DataLoader

from bgm.errors import BadInput
from bgm.train import GrowCrops, MattingStage, VaryScale
from tests.train.test_stages import BASE, COARSE, REFINE, batch, stage_of, trainer


class Recorder(MattingStage):
    """Keeps the sides of what its base network saw."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.seen, self.validated = [], []

    def losses(self, pred, true):
        (self.seen if self.training else self.validated).append(pred.err_sm.shape[-1])
        return super().losses(pred, true)


def test_scales_take_turns_in_training_and_validation_keeps_its_own(tmp_path):
    module = Recorder(REFINE, 1e-4, dict.fromkeys(COARSE, 1.0))
    batches = DataLoader([batch(H=96, W=96, seed=n) for n in range(4)], batch_size=None)
    fit = trainer(tmp_path, max_steps=4, callbacks=[VaryScale([0.5, 0.25])])
    fit.fit(module, batches, DataLoader([batch(H=96, W=96)], batch_size=None))
    assert sorted(module.seen[:2]) == [24, 48]
    assert module.seen[2:] == module.seen[:2]
    assert module.validated == [24]
    assert module.network.backbone_scale == 0.25


def test_a_base_network_has_no_scale(tmp_path):
    fit = trainer(tmp_path, max_steps=1, callbacks=[VaryScale([0.5])])
    with pytest.raises(BadInput, match=r"found a MattingBase: leave it out"):
        fit.fit(stage_of(BASE, lr=1e-4), DataLoader([batch()], batch_size=None))


def test_one_scale_needs_no_brackets():
    assert VaryScale(0.5).scales == VaryScale([0.5]).scales


@pytest.mark.parametrize("phases", [[], [[0.0, 48]], [[0.0, 64, 48]]])
def test_phases_that_are_none_are_refused(phases):
    assert GrowCrops([0.0, 48, 64]).phases == GrowCrops([[0.0, 48, 64]]).phases
    with pytest.raises(BadInput, match=r"expected rows \[start, low, high\]"):
        GrowCrops(phases)


@pytest.mark.parametrize("scales", [[], [0.25, 0.6], [0.0]])
def test_scales_that_a_network_cannot_have(scales):
    with pytest.raises(BadInput, match=r"above 0 and at most 0\.5"):
        VaryScale(scales)
