"""Which execution provider of onnxruntime each node of a file runs on."""

import json
import tempfile
from collections import Counter
from pathlib import Path

from torch import Tensor

from bgm.export.runtime import require_package


def nodes_by_provider(
    path: Path, src: Tensor, bgr: Tensor, providers: tuple[str, ...] = ("CPUExecutionProvider",)
) -> dict[str, dict[str, int]]:
    """Nodes by execution provider and operator, as onnxruntime's own profile of one call has them.

    onnxruntime fuses and removes nodes first, so these are fewer than the file holds; nodes in
    branches that were not taken are missing.
    """
    ort = require_package("onnxruntime")
    with tempfile.TemporaryDirectory() as folder:
        options = ort.SessionOptions()
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "profile")
        options.log_severity_level = 3
        session = ort.InferenceSession(str(path), options, providers=list(providers))
        half = session.get_inputs()[0].type == "tensor(float16)"
        feed = {"src": src, "bgr": bgr}
        session.run(None, {name: (x.half() if half else x).numpy() for name, x in feed.items()})
        events = json.loads(Path(session.end_profiling()).read_text())
    nodes = {
        (e["name"], e["args"]["provider"], e["args"]["op_name"])
        for e in events
        if e.get("cat") == "Node" and e.get("args", {}).get("provider")
    }
    counts: dict[str, Counter[str]] = {}
    for _, provider, operator in sorted(nodes):
        counts.setdefault(provider, Counter())[operator] += 1
    return {provider: dict(by_name) for provider, by_name in counts.items()}
