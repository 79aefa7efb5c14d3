// Brings the parts together and talks to Python.

const HELP = [
  ["↑ ↓ ← →", "move; ← folds a scope, → unfolds it"],
  ["Enter or F2", "edit the cell; fold or unfold a scope"],
  ["Escape", "leave the field without a change"],
  ["Space, Shift+↑↓, Ctrl+A", "select several rows"],
  ["Ctrl+Z, Ctrl+Shift+Z", "undo, redo"],
  ["Delete", "reset the selected rows to what the rules made"],
  ["/ or Ctrl+F", "search; Enter jumps to the next match, F3 too"],
  ["Home, End, Page Up, Page Down", "move far; with Ctrl to the first or last row"],
  ["Tab", "from the table to the panel and on"],
];

class Editor {
  constructor(model, el) {
    this.model = model;
    this.state = new State();
    this.state.checking = new Set();
    this.waiting = new Map();
    this.serial = 0;
    this.all = null;
    this.suggestions = new Map();
    const actions = {
      moved: () => {},
      selected: () => this.selected(),
      edit: () => this.editCell(),
      reset: () => this.resetSelected(),
      travel: (word) => {
        this.send({ type: word });
        return true;
      },
      search: () => {
        this.searchField.focus();
        this.searchField.select();
        return true;
      },
      help: () => {
        this.toggleHelp();
        return true;
      },
      find: (forward) => this.find(forward),
      escape: () => this.escape(),
      announce: (text) => this.announce(text),
      edit1: (key, changes) => this.send({ type: "edit", edits: { [key]: changes } }),
      targets: (key) => this.targets(key),
      togglePanel: (open) => this.togglePanel(open),
      focusGrid: () => this.grid.el.focus(),
      notify: (text, bad) => this.notify(text, bad),
      send: (message) => this.send(message),
    };
    this.root = h("div", { class: "wbe-editor", "data-lm-suppress-shortcuts": "true" });
    this.root.append(h("style", {}, `#${model.get("still")} { display: none; }`));
    actions.host = this.root;
    this.grid = new Grid(this.state, actions);
    this.panel = new Panel(this.state, {
      ...actions,
      edit: (edits) => this.send({ type: "edit", edits }),
    });
    this.live = h("div", { class: "wbe-live", role: "status", "aria-live": "polite" });
    this.toasts = h("div", { class: "wbe-toasts" });
    this.footer = h("div", { class: "wbe-footer" });
    this.helpBox = h(
      "div",
      { class: "wbe-help", popover: "auto", role: "dialog", "aria-label": "Keys" },
      h("h3", {}, "Keys"),
      h(
        "table",
        {},
        HELP.map(([keys, text]) => h("tr", {}, h("td", {}, h("kbd", {}, keys)), h("td", {}, text))),
      ),
    );
    this.columnBox = h("div", {
      class: "wbe-help wbe-column-box",
      popover: "auto",
      role: "dialog",
      "aria-label": "Columns",
    });
    this.main = h("div", { class: "wbe-main" }, this.grid.el, this.panel.el);
    this.root.append(
      this.toolbar(),
      this.main,
      this.footer,
      this.toasts,
      this.live,
      this.helpBox,
      this.columnBox,
    );
    this.root.addEventListener("focusin", (event) =>
      event.target.setAttribute("data-lm-suppress-shortcuts", "true"),
    );
    this.root.addEventListener("keydown", (event) => event.stopPropagation());
    el.append(this.root);
    this.root.style.height = `${model.get("height")}px`;
    this.onMessage = (message) => this.receive(message);
    model.on("msg:custom", this.onMessage);
    this.start();
  }

  start() {
    const text = this.model.get("snapshot");
    this.version = this.model.get("version");
    if (text) this.receive(JSON.parse(text));
    this.send({ type: "ready", version: this.version });
    const wide = this.root.clientWidth;
    if (wide && wide < 700)
      ["op", "chain", "output"].forEach((id) => this.state.columns.delete(id));
    this.grid.paintHead();
    // beside the table while that keeps two or three columns in view, else below it
    new ResizeObserver(() =>
      this.root.classList.toggle("wbe-narrow", this.root.clientWidth < 800),
    ).observe(this.root);
    this.refresh();
  }

  destroy() {
    this.model.off("msg:custom", this.onMessage);
  }

  // --- messages -----------------------------------------------------------------------------------

  send(message) {
    this.serial += 1;
    const id = `${this.name()}-${this.serial}`;
    this.model.send({ ...message, id });
    return new Promise((resolve) => {
      this.waiting.set(id, resolve);
    });
  }

  name() {
    this.own = this.own || Math.random().toString(36).slice(2, 8);
    return this.own;
  }

  receive(message) {
    const mine = message.id && this.waiting.has(message.id);
    switch (message.type) {
      case "snapshot":
        this.snapshot(message);
        break;
      case "changed":
        this.changed(message, mine);
        break;
      case "detail":
        if (this.wanted() === message.detail.k) this.panel.show(message.detail);
        break;
      case "info":
        this.takeInfo(message.info);
        break;
      case "reveal":
        this.reveal(message.key);
        break;
      default:
        break;
    }
    for (const text of message.notices || [])
      if (mine || !message.id) this.notify(text, message.bad);
    if (mine) {
      const resolve = this.waiting.get(message.id);
      this.waiting.delete(message.id);
      resolve(message);
    }
  }

  snapshot(message) {
    this.version = message.version;
    const first = !this.state.rows.size;
    this.state.load(message.rows);
    this.suggestions.clear();
    this.state.checking.clear();
    if (first && this.state.rows.size) this.firstLook();
    this.takeInfo(message.info);
    this.refresh();
    if (this.wanted()) this.send({ type: "select", key: this.wanted() });
  }

  firstLook() {
    if (this.state.rows.size > 400) this.foldDeep();
  }

  // a large model opens with its stages in view, not two thousand rows
  foldDeep() {
    for (const row of this.state.rows.values()) {
      const steps = row.p.split(".").slice(0, -1);
      for (let depth = 2; depth <= steps.length; depth += 1)
        this.state.folded.add(steps.slice(0, depth).join("."));
    }
    this.state.arrange();
  }

  changed(message, mine) {
    const keys = message.rows.map((row) => row.k);
    for (const key of keys) this.suggestions.delete(key);
    for (const key of message.recheck || []) this.state.checking.add(key);
    for (const key of message.checked || []) this.state.checking.delete(key);
    this.state.update(message.rows);
    this.takeInfo(message.info);
    this.refresh();
    if (!message.checked) this.grid.flash(keys);
    if (mine && message.rows.length)
      this.announce(
        `${message.rows.length} ${message.rows.length === 1 ? "row" : "rows"} changed.`,
      );
    const shown = this.wanted();
    if (message.detail && message.detail.k === shown) this.panel.show(message.detail);
    else if (shown && keys.includes(shown)) this.send({ type: "select", key: shown });
  }

  takeInfo(info) {
    if (String(info.own) !== String(this.state.info.own)) {
      this.all = null;
      this.suggestions.clear();
    }
    this.state.info = { ...this.state.info, ...info };
    this.paintInfo();
  }

  // --- selection ----------------------------------------------------------------------------------

  wanted() {
    return this.state.selection.size === 1 ? [...this.state.selection][0] : null;
  }

  selected() {
    this.paintFooter();
    const keys = [...this.state.selection];
    clearTimeout(this.soon);
    if (keys.length > 1) this.panel.showBulk(keys);
    else if (keys.length === 1)
      this.soon = setTimeout(() => this.send({ type: "select", key: keys[0] }), 40);
    else this.panel.showHint();
  }

  reveal(key) {
    const place = this.state.reveal(key);
    if (place < 0) return;
    this.refresh();
    this.grid.go(place, this.state.active.column);
    this.selected();
  }

  escape() {
    this.state.selection.clear();
    this.grid.paint();
    this.selected();
    return true;
  }

  togglePanel(open) {
    this.root.classList.toggle("wbe-no-panel", !open);
    this.panelButton.setAttribute("aria-pressed", String(open));
    this.grid.schedule();
    if (!open) this.grid.el.focus();
  }

  // --- editing ------------------------------------------------------------------------------------

  editCell() {
    const { active, shownColumns } = this.state;
    const row = this.state.rows.get(active.id);
    const column = shownColumns[active.column];
    if (!row || !column) return true;
    if (!column.edit || !editable(row, column)) {
      this.announce(
        column.edit
          ? `${column.label} of this row cannot be changed.`
          : `${column.label} is not edited here; choose Target, Arguments, Weights, Note or Layer.`,
      );
      return true;
    }
    if (column.edit === "weights") {
      this.openWeights(row);
      return true;
    }
    this.grid.select(this.state.place(row.k), false);
    this.selected();
    const cell = this.grid.cell(row.k, column.id);
    if (!cell) return true;
    const values = {
      rename: row.p,
      target: row.t || "",
      arguments_text: row.a || "",
      note: row.note === undefined ? this.handNote(row) : row.note,
    };
    this.grid.editing = { key: row.k };
    const label = `${column.label} of ${row.p}`;
    this.inline = new InlineEditor(this.root, cell, {
      value: values[column.edit],
      label,
      choices: column.edit === "target" ? () => this.targets(row.k) : null,
      commit: (value) => this.commit(row, column, value),
      close: (move) => this.closed(row.k, move),
    });
    return true;
  }

  handNote(row) {
    const shown = this.panel.told;
    return shown && shown.k === row.k ? shown.note : "";
  }

  async commit(row, column, value) {
    const changes = { [column.edit]: column.edit === "note" || value ? value : { reset: true } };
    if (column.edit === "arguments_text") changes.arguments_text = value;
    const reply = await this.send({ type: "edit", edits: { [row.k]: changes } });
    const missing = reply.missing && reply.missing[row.k];
    if (missing) {
      setTimeout(async () => {
        this.togglePanel(true);
        await this.send({ type: "select", key: row.k });
        await this.panel.openDraft(value, reply);
      }, 0);
      return null;
    }
    return refusalOf(reply, row.k);
  }

  closed(key, move) {
    this.grid.editing = null;
    this.inline = null;
    const painted = this.grid.painted.get(key);
    if (painted) painted.stale = true;
    this.grid.paint();
    if (move === null) return;
    this.grid.el.focus();
    if (move) {
      const { shownColumns, active } = this.state;
      const row = this.state.rows.get(key);
      for (let at = active.column + move; at >= 0 && at < shownColumns.length; at += move) {
        if (shownColumns[at].edit && row && editable(row, shownColumns[at])) {
          this.grid.go(this.state.place(key), at, false);
          return;
        }
      }
    }
  }

  async openWeights(row) {
    this.togglePanel(true);
    this.grid.select(this.state.place(row.k), false);
    this.grid.paint();
    await this.send({ type: "select", key: row.k });
    this.panel.focusField("weight:");
  }

  resetSelected() {
    const keys = [...this.state.selection].filter(
      (key) => (this.state.rows.get(key).e || []).length,
    );
    if (keys.length)
      this.send({
        type: "edit",
        edits: Object.fromEntries(keys.map((key) => [key, { reset: true }])),
      });
    else this.announce("The selected rows have no changes by hand.");
    return true;
  }

  async targets(key) {
    if (!this.all) this.all = this.send({ type: "targets" }).then((reply) => reply.targets);
    if (!this.suggestions.has(key))
      this.suggestions.set(
        key,
        this.send({ type: "suggest", key }).then((reply) => reply.targets),
      );
    const [likely, all] = await Promise.all([this.suggestions.get(key), this.all]);
    return { likely, all };
  }

  // --- painting -----------------------------------------------------------------------------------

  refresh() {
    this.grid.refresh();
    this.paintChips();
    this.paintFooter();
  }
}

Object.assign(Editor.prototype, toolbarParts, statusParts);

export default {
  render({ model, el }) {
    const editor = new Editor(model, el);
    return () => editor.destroy();
  },
};
