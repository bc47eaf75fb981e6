"""bgm serve: a page in the browser to try a network on, for this machine alone."""

import logging
import os
import tempfile

from omegaconf import DictConfig

from bgm.cli.serve.live_model import LiveModel
from bgm.console import say
from bgm.errors import BadInput, check_at_least

QUIET = {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1"}
HOST = "127.0.0.1"


def main(cfg: DictConfig) -> None:
    """Serve the page until Ctrl-C; every file that it made is gone afterwards."""
    limits = {"max_megabytes": cfg.max_megabytes, "max_waiting": cfg.max_waiting}
    check_at_least("bgm serve", 1, **limits)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # gradio asks its own server at the start
    with tempfile.TemporaryDirectory(prefix="bgm-serve-") as folder:
        # Gradio reads these when it is imported.
        os.environ.update(QUIET, GRADIO_TEMP_DIR=folder)
        from bgm.cli.serve.layout import build_page

        page = build_page(LiveModel(cfg.model, cfg.device), folder)
        page.queue(max_size=cfg.max_waiting, default_concurrency_limit=1, api_open=False)
        try:
            page.launch(
                server_name=HOST,
                server_port=cfg.port,
                inbrowser=cfg.open,
                share=False,
                quiet=True,
                show_error=True,
                footer_links=[],
                ssr_mode=False,
                max_file_size=f"{cfg.max_megabytes}mb",
                prevent_thread_lock=True,
            )
            say(f"{page.local_url} (Ctrl-C ends it)")
            page.block_thread()
        except OSError as error:
            raise BadInput(f"port {cfg.port} of {HOST} cannot be used ({error})") from None
        finally:
            page.close(verbose=False)
