"""A certificate as people read it: certificate.md, filled in."""

from pathlib import Path
from typing import Any

from bgm.templates import fill_template


def as_markdown(facts: dict[str, Any]) -> str:
    """The certificate's facts as Markdown; a section without facts is left out."""
    comparisons, names = facts["comparisons"], list(facts["worst"])
    errors = []
    for kind in dict.fromkeys(x["pictures"] for x in comparisons):
        for title, which in ((kind, "largest"), (f"PyTorch, {kind}", "eager")):
            found = [x[which] for x in comparisons if x["pictures"] == kind]
            worst = [max(x[n] for x in found) for n in names]
            if which == "largest" or any(worst):  # PyTorch's are 0 where float64 was not needed
                errors.append([title, *(f"{x:.1e}" for x in worst)])
    errors.append(["mean, worst batch", *(f"{facts['worst'][n]['mean']:.1e}" for n in names)])
    mattes = [
        [name, f"{of_net:.4f}", f"{of_file:.4f}", f"{of_file - of_net:+.1e}"]
        for name, of_net in facts["matting"].get("network", {}).items()
        for of_file in [facts["matting"]["file"][name]]
    ]
    sizes = sorted({(x["width"], x["height"]) for x in comparisons})
    return fill_template(
        Path(__file__).with_name("certificate.md"),
        **facts,
        errors=errors,
        mattes=mattes,
        batches=sorted({x["batch"] for x in comparisons}),
        sizes=[f"{width}x{height}" for width, height in sizes],
        ties=sum(x["ties"] for x in comparisons),
    )
