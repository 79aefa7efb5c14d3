// Frames with Netron. The pages are served by the kernel at 127.0.0.1: reached directly when the browser is
// on the same machine, else through jupyter-server-proxy below the server's base URL.

function baseUrl() {
  const config = document.getElementById("jupyter-config-data");
  try {
    const url = JSON.parse(config.textContent).baseUrl || "/";
    return new URL(url.endsWith("/") ? url : `${url}/`, window.location.href).href;
  } catch {
    return new URL("/", window.location.href).href;
  }
}

function places(port, path) {
  const proxied = `${baseUrl()}proxy/${port}${path}`;
  const direct = `http://127.0.0.1:${port}${path}`;
  const local =
    ["localhost", "127.0.0.1", "[::1]"].includes(window.location.hostname) ||
    !window.location.protocol.startsWith("http");
  return local ? [direct, proxied] : [proxied];
}

async function reachable(url) {
  try {
    const answer = await fetch(url, { method: "HEAD", cache: "no-store" });
    return answer.ok;
  } catch {
    return false;
  }
}

async function fill(box, title, port, path) {
  for (const url of places(port, path)) {
    if (await reachable(url)) {
      const frame = document.createElement("iframe");
      frame.src = url;
      frame.title = `Netron: ${title}`;
      frame.setAttribute("sandbox", "allow-scripts allow-same-origin allow-downloads");
      frame.setAttribute("referrerpolicy", "no-referrer");
      box.append(frame);
      return;
    }
  }
  const told = document.createElement("div");
  told.className = "wbg-told";
  told.textContent =
    `The graph is served by the kernel at 127.0.0.1:${port}, which this browser cannot reach. ` +
    "If the kernel was restarted, run the cell again. If it runs on another machine, install jupyter-server-proxy " +
    `there (pip install jupyter-server-proxy), or forward the port: ssh -L ${port}:127.0.0.1:${port} machine.`;
  box.append(told);
}

export default {
  render({ model, el }) {
    const root = document.createElement("div");
    root.className = "wbg-netron";
    root.style.height = `${model.get("height")}px`;
    for (const { title, path } of model.get("frames")) {
      const box = document.createElement("figure");
      const caption = document.createElement("figcaption");
      caption.textContent = title;
      box.append(caption);
      root.append(box);
      fill(box, title, model.get("port"), path);
    }
    el.append(root);
  },
};
