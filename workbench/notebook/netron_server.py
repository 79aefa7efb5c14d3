"""Netron for confidential models: our own small server for the installed package's page.

`netron.start` asks an outside service where the person is, reports to an analytics service,
refuses to work 180 days after its release, and serves every file beside the model. Here the page
is served without these steps, under a secret path, with only the named files, and with a
Content-Security-Policy that forbids every outside request. This rests on internals of Netron, so
its version is pinned, and a page that does not look as expected is refused rather than served as
it is.
"""

from __future__ import annotations

import atexit
import hmac
import importlib.metadata
import re
import secrets
import shutil
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote, unquote, urlsplit

from workbench.core.errors import WorkbenchError

#: The Netron release whose page this module knows.
VERSION = "9.3.3"
_TYPES = {
    ".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8", ".json": "application/json", ".png": "image/png",
    ".ico": "image/x-icon",
}  # fmt: skip
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: "
    "blob:; connect-src 'self'; worker-src 'self'; font-src 'self'; base-uri 'none'; "
    "form-action 'none'"
)
#: What `browser.js` does before it shows a model: age, consent, telemetry. All of it is left out.
_PRELUDE = re.compile(
    r"await age\(\);\s*await consent\(\);\s*await telemetry\(\);\s*await capabilities\(\);"
)
_VERSION_TAG = re.compile(r'<meta name="version" content="[^"]*">')
_DATE_TAG = re.compile(r'<meta name="date" content="[^"]*">\s*')
_HEAD_END = "</head>"
#: Our own script for Paddle's programs, under a name that Netron does not use.
_START = Path(__file__).with_name("netron_start.js")
_ASSET = re.compile(r"[A-Za-z0-9_-]+\.(?:js|css|json|png|ico)")


@dataclass(frozen=True, slots=True)
class Shown:
    """A model on the server: its main file and those beside it, as paths or as bytes."""

    main: str
    files: Mapping[str, Path | bytes]


class NetronServer:
    """Serves models to the browser from 127.0.0.1 until it is closed or the process ends."""

    def __init__(self) -> None:
        self.token = secrets.token_urlsafe(24)
        self.folder = _package_folder()
        self._pages = _Pages(self.folder)
        self._models: dict[str, Shown] = {}
        handler = type("Handler", (_Handler,), {"owner": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.2,), name="workbench-netron", daemon=True
        )
        self._thread.start()
        atexit.register(self.close)

    @property
    def port(self) -> int:
        """The port, on 127.0.0.1 only."""
        return int(self._server.server_address[1])

    def show(self, main: str, files: Mapping[str, Path | bytes]) -> str:
        """Serve a model; returns the path of its page, with the secret token in it.

        `main` names the file that the page opens, one of `files`.
        """
        name = secrets.token_urlsafe(6)
        self._models[name] = Shown(main, dict(files))
        return f"/{self.token}/{name}/"

    def url(self, path: str) -> str:
        """The address for a browser on this machine."""
        return f"http://127.0.0.1:{self.port}{path}"

    def close(self) -> None:
        """Stop serving."""
        atexit.unregister(self.close)
        self._server.shutdown()
        self._server.server_close()
        self._models.clear()

    def find(self, path: str) -> tuple[BinaryIO, str, int] | None:
        """Stream, media type and size of what a request path names; None for all else."""
        parts = unquote(urlsplit(path).path).split("/")
        if len(parts) < 4 or not hmac.compare_digest(parts[1].encode(), self.token.encode()):
            return None
        model = self._models.get(parts[2])
        if model is None:
            return None
        if len(parts) == 5 and parts[3] == "data":
            return _opened(model.files.get(parts[4]))
        if len(parts) == 4:
            return self._pages.find(parts[3] or "index.html", model)
        return None


class _Pages:
    """The installed package's files, with the steps before the model taken out."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.index = (folder / "index.html").read_text(encoding="utf-8")
        browser = (folder / "browser.js").read_text(encoding="utf-8")
        self.browser, count = _PRELUDE.subn("", browser)
        tags = len(_VERSION_TAG.findall(self.index))
        if count != 1 or tags != 1:
            raise WorkbenchError(
                "This Netron is not as the workbench knows it, so it is not shown.",
                f"Install it: pip install netron=={VERSION}.",
            )

    def find(self, name: str, model: Shown) -> tuple[BinaryIO, str, int] | None:
        if name == "index.html":
            return _of(self._page(model).encode(), _TYPES[".html"])
        if name == _START.name:
            return _of(_START.read_bytes(), _TYPES[".js"])
        if name == "browser.js":
            return _of(self.browser.encode(), _TYPES[".js"])
        path = self.folder / name
        if not _ASSET.fullmatch(name) or not path.is_file():
            return None
        return path.open("rb"), _TYPES[path.suffix], path.stat().st_size

    def _page(self, model: Shown) -> str:
        name = escape(model.main, quote=True)
        tags = (
            '<meta name="type" content="Python">'
            f'<meta name="version" content="{VERSION}">'
            f'<meta name="file" content="/data/{quote(model.main)}">'
            f'<meta name="identifier" content="{name}"><meta name="name" content="{name}">'
        )
        page = _VERSION_TAG.sub(lambda _: tags, _DATE_TAG.sub("", self.index))
        script = f'<script type="module" src="{_START.name}"></script>'
        return page.replace(_HEAD_END, script + _HEAD_END) if _is_program(model) else page


def _is_program(model: Shown) -> bool:
    """True for a PIR program, which has no boxes for its inputs."""
    return model.main.endswith(".json")


class _Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD; everything that is not named exactly is 404 without a word."""

    owner: NetronServer
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "workbench", ""
    timeout = 30

    def do_GET(self) -> None:
        """Send a file."""
        self._answer(body=True)

    def do_HEAD(self) -> None:
        """Tell whether a file is there; pages of other origins may ask this, to find a way here."""
        self._answer(body=False)

    def _answer(self, body: bool) -> None:
        found = self.owner.find(self.path)
        if found is None:
            self.send_response(HTTPStatus.NOT_FOUND)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        stream, kind, size = found
        with stream:
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(size))
            self.send_header("Content-Security-Policy", _POLICY)
            self.send_header("X-Content-Type-Options", "nosniff")
            self.send_header("Referrer-Policy", "no-referrer")
            self.send_header("Cache-Control", "no-store")
            if not body:
                self.send_header("Access-Control-Allow-Origin", "*")
            self.end_headers()
            if body:
                shutil.copyfileobj(stream, self.wfile)

    def log_message(self, format: str, *args: object) -> None:
        """The token must not reach a log."""


def _of(data: bytes, kind: str) -> tuple[BinaryIO, str, int]:
    return BytesIO(data), kind, len(data)


def _opened(found: Path | bytes | None) -> tuple[BinaryIO, str, int] | None:
    kind = "application/octet-stream"
    if isinstance(found, bytes):
        return _of(found, kind)
    if found is None or not found.is_file():
        return None
    return found.open("rb"), kind, found.stat().st_size


def _package_folder() -> Path:
    """Where Netron is installed; importing it is not needed."""
    spec = find_spec("netron")
    if spec is None or spec.origin is None:
        raise WorkbenchError("Netron is not installed.", f"pip install netron=={VERSION}")
    installed = importlib.metadata.version("netron")
    if installed != VERSION:
        raise WorkbenchError(
            f"Netron {installed} is installed, but its page is known in version {VERSION} only.",
            f"pip install netron=={VERSION}",
        )
    return Path(spec.origin).parent


_server: NetronServer | None = None
_lock = threading.Lock()


def shared_server() -> NetronServer:
    """The server of this process, started when first asked."""
    global _server
    with _lock:
        if _server is None:
            _server = NetronServer()
        return _server
