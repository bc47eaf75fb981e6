"""The model card of a network: front matter that the Hub reads, and a page for people."""

import re
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

from bgm.errors import BadInput
from bgm.weights.build import network_of
from bgm.weights.formats import read_weights
from bgm.weights.named_files import require_hub, weights_file

CARD = "README.md"
TAGS = ["background-matting", "image-matting", "alpha-matting", "video-matting", "bgm"]
NOT_STATED = "not stated"
NO_TEXT = "Background matting: alpha and foreground from a shot and a picture of the empty place."
RELATIVE = re.compile(r"!?\[([^\]]*)\]\((?!https?:)[^)]*\)")  # links to files that stay behind
PAGE = """{text}

## Use it
```python
import bgm
from PIL import Image

net = bgm.load("hf:{hub_name}")
mattes = bgm.matte(net, Image.open("shot.jpg"), Image.open("plate.jpg"))
mattes.com.save("cutout.png")
```
`pip install "bgm-matting[hub]"`. The plate is the same place without the subject.

## Facts
{facts}
"""


def model_card(
    ckpt: str | Path,
    licence: str | None = None,
    text: str | None = None,
    hub_name: str = "OWNER/NAME",
) -> str:
    """The card of a checkpoint's network, Markdown with YAML before it.

    hub_name: where the network will be, for the lines that say how to use it. Raises BadInput when
    neither licence nor the checkpoint says under which licence it is.
    """
    hub = require_hub()
    stored, file = read_weights(ckpt), weights_file(ckpt)
    own = file.with_suffix(".md")
    if text is None:
        text = own.read_text(encoding="utf-8") if own.is_file() else f"# {file.stem}\n{NO_TEXT}"
        text = RELATIVE.sub(r"\1", text)
    data = hub.ModelCardData(
        license=stated(licence or stored.card.get("licence"), f"the model card of {ckpt}"),
        library_name="bgm",
        pipeline_tag="image-segmentation",
        tags=TAGS,
    )
    parameters = sum(x.numel() for x in stored.state.values() if x.is_floating_point())
    facts = [f"- {parameters / 1e6:.1f} million numbers in `model.safetensors`, from {file.name}"]
    facts += [f"- {name}: {value}" for name, value in plain(network_of(ckpt), "network.").items()]
    page = PAGE.format(hub_name=hub_name, text=text.strip(), facts="\n".join(facts))
    return f"---\n{data.to_yaml()}\n---\n\n{page}"


def check_card(path: Path) -> None:
    """Raise BadInput unless there is a card at path, and it states a licence."""
    if not path.is_file():
        raise BadInput(f"{path} does not exist: a network is given away with its model card")
    hub, yaml = require_hub(), import_module("yaml")  # what the client itself reads cards with
    try:
        data = hub.ModelCard.load(path).data
    except (ValueError, yaml.YAMLError) as error:
        reason = str(error).splitlines()[0]
        raise BadInput(f"{path} has no front matter that is YAML ({reason})") from None
    stated(data.license, str(path))


def stated(licence: object, where: str) -> str:
    """A licence as the Hub spells it; BadInput where there is none."""
    if not isinstance(licence, str) or licence.strip().lower() in ("", NOT_STATED, "none"):
        raise BadInput(
            f'{where} states no licence: expected one such as licence="mit" '
            "(huggingface.co/docs/hub/repositories-licenses has the words)"
        )
    return licence.strip().lower()


def plain(network: Mapping, prefix: str) -> dict[str, str]:
    """A nested config as dotted names and values, classes by their own names."""
    out: dict[str, str] = {}
    for key, value in network.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            out |= plain(value, f"{name}.")
        else:
            out[name.removesuffix("._target_")] = str(value).removeprefix("bgm.model.")
    return out
