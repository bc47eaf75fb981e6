"""`import bgm.data` loads what reading pictures takes, and no more."""

import subprocess
import sys

SLOW = ("cv2", "hydra", "kornia", "matplotlib", "pytorch_lightning", "scipy", "torchvision")


def test_the_package_alone_loads_no_slow_module():
    code = (
        "import sys, bgm.data;"
        f"loaded = [name for name in {SLOW} if name in sys.modules];"
        "assert not loaded, loaded;"
        "bgm.data.MattingData;"
        "assert 'pytorch_lightning' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
