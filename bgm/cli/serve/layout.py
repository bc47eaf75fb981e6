"""The page of `bgm serve`: pictures in, knobs, views of the matte, downloads."""

import html
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

import gradio as gr

from bgm.cli.error_messages import error_message
from bgm.cli.serve.live_model import CHOICES, Knobs, LiveModel
from bgm.cli.serve.results import VIEWS, matte_pictures
from bgm.infer.foreground import FOREGROUNDS

SCALES: dict[str, float | str] = {
    "auto": "auto",
    "1/2": 1 / 2,
    "1/3": 1 / 3,
    "1/4": 1 / 4,
    "1/8": 1 / 8,
    "1/16": 1 / 16,
}
ALIGNS: dict[str, bool | str] = {"auto": "auto", "yes": True, "no": False}
BEHIND = {"green": "#00b140", "white": "#ffffff", "gray": "#808080", "black": "#000000"}
CLEAN_EVERY, KEEP = 300, 3600  # seconds: uploads and results older than an hour are removed
WELCOME = "Choose a shot and its plate: the same picture without the subject."


def build_page(model: LiveModel, folder: str) -> gr.Blocks:
    """The page for one model; files that it makes lie in `folder`."""
    with gr.Blocks(title="bgm", analytics_enabled=False, delete_cache=(CLEAN_EVERY, KEEP)) as page:
        gr.Markdown(f"# bgm: {html.escape(Path(model.path).name)}")
        with gr.Row():
            with gr.Column(scale=1):
                files, behind = picture_inputs()
            with gr.Column(scale=2):
                notes = gr.Markdown(WELCOME, elem_id="notes")
                view = gr.Radio(VIEWS[:-1], value=VIEWS[0], label="beside the shot", elem_id="view")
                slider = gr.ImageSlider(
                    label="shot | view", elem_id="slider", max_height=560, interactive=False
                )
                with gr.Row():
                    rgba = gr.DownloadButton("RGBA (PNG)", interactive=False, elem_id="rgba")
                    exr = gr.DownloadButton("EXR, half float", interactive=False, elem_id="exr")
        knobs = knob_inputs(model.refined)
        with gr.Row():
            pictures = [
                gr.Image(label=name, type="filepath", interactive=False, elem_id=as_id(name))
                for name in VIEWS
            ]
        shown = gr.State({}, time_to_live=KEEP, delete_callback=forget)

        def update(shown: dict, view: str, src, bgr, src_file, bgr_file, picture, *values):
            src, bgr = src_file or src, bgr_file or bgr
            forget(shown)
            if not (src and bgr):
                off = gr.update(value=None, interactive=False)
                return {}, WELCOME, None, off, off, *[None] * len(VIEWS)
            out = tempfile.mkdtemp(dir=folder)
            try:
                turned = knobs_of(values, picture)
                result = matte_pictures(model, src, bgr, turned, out)
            except Exception as error:
                forget({"folder": out})
                raise as_sentence(error) from error
            views = {name: str(path) for name, path in result.views.items()}
            said = " ".join(html.escape(note) + "." for note in result.notes)
            return (
                {"folder": out, "views": views},
                said or "Done.",
                (views["shot"], views[view]),
                gr.update(value=str(result.rgba), interactive=True),
                gr.update(value=str(result.exr), interactive=True),
                *views.values(),
            )

        inputs = [*files, behind, *knobs]
        gr.on(
            [x.change for x in inputs],
            update,
            [shown, view, *inputs],
            [shown, notes, slider, rgba, exr, *pictures],
            trigger_mode="always_last",
            show_progress="minimal",
            api_visibility="private",
        )
        view.change(beside, [shown, view], slider, api_visibility="private")
    return page


def picture_inputs() -> tuple[list[gr.Image | gr.File], gr.Image]:
    """Shot and plate as the browser has them, then as files; and what comes behind."""
    names = (("src", "shot"), ("bgr", "plate"))
    files: list[gr.Image | gr.File] = [
        gr.Image(
            label=label,
            type="filepath",
            image_mode=None,  # the file as it came, not a copy in 8 bits without its profile
            sources=["upload", "webcam", "clipboard"],
            webcam_options=gr.WebcamOptions(mirror=False),
            height=230,
            elem_id=name,
        )
        for name, label in names
    ]
    with gr.Accordion("Files that browsers do not show: EXR, HEIC, TIFF", open=False):
        files += [
            gr.File(label=label, type="filepath", height=100, elem_id=f"{name}_file")
            for name, label in names
        ]
    with gr.Accordion("A picture behind the composite", open=False):
        behind = gr.Image(
            label="behind", type="filepath", image_mode=None, sources=["upload"], height=150
        )
    return files, behind


def knob_inputs(refined: bool) -> list[Any]:
    """One input for each field of `Knobs`, in their order."""
    k = Knobs()
    with gr.Row(equal_height=True):
        return [
            gr.Dropdown(list(SCALES), value="auto", label="scale", elem_id="scale"),
            gr.Radio(CHOICES, value=k.select, label="selection", elem_id="select", visible=refined),
            gr.Slider(
                16, 1_000_000, k.sample_pixels, step=16, label="pixels (sampling)", visible=refined
            ),
            gr.Slider(0, 1, k.threshold, label="threshold (thresholding)", visible=refined),
            gr.Radio(list(ALIGNS), value="auto", label="align", elem_id="align"),
            gr.Checkbox(k.exposure, label="match exposure"),
            gr.Checkbox(k.fit, label="fit a plate of another size", elem_id="fit"),
            gr.Slider(0, 2000, k.despeckle, step=10, label="despeckle (pixels)"),
            gr.Radio(list(FOREGROUNDS), value=k.fgr, label="foreground"),
            gr.Radio(list(BEHIND), value="green", label="behind", elem_id="behind"),
        ]


def knobs_of(values: tuple[Any, ...], picture: str | None) -> Knobs:
    """What the inputs of `knob_inputs` say; the picture, if there is one, comes behind."""
    knobs = Knobs(*values)
    return knobs._replace(
        scale=SCALES[str(knobs.scale)],
        align=ALIGNS[str(knobs.align)],
        background=picture or BEHIND[knobs.background],
    )


def beside(shown: dict, view: str) -> tuple[str, str] | None:
    """The two sides of the slider."""
    views = shown.get("views")
    return (views["shot"], views[view]) if views else None


def forget(shown: dict) -> None:
    """Remove the files of a result."""
    if folder := shown.get("folder"):
        shutil.rmtree(folder, ignore_errors=True)


def as_sentence(error: Exception) -> gr.Error:
    """What the page says of an error: one sentence, files by their names alone."""
    message = error_message(error)
    defect = message is None
    text = message or f"a defect of bgm ({type(error).__name__}: {error})"
    text = re.sub(r"(?:/[^\s/:]+)+/([^\s/:]+)", r"\1", text)
    return gr.Error(html.escape(text), title="That did not work", print_exception=defect)


def as_id(name: str) -> str:
    """The name of a view as an id of the page."""
    return "view-" + name.replace(" ", "-")
