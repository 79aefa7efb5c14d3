// The tree-table: only the rows in view are in the page. The grid itself has the focus and names its
// active cell, so that rows may come and go while the keyboard stays where it is.

const ROW = 26;
const SPARE = 8;

class Grid {
  constructor(state, actions) {
    this.state = state;
    this.actions = actions;
    this.painted = new Map();
    this.free = [];
    this.name = uid("grid");
    this.editing = null;
    this.head = h("div", { class: "wbe-head", role: "row", "aria-rowindex": "1" });
    this.space = h("div", { class: "wbe-space", role: "presentation" });
    this.empty = h("div", { class: "wbe-empty" });
    this.el = h(
      "div",
      {
        class: "wbe-grid",
        role: "treegrid",
        tabindex: "0",
        "aria-multiselectable": "true",
        "aria-label": "Mapping: one row a layer",
        "data-lm-suppress-shortcuts": "true",
        onscroll: () => {
          this.top = this.el.scrollTop;
          this.schedule();
        },
        onkeydown: (event) => this.keydown(event),
        onclick: (event) => this.click(event),
        ondblclick: (event) => this.doubleClick(event),
        onfocus: () => this.focused(),
      },
      this.head,
      this.space,
      this.empty,
    );
    this.paintHead();
    new ResizeObserver(() => this.schedule()).observe(this.el);
    new IntersectionObserver((seen) => this.appeared(seen)).observe(this.el);
  }

  // --- painting ---------------------------------------------------------------------------------

  schedule() {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.paint();
    });
  }

  // JupyterLab takes cells that are out of view off the page, which sets their scroll position to zero
  // without an event
  appeared(seen) {
    if (!seen.some((one) => one.isIntersecting)) return;
    if (this.top && this.el.scrollTop !== this.top) this.el.scrollTop = this.top;
    this.schedule();
  }

  refresh() {
    const { items } = this.state;
    this.space.style.height = `${items.length * ROW}px`;
    this.el.setAttribute("aria-rowcount", String(items.length + 1));
    this.el.setAttribute("aria-colcount", String(this.state.shownColumns.length));
    this.empty.textContent = items.length ? "" : this.emptyText();
    for (const painted of this.painted.values()) painted.stale = true;
    this.paint();
  }

  emptyText() {
    if (!this.state.rows.size)
      return "This mapping has no rows: no output of the model needs an operator.";
    return "No row matches. Choose All, or clear the search field.";
  }

  paintHead() {
    const cells = this.state.shownColumns.map((column, i) => {
      const sorted = this.state.sort && this.state.sort.column === column.id;
      const direction = sorted ? (this.state.sort.down ? "descending" : "ascending") : "none";
      const mark = sorted ? (this.state.sort.down ? "▾" : "▴") : "";
      return h(
        "div",
        {
          class: `wbe-cell wbe-col-${column.id}`,
          role: "columnheader",
          "aria-colindex": String(i + 1),
          "aria-sort": direction,
          title: `${column.hint}. Click to sort.`,
          onclick: () => this.sortBy(column.id),
        },
        h("span", { class: "wbe-head-text" }, column.label),
        h("span", { class: "wbe-sort", "aria-hidden": "true" }, mark),
        h("span", {
          class: "wbe-grip",
          "aria-hidden": "true",
          onclick: (event) => event.stopPropagation(),
          onpointerdown: (event) => this.resize(event, column),
        }),
      );
    });
    replaceChildren(this.head, cells);
    const widths = this.state.shownColumns.map((column) => `${column.width}px`).join(" ");
    const last = this.state.shownColumns.reduce((sum, column) => sum + column.width, 0);
    this.el.style.setProperty("--wbe-columns", widths);
    this.el.style.setProperty("--wbe-width", `${last}px`);
  }

  sortBy(id) {
    const { sort } = this.state;
    const numbers = id === "alone" || id === "chain";
    if (!sort || sort.column !== id) this.state.sort = { column: id, down: numbers };
    else if (sort.down === numbers) this.state.sort = { column: id, down: !sort.down };
    else this.state.sort = null;
    this.state.arrange();
    this.paintHead();
    this.refresh();
    this.actions.announce(this.state.sort ? `Sorted by ${id}.` : "In program order.");
  }

  resize(event, column) {
    event.preventDefault();
    event.stopPropagation();
    const start = event.clientX - column.width;
    const move = (to) => {
      column.width = Math.max(50, to.clientX - start);
      this.paintHead();
    };
    const stop = () => {
      window.removeEventListener("pointermove", move);
      window.removeEventListener("pointerup", stop);
    };
    window.addEventListener("pointermove", move);
    window.addEventListener("pointerup", stop);
  }

  window() {
    const { items } = this.state;
    const top = Math.max(0, Math.floor(this.el.scrollTop / ROW) - SPARE);
    const shown = Math.ceil((this.el.clientHeight || 400) / ROW) + 2 * SPARE;
    return [top, Math.min(items.length, top + shown)];
  }

  paint() {
    const [first, last] = this.window();
    const { items, active } = this.state;
    const wanted = new Set();
    for (let place = first; place < last; place += 1) wanted.add(items[place].id);
    for (const id of [active.id, this.editing && this.editing.key]) {
      if (id !== null && this.state.place(id) >= 0) wanted.add(id);
    }
    for (const [id, painted] of this.painted) {
      if (!wanted.has(id)) {
        painted.el.remove();
        this.painted.delete(id);
        this.free.push(painted.el);
      }
    }
    for (const id of wanted) this.paintRow(id, this.state.place(id));
    this.el.setAttribute("aria-activedescendant", this.activeId());
  }

  paintRow(id, place) {
    const item = this.state.items[place];
    let painted = this.painted.get(id);
    if (!painted) {
      const el = this.free.pop() || h("div", { class: "wbe-row", role: "row" });
      painted = { el, stale: true, place: -1 };
      this.painted.set(id, painted);
      this.space.append(el);
    }
    const { el } = painted;
    if (painted.place !== place) {
      painted.place = place;
      el.style.transform = `translateY(${place * ROW}px)`;
      el.setAttribute("aria-rowindex", String(place + 2));
    }
    el.id = `${this.name}-${place}`;
    el.dataset.id = id;
    if (painted.stale && !(this.editing && this.editing.key === id)) {
      painted.stale = false;
      this.fill(el, item, place);
    }
    const chosen = item.row ? this.state.selection.has(id) : false;
    el.classList.toggle("wbe-selected", chosen);
    el.setAttribute("aria-selected", String(chosen));
    el.classList.toggle("wbe-active", id === this.state.active.id);
    [...el.children].forEach((cell, i) => {
      cell.id = `${this.name}-${place}-${i}`;
      cell.classList.toggle(
        "wbe-here",
        id === this.state.active.id && i === this.state.active.column,
      );
    });
  }

  fill(el, item) {
    el.className = item.row ? `wbe-row wbe-is-${item.row.s}` : "wbe-row wbe-scope";
    el.setAttribute("aria-level", String(item.depth + 1));
    if (item.row) el.removeAttribute("aria-expanded");
    else el.setAttribute("aria-expanded", String(!item.folded));
    const cells = this.state.shownColumns.map((column, i) => {
      const cell = h("div", {
        class: `wbe-cell wbe-col-${column.id}`,
        role: i ? "gridcell" : "rowheader",
        "aria-colindex": String(i + 1),
      });
      cell.append(...(item.row ? rowCell(column.id, item) : scopeCell(column.id, item)));
      if (item.row && column.edit && editable(item.row, column)) cell.classList.add("wbe-editable");
      else cell.setAttribute("aria-readonly", "true");
      return cell;
    });
    replaceChildren(el, cells);
  }

  flash(keys) {
    for (const key of keys) {
      const painted = this.painted.get(key);
      if (!painted) continue;
      painted.el.classList.remove("wbe-flash");
      void painted.el.offsetWidth;
      painted.el.classList.add("wbe-flash");
    }
  }

  activeId() {
    const place = this.state.place(this.state.active.id);
    return place < 0 ? "" : `${this.name}-${place}-${this.state.active.column}`;
  }

  cell(key, columnId) {
    const painted = this.painted.get(key);
    const at = this.state.shownColumns.findIndex((column) => column.id === columnId);
    return painted && at >= 0 ? painted.el.children[at] : null;
  }
}

Object.assign(Grid.prototype, walkParts);
