"""A small executor of ComfyUI's workflow files: links, widgets, types and output nodes."""

import torch

from bgm.pictures import read_picture


class LoadImage:
    """ComfyUI's: a picture of the input folder, and 1 - its alpha."""

    FUNCTION, RETURN_TYPES, folder = "load", ("IMAGE", "MASK"), None

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"image": ("STRING", {"image_upload": True})}}

    def load(self, image):
        picture = read_picture(self.folder / image).float()[None] / 255
        return picture.movedim(1, -1), torch.zeros(1, 64, 64)


class SaveImage:
    """ComfyUI's, in memory."""

    FUNCTION, RETURN_TYPES, OUTPUT_NODE = "save", (), True

    @classmethod
    def INPUT_TYPES(cls):
        options = {"default": "ComfyUI"}
        return {"required": {"images": ("IMAGE",), "filename_prefix": ("STRING", options)}}

    def save(self, images, filename_prefix):
        return {"ui": {filename_prefix: images}}


class InvertMask:
    """ComfyUI's."""

    FUNCTION, RETURN_TYPES = "invert", ("MASK",)

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"mask": ("MASK",)}}

    def invert(self, mask):
        return (1 - mask,)


class JoinImageWithAlpha:
    """ComfyUI's: its `alpha` is what is transparent."""

    FUNCTION, RETURN_TYPES = "join", ("IMAGE",)

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"image": ("IMAGE",), "alpha": ("MASK",)}}

    def join(self, image, alpha):
        return (torch.cat([image[..., :3], 1 - alpha[..., None]], -1),)


class ImageBatch:
    """ComfyUI's."""

    FUNCTION, RETURN_TYPES = "batch", ("IMAGE",)

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"image1": ("IMAGE",), "image2": ("IMAGE",)}}

    def batch(self, image1, image2):
        return (torch.cat([image1, image2]),)


CORE = {c.__name__: c for c in (LoadImage, SaveImage, InvertMask, JoinImageWithAlpha, ImageBatch)}
WIDGETS = ("INT", "FLOAT", "STRING", "BOOLEAN")
KINDS = {"INT": int, "FLOAT": (int, float), "STRING": str, "BOOLEAN": bool}


def inputs_of(node_class):
    """Every input by name: (type, options, whether it is required)."""
    return {
        name: (spec[0], spec[1] if len(spec) > 1 else {}, group == "required")
        for group, specs in node_class.INPUT_TYPES().items()
        for name, spec in specs.items()
    }


def check_widget(name, kind, options, value):
    """What ComfyUI checks of a value: its type, its list, its least and its most."""
    if isinstance(kind, list):
        assert value in kind, f"{name}: {value} is none of {kind}"
    else:
        assert isinstance(value, KINDS[kind]), f"{name}: {value} is no {kind}"
        assert options.get("min", value) <= value <= options.get("max", value), f"{name}: {value}"


def check_value(kind, value):
    """That a node gives what it promises."""
    if kind in ("IMAGE", "MASK"):
        assert value.ndim == (4 if kind == "IMAGE" else 3)
        assert value.dtype == torch.float32
        assert value.device.type == "cpu"
        assert 0 <= value.min() <= value.max() <= 1
    elif kind == "STRING":
        assert isinstance(value, str)


def execute(workflow, classes):
    """Run a workflow (the file of the page, not of the API); what output nodes show, by id."""
    nodes = {node["id"]: node for node in workflow["nodes"]}
    links = {link[0]: link for link in workflow["links"]}
    results, shown = {}, {}

    def value_of(number, expected):
        _, origin, slot, _, _, kind = links[number]
        returned = classes[nodes[origin]["type"]].RETURN_TYPES[slot]
        assert kind == returned == expected, f"link {number} is {kind}: {returned} to {expected}"
        return run(origin)[slot]

    def run(number):
        if number in results:
            return results[number]
        node = nodes[number]
        node_class = classes[node["type"]]
        linked = {x["name"]: x["link"] for x in node["inputs"] if x["link"] is not None}
        widgets, arguments = list(node["widgets_values"]), {}
        for name, (kind, options, required) in inputs_of(node_class).items():
            if kind in WIDGETS or isinstance(kind, list):
                arguments[name] = widgets.pop(0)
                check_widget(name, kind, options, arguments[name])
                if options.get("image_upload"):
                    widgets.pop(0)  # the button
            elif name in linked:
                arguments[name] = value_of(linked.pop(name), kind)
            else:
                assert not required, f"{node['type']} lacks {name}"
        assert not linked, f"{node['type']} has no input {list(linked)}"
        assert not widgets, f"{node['type']} has no widget for {widgets}"
        out = getattr(node_class(), node_class.FUNCTION)(**arguments)
        if isinstance(out, dict):
            shown[number], out = out["ui"], out.get("result", ())
        assert len(out) == len(node_class.RETURN_TYPES)
        for kind, value in zip(node_class.RETURN_TYPES, out, strict=True):
            check_value(kind, value)
        results[number] = out
        return out

    for number, node in nodes.items():
        if getattr(classes[node["type"]], "OUTPUT_NODE", False):
            run(number)
    return shown
