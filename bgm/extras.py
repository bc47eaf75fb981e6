"""What is installed only when asked for, and the extra of the distribution that brings it."""

from collections.abc import Iterator
from contextlib import contextmanager

DISTRIBUTION = "bgm-matting"  # on PyPI `bgm` is another project
EXTRAS = {  # what is imported, and the extra
    "ai_edge_litert": "litert",
    "av": "video",
    "executorch": "runtimes",
    "gradio": "serve",
    "huggingface_hub": "hub",
    "kornia": "train",
    "litert_torch": "litert",
    "matplotlib": "report",
    "ncnn": "runtimes",
    "onnx": "export",
    "onnxruntime": "export",
    "onnxscript": "export",
    "OpenImageIO": "exr",
    "openvino": "runtimes",
    "pillow_heif": "heif",
    "pnnx": "runtimes",
    "PyOpenColorIO": "ocio",
    "pytorch_lightning": "train",
    "tensorboard": "train",
    "torchmetrics": "train",
}


def pip_install(extra: str) -> str:
    """The command that installs an extra."""
    return f"pip install '{DISTRIBUTION}[{extra}]'"


def missing_extra(error: BaseException) -> str | None:
    """The sentence for an import of a package that an extra brings; None for another error."""
    name = error.name if isinstance(error, ModuleNotFoundError) else None
    package = (name or "").partition(".")[0]
    if package not in EXTRAS:
        return None
    return f"{package} is not installed: {pip_install(EXTRAS[package])}"


@contextmanager
def extra_named() -> Iterator[None]:
    """Imports in the block say in one sentence which extra brings what is not installed.

    The error stays a ModuleNotFoundError with its name.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        sentence = missing_extra(error)
        if sentence is None:
            raise
        raise ModuleNotFoundError(sentence, name=error.name) from None
