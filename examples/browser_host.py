"""The classifier in the browser, by onnxruntime-web: the same ONNX file, and no picture leaves the browser.

    python examples/browser_host.py fetch runtime
    python examples/browser_host.py serve runtime

The first command needs npm. It puts three files of the package onnxruntime-web (MIT licence, 14 MB) into the folder
`runtime`. The second serves the page of `examples/browser` with them and the model at http://127.0.0.1:8000/.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from maskcheck import MaskClassifier

PACKAGE = "onnxruntime-web@1.30.0"
RUNTIME = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
PAGE = Path(__file__).with_name("browser")
TYPES = {
    ".css": "text/css",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript",
    ".json": "application/json",
    ".mjs": "text/javascript",
    ".onnx": "application/octet-stream",
    ".wasm": "application/wasm",
}
# WebAssembly is the only code that is not in a file of this server, and nothing is loaded from elsewhere.
POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def fetch(folder: Path) -> None:
    """Put the runtime into a folder; npm checks that the package is the published one."""
    npm = shutil.which("npm")
    if npm is None:
        sys.exit(f"npm was not found: install Node.js, or copy {', '.join(RUNTIME)} of {PACKAGE} into {folder}")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        subprocess.run([npm, "pack", PACKAGE, "--silent"], cwd=temporary, check=True)
        with tarfile.open(next(Path(temporary).glob("*.tgz"))) as package:
            for name in RUNTIME:
                member = package.extractfile(f"package/dist/{name}")
                assert member is not None
                (folder / name).write_bytes(member.read())
    print(f"{folder} has the runtime of {PACKAGE}")


def files_of_page(runtime: Path, model: str | None = None) -> dict[str, bytes]:
    """What is served, by path.

    Args:
        runtime: Folder with the runtime, as `fetch` fills it.
        model: As in :class:`MaskClassifier`.
    """
    missing = [name for name in RUNTIME if not (runtime / name).is_file()]
    if missing:
        sys.exit(f"{runtime} lacks {', '.join(missing)}: python {sys.argv[0]} fetch {runtime}")
    classifier = MaskClassifier(model)
    info = classifier.info
    known = {"labels": info.labels, "size": info.input_size, "margin": info.crop_margin}
    files = {f"/{path.name}": path.read_bytes() for path in PAGE.iterdir() if path.suffix in TYPES}
    files |= {f"/runtime/{name}": (runtime / name).read_bytes() for name in RUNTIME}
    files |= {"/model.onnx": Path(classifier.path).read_bytes(), "/model.json": json.dumps(known).encode()}
    return files


def make_server(files: Mapping[str, bytes], port: int) -> ThreadingHTTPServer:
    """A server of these files alone, on this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.replace("/", "/index.html", 1) if self.path == "/" else self.path
            if path not in files:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Type", TYPES[Path(path).suffix])
            self.send_header("Content-Length", str(len(files[path])))
            self.send_header("Content-Security-Policy", POLICY)
            self.send_header("X-Content-Type-Options", "nosniff")
            self.end_headers()
            self.wfile.write(files[path])

        def log_message(self, *_arguments: object) -> None:
            """Requests are not logged."""

    return ThreadingHTTPServer(("127.0.0.1", port), Handler)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=("fetch", "serve"))
    parser.add_argument("runtime", type=Path, help="folder of the runtime")
    parser.add_argument("--model", help="ONNX file, or small; by default the large embedded one")
    parser.add_argument("--port", type=int, default=8000)
    chosen = parser.parse_args()
    if chosen.action == "fetch":
        fetch(chosen.runtime)
        return
    with make_server(files_of_page(chosen.runtime, chosen.model), chosen.port) as server:
        print(f"http://127.0.0.1:{server.server_port}/ (Ctrl-C ends)")
        server.serve_forever()


if __name__ == "__main__":
    main()
