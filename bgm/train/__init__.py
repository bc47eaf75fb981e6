"""Training with Lightning: the two stages, fine-tuning, and their callbacks."""

from bgm.extras import extra_named

with extra_named():
    from bgm.train.callbacks.progress import LineProgress, PictureGrids, progress
    from bgm.train.callbacks.quick_depthwise import QuickDepthwise
    from bgm.train.callbacks.run_card import RunCard
    from bgm.train.callbacks.sizes import GrowCrops, VaryScale
    from bgm.train.callbacks.weight_averaging import Ema
    from bgm.train.checkpointing.checkpoint_files import AtomicCheckpointIO
    from bgm.train.checkpointing.last_and_best import BestCheckpoint, LastCheckpoint
    from bgm.train.finetuning import ForgettingGuard, FrozenBatchNorm, fine_tune
    from bgm.train.stages import MattingStage
    from bgm.train.tensorboard import TolerantTensorBoardLogger
