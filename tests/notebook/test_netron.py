"""Netron's server: only named files, only with the token, nothing from outside."""

from __future__ import annotations

import http.client
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.small_programs import branching, classifier
from workbench.core.errors import WorkbenchError
from workbench.notebook import netron_server
from workbench.notebook.netron_model import netron_json
from workbench.notebook.netron_server import NetronServer


@pytest.fixture
def server() -> Iterator[NetronServer]:
    one = NetronServer()
    yield one
    one.close()


def get(port: int, path: str, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of a request."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path)
    answer = connection.getresponse()
    told = answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
    connection.close()
    return told


def test_the_page_has_no_age_no_consent_and_no_telemetry(server: NetronServer) -> None:
    page = server.show("m.json", {"m.json": b"{}"})
    status, headers, body = get(server.port, page)
    assert status == 200
    assert b'<meta name="file" content="/data/m.json">' in body
    assert b'name="date"' not in body
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "connect-src 'self'" in policy
    assert "http" not in policy
    _, _, script = get(server.port, f"{page}browser.js")
    assert b"await age()" not in script
    assert b"await consent()" not in script
    assert b"await telemetry()" not in script
    assert headers["referrer-policy"] == "no-referrer"


def test_every_script_that_the_page_needs_is_served(server: NetronServer) -> None:
    page = server.show("m.json", {"m.json": b"{}"})
    _, _, body = get(server.port, page)
    for name in re.findall(rb'(?:src|href)="([\w.-]+)"', body):
        assert get(server.port, page + name.decode())[0] == 200, name
    for name in ("view.js", "paddle.js", "paddle-metadata.json", "message.js", "worker.js"):
        assert get(server.port, page + name)[0] == 200, name


def test_only_named_files(server: NetronServer, tmp_path: Path) -> None:
    named, other = tmp_path / "a b&.json", tmp_path / "secret.json"
    named.write_text("{}")
    other.write_text("secret")
    page = server.show(named.name, {named.name: named})
    assert get(server.port, f"{page}data/{quote(named.name)}")[2] == b"{}"
    for path in (
        "/", "/index.html", page.rsplit("/", 2)[0] + "/", f"{page}data/secret.json", f"{page}data/",
        f"{page}data/../secret.json", f"{page}data/..%2Fsecret.json", f"{page}server.py",
        f"{page}..%2f..%2fserver.py", f"{page}__init__.py", f"/{server.token}/nope/index.html",
        page.replace(server.token, "x" * 32), f"{page}data/{quote(named.name)}/x", f"{page}%00",
        f"/{quote('é' * 8)}/x/index.html",
    ):  # fmt: skip
        assert get(server.port, path)[0] == 404, path
    assert get(server.port, page, "HEAD")[0] == 200
    assert get(server.port, page, "POST")[0] == 501
    named.unlink()
    assert get(server.port, f"{page}data/{quote(named.name)}")[0] == 404


def test_names_from_the_model_are_escaped(server: NetronServer) -> None:
    hostile = '"><script>alert(1)</script>.json'
    body = get(server.port, server.show(hostile, {hostile: b"{}"}))[2]
    assert b"<script>alert" not in body


def test_two_models_and_the_end(server: NetronServer) -> None:
    one, two = server.show("a", {"a": b"1"}), server.show("a", {"a": b"2"})
    assert get(server.port, f"{one}data/a")[2] == b"1"
    assert get(server.port, f"{two}data/a")[2] == b"2"
    other = NetronServer()
    port = other.port
    assert other.token != server.token
    other.close()
    with pytest.raises(OSError, match="refused"):
        get(port, one)


def test_it_listens_on_this_machine_only(server: NetronServer) -> None:
    assert server._server.server_address[0] == "127.0.0.1"


def test_another_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(netron_server.importlib.metadata, "version", lambda _: "10.0.0")
    with pytest.raises(WorkbenchError, match=r"pip install netron==9\.3\.3"):
        NetronServer()


def test_a_page_that_looks_different_is_refused(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text('<meta name="version" content="9.3.3">')
    (tmp_path / "browser.js").write_text("await phone.home();")
    with pytest.raises(WorkbenchError, match="not as the workbench knows it"):
        netron_server._Pages(tmp_path)


def test_it_works_below_a_path_of_a_proxy(server: NetronServer) -> None:
    """What jupyter-server-proxy does: it strips /user/x/proxy/<port> and forwards the rest."""
    prefix = f"/user/x/proxy/{server.port}"

    class Proxy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = get(server.port, self.path.removeprefix(prefix))
            self.send_response(status)
            self.send_header("Content-Type", headers.get("content-type", ""))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    proxy = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    try:
        page = prefix + server.show("m.json", {"m.json": b"{}"})
        body = get(proxy.server_address[1], page)[2]
        for name in re.findall(rb'(?:src|href)="([^"#:]+)"', body):
            assert not name.startswith(b"/"), "all addresses are relative"
            assert get(proxy.server_address[1], page + name.decode())[0] == 200
        assert get(proxy.server_address[1], f"{page}data/m.json")[2] == b"{}"
    finally:
        proxy.shutdown()
        proxy.server_close()


# --- the converted model ------------------------------------------------------------------------


def test_the_converted_model_in_netrons_form() -> None:
    text = netron_json(classifier(), "inference.json")
    assert re.match(r'^{\s*"signature":\s*"netron:', text), "how Netron knows its own form"
    told = json.loads(text)
    (graph,) = told["graphs"]
    nodes = {node["name"]: node for node in graph["nodes"]}
    assert nodes["head.fc"]["type"] == {"name": "nn.Linear", "category": "Layer"}
    assert nodes["block.re_lu"]["type"]["category"] == "Activation"
    assert nodes["head.mystery"]["type"]["name"] == "unsupported pd_op.mystery"
    weight = next(i for i in nodes["head.fc"]["inputs"] if i["name"] == "weight")
    value = graph["values"][weight["value"][0]]
    assert value["name"] == "head.fc.weight"
    assert value["initializer"]["type"]["shape"]["dimensions"] == [4, 4]
    attributes = {one["name"]: one["value"] for one in nodes["head.fc"]["attributes"]}
    assert attributes["weight steps"] == "transposed"
    assert attributes["Paddle"] == "workbench.linear"
    made = nodes["block.conv2d"]["outputs"][0]["value"]
    assert nodes["block.re_lu"]["inputs"][0]["value"] == made, "nodes are joined by their values"
    assert [graph["values"][i["value"][0]]["name"] for i in graph["inputs"]] == ["image"]


def test_blocks_are_graphs_of_their_own() -> None:
    told = json.loads(netron_json(branching()))
    names = [[node["name"] for node in graph["nodes"]] for graph in told["graphs"]]
    assert names == [["fc", "choose"], ["choose.then_branch.relu"], ["choose.else_branch.sigmoid"]]
