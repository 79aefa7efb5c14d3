// The layer graph: Python draws it as SVG, here it is folded, walked through and selected.

// how far to scroll so that a stretch comes into a window, its start first
function outside(start, end, low, high) {
  if (start < low || end - start > high - low) return start - low;
  return Math.max(0, end - high);
}

export default {
  render({ model, el }) {
    const root = document.createElement("div");
    root.className = "wbg-layers";
    root.style.height = `${model.get("height")}px`;
    const bar = document.createElement("div");
    bar.className = "wbg-bar";
    const view = document.createElement("div");
    view.className = "wbg-view";
    view.tabIndex = 0;
    view.setAttribute("role", "tree");
    view.setAttribute("aria-label", "Layer graph");
    view.setAttribute("data-lm-suppress-shortcuts", "true");
    const hideStill = document.createElement("style");
    hideStill.textContent = `#${model.get("still")} { display: none; }`;
    root.append(hideStill, bar, view);
    el.append(root);
    let active = null;

    const button = (text, title, action) => {
      const made = document.createElement("button");
      made.type = "button";
      made.textContent = text;
      made.title = title;
      made.addEventListener("click", action);
      made.addEventListener("focus", () => made.setAttribute("data-lm-suppress-shortcuts", "true"));
      bar.append(made);
      return made;
    };
    const all = (how) => () => model.send({ type: "all", how });
    button(
      "What fails",
      "Open the scopes with layers that fail, fold the rest where it is long",
      all("auto"),
    );
    button("Fold all", "Show the outermost scopes only", all("all"));
    button("Open all", "Show every layer", all("none"));

    const items = () => [...view.querySelectorAll(".wlg-item[data-path]")];
    const find = (path) => items().find((item) => item.dataset.path === path);

    function paint() {
      const { scrollTop, scrollLeft } = view;
      view.innerHTML = model.get("svg");
      view.scrollTop = scrollTop;
      view.scrollLeft = scrollLeft;
      for (const item of items()) {
        item.setAttribute("role", "treeitem");
        item.id = `wbg-${Math.random().toString(36).slice(2)}`;
        if (item.dataset.scope !== undefined)
          item.setAttribute("aria-expanded", String(item.dataset.scope === "0"));
      }
      if (active !== null) mark(active, false);
    }

    function mark(path, scroll) {
      active = path;
      for (const item of items()) item.classList.toggle("wbg-active", item.dataset.path === path);
      const item = find(path);
      if (!item) return;
      view.setAttribute("aria-activedescendant", item.id);
      if (scroll) bring(item);
    }

    // scrolls the graph only; scrollIntoView would scroll the notebook, too
    function bring(item) {
      const box = view.getBoundingClientRect();
      const at = item.getBoundingClientRect();
      view.scrollTop += outside(at.top, at.bottom, box.top, box.top + view.clientHeight);
      view.scrollLeft += outside(at.left, at.right, box.left, box.left + view.clientWidth);
    }

    function fold(item) {
      model.send({ type: "fold", path: item.dataset.path, folded: item.dataset.scope === "0" });
    }

    function choose(item) {
      mark(item.dataset.path, true);
      if (item.dataset.scope === undefined) model.send({ type: "select", path: item.dataset.path });
    }

    view.addEventListener("click", (event) => {
      const item = event.target.closest(".wlg-item[data-path]");
      if (!item) return;
      choose(item);
      if (item.dataset.scope !== undefined) fold(item);
    });

    view.addEventListener("keydown", (event) => {
      event.stopPropagation();
      const list = items();
      const at = list.findIndex((item) => item.dataset.path === active);
      const item = list[at];
      const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 15, PageUp: -15, Home: -1e6, End: 1e6 }[
        event.key
      ];
      if (step !== undefined && list.length)
        choose(list[Math.max(0, Math.min(list.length - 1, at + step))]);
      else if (event.key === "ArrowRight" && item && item.dataset.scope === "1") fold(item);
      else if (event.key === "ArrowLeft" && item && item.dataset.scope === "0") fold(item);
      else if ((event.key === "Enter" || event.key === " ") && item)
        (item.dataset.scope === undefined ? choose : fold)(item);
      else return;
      event.preventDefault();
    });

    const told = (message) => {
      if (message.type === "select") mark(message.path, true);
    };
    model.on("change:svg", paint);
    model.on("msg:custom", told);
    new ResizeObserver(() => {
      const columns = Math.max(1, Math.min(3, Math.floor(view.clientWidth / 350)));
      if (view.clientWidth && columns !== view.columns) {
        view.columns = columns;
        model.send({ type: "columns", columns });
      }
    }).observe(view);
    paint();
    return () => {
      model.off("change:svg", paint);
      model.off("msg:custom", told);
    };
  },
};
