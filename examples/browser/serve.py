"""Serve a folder of the browser example on this machine: python serve.py [FOLDER] [PORT].

Only this machine can reach it. Two headers make the page cross-origin isolated, which browsers ask
for before WebAssembly gets threads. Any server of static files that sends them does as well.
"""

import sys
from contextlib import suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ISOLATED = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
}


class Handler(SimpleHTTPRequestHandler):
    """Files of one folder, never from a cache: a new model counts at once."""

    headers_sent = ISOLATED
    extensions_map = SimpleHTTPRequestHandler.extensions_map | {
        ".mjs": "text/javascript",
        ".wasm": "application/wasm",
    }

    def end_headers(self) -> None:
        for name, value in (self.headers_sent | {"Cache-Control": "no-cache"}).items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, *args: object) -> None:
        """Say nothing for each file."""


class WithoutThreads(Handler):
    """The same as most servers do it, so that the page gets no threads."""

    headers_sent: dict[str, str] = {}  # noqa: RUF012


def server(folder: Path, port: int, handler: type[Handler] = Handler) -> ThreadingHTTPServer:
    """A server of folder on 127.0.0.1; port 0 takes a free one."""
    return ThreadingHTTPServer(("127.0.0.1", port), partial(handler, directory=str(folder)))


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    port = int(sys.argv[2]) if len(sys.argv) > 2 else 8000
    if not (folder / "index.html").is_file():
        sys.exit(f"error: {folder} holds no index.html; `make browser` writes build/browser/site")
    try:
        serving = server(folder, port)
    except OSError as error:
        sys.exit(f"error: port {port} cannot be used ({error.strerror}); name another one")
    print(f"http://localhost:{serving.server_port}  (Ctrl+C stops)", flush=True)
    with suppress(KeyboardInterrupt):
        serving.serve_forever()


if __name__ == "__main__":
    main()
