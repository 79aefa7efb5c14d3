// What a cell shows, and the inline editors.

function rowCell(column, item) {
  const { row } = item;
  switch (column) {
    case "layer":
      return layerCell(item);
    case "op":
      return [textSpan(row.o)];
    case "input":
      return [codeSpan(row.i)];
    case "output":
      return [codeSpan(row.u)];
    case "target":
      return [
        row.t
          ? codeSpan(row.t, edited(row, "target"))
          : h("span", { class: "wbe-missing" }, "choose a target"),
      ];
    case "arguments":
      return [codeSpan(row.a, edited(row, "arguments"))];
    case "weights":
      return [textSpan(row.w === "copied" ? "copied" : row.w, edited(row, "weights"))];
    case "note":
      return [textSpan(row.r || row.n, edited(row, "note"))];
    case "status":
      return [badge("status", row.s, STATUSES, row.r)];
    case "alone":
      return checkCell(row.f, true);
    case "chain":
      return checkCell(row.c, false);
    default:
      return [];
  }
}

function layerCell(item) {
  const { row } = item;
  const kind = KINDS[row.d] || KINDS.unknown;
  return [
    indent(item.depth),
    h("span", { class: "wbe-twisty-room" }),
    h(
      "span",
      {
        class: `wbe-kind wbe-kind-${row.d}`,
        title: kind.text,
        "aria-label": kind.text,
        role: "img",
      },
      kind.glyph,
    ),
    h("span", { class: "wbe-name", title: row.p }, item.name || row.p),
    row.e && row.e.length
      ? h("span", { class: "wbe-pen", title: `edited by hand: ${row.e.join(", ")}` }, "✎")
      : "",
  ];
}

function scopeCell(column, item) {
  if (column === "layer") {
    return [
      indent(item.depth),
      h("span", { class: "wbe-twisty", "aria-hidden": "true" }, item.folded ? "▸" : "▾"),
      h("span", { class: "wbe-name", title: item.scope }, item.name),
      h("span", { class: "wbe-count" }, String(item.count)),
    ];
  }
  if (!item.folded) return [];
  if (column === "alone") return checkCell(item.worst, true, "worst of this scope: ");
  if (column === "chain") return checkCell(item.chain, false, "worst of this scope: ");
  if (column === "status") {
    return [
      item.unsupported
        ? badge("status", "unsupported", STATUSES, `${item.unsupported} unsupported`)
        : "",
      item.edited ? h("span", { class: "wbe-count" }, `✎ ${item.edited}`) : "",
    ];
  }
  return [];
}

function checkCell(check, withSpark, prefix = "") {
  if (!check) return [h("span", { class: "wbe-none", title: "not checked yet" }, "–")];
  const told = VERDICTS[check.v];
  const detail =
    check.p ||
    (check.x === undefined
      ? ""
      : `largest difference ${shortNumber(check.x)}, tolerance ${shortNumber(check.t)}`);
  const text = check.r === undefined ? check.v : shortNumber(check.r);
  return [
    h(
      "span",
      { class: `wbe-verdict wbe-verdict-${check.v}`, title: `${prefix}${told.text}. ${detail}` },
      h("span", { class: "wbe-glyph", role: "img", "aria-label": check.v }, told.glyph),
      h("span", { class: "wbe-number" }, text),
    ),
    withSpark && check.h ? spark(check) : "",
  ];
}

function indent(depth) {
  return h("span", { class: "wbe-indent", style: `width:${depth * 14}px` });
}

function textSpan(text, changed = false) {
  return h(
    "span",
    { class: changed ? "wbe-text wbe-changed" : "wbe-text", title: text || "" },
    text || "",
  );
}

function codeSpan(text, changed = false) {
  return h(
    "span",
    { class: changed ? "wbe-code wbe-changed" : "wbe-code", title: text || "" },
    text || "",
  );
}

function edited(row, field) {
  return Boolean(row.e && row.e.includes(field));
}

function editable(row, column) {
  if (row.d === "control") return column.edit === "note";
  if (row.d === "parameter") return column.edit !== "arguments_text";
  if (column.edit === "arguments_text") return Boolean(row.t);
  if (column.edit === "weights") return row.d === "layer" && Boolean(row.w);
  return true;
}

// An input in place of a cell's text. It stays until Python has taken the value: a refusal is shown below
// it with the reason, and the text can be mended.
class InlineEditor {
  constructor(host, cell, { value, label, choices, commit, close }) {
    this.host = host;
    this.cell = cell;
    this.commitValue = commit;
    this.onClose = close;
    this.was = value;
    this.error = h("div", {
      class: "wbe-bubble",
      id: uid("error"),
      role: "alert",
      popover: "manual",
    });
    this.input = h("input", {
      class: "wbe-inline",
      value,
      "aria-label": label,
      spellcheck: "false",
      autocomplete: "off",
      "data-lm-suppress-shortcuts": "true",
      onkeydown: (event) => this.keydown(event),
      onblur: () => this.blur(),
      oninput: () => this.typed(),
    });
    this.kept = [...cell.childNodes];
    cell.classList.add("wbe-editing");
    replaceChildren(cell, this.input);
    host.append(this.error);
    if (choices) this.list = new Choices(host, this.input, choices, (text) => this.commit(text));
    this.input.focus();
    this.input.select();
  }

  typed() {
    this.clear();
    if (this.list) this.list.open();
  }

  keydown(event) {
    event.stopPropagation();
    if (this.list && this.list.keydown(event)) return;
    if (event.key === "Enter" || event.key === "Tab") {
      event.preventDefault();
      this.commit(this.input.value, event.key === "Tab" ? (event.shiftKey ? -1 : 1) : 0);
    } else if (event.key === "Escape") {
      event.preventDefault();
      this.close(0);
    }
  }

  blur() {
    // the popup keeps the focus in the input, so a blur means that the person went elsewhere
    if (!this.closed && !this.busy) this.commit(this.input.value, null);
  }

  async commit(value, move = 0) {
    if (this.busy) return;
    if (value.trim() === this.was.trim()) {
      this.close(move);
      return;
    }
    this.busy = true;
    this.input.value = value;
    const refusal = await this.commitValue(value.trim());
    this.busy = false;
    if (this.closed) return;
    if (!refusal) this.close(move);
    else this.refuse(refusal);
  }

  refuse(refusal) {
    replaceChildren(
      this.error,
      h("div", {}, refusal.message),
      refusal.hint ? h("div", { class: "wbe-hint" }, refusal.hint) : null,
    );
    this.input.setAttribute("aria-invalid", "true");
    this.input.setAttribute("aria-describedby", this.error.id);
    showBelow(this.error, this.input);
    this.input.focus();
  }

  clear() {
    this.input.removeAttribute("aria-invalid");
    hidePopover(this.error);
  }

  close(move) {
    if (this.closed) return;
    this.closed = true;
    if (this.list) this.list.close();
    this.error.remove();
    this.cell.classList.remove("wbe-editing");
    replaceChildren(this.cell, this.kept);
    this.onClose(move);
  }
}

// The list below an input: plausible targets first, everything that fits when something is typed.
class Choices {
  constructor(host, input, source, pick) {
    this.input = input;
    this.source = source;
    this.pick = pick;
    this.name = uid("list");
    this.at = -1;
    this.el = h("div", { class: "wbe-choices", role: "listbox", id: this.name, popover: "manual" });
    host.append(this.el);
    set(input, {
      role: "combobox",
      "aria-expanded": "false",
      "aria-controls": this.name,
      "aria-autocomplete": "list",
    });
    this.fresh = true;
    this.open();
  }

  async open() {
    const { likely, all } = await this.source();
    if (this.gone) return;
    const typed = this.fresh ? "" : this.input.value.trim().toLowerCase();
    this.fresh = false;
    const first = likely.filter((text) => text.toLowerCase().includes(typed));
    const rest =
      typed.length > 1
        ? all.filter((text) => text.toLowerCase().includes(typed) && !likely.includes(text))
        : [];
    rest.sort(
      (a, b) =>
        Number(!a.toLowerCase().split(".").pop().startsWith(typed)) -
        Number(!b.toLowerCase().split(".").pop().startsWith(typed)),
    );
    this.shown = [...first, ...rest].slice(0, 200);
    this.at = -1;
    replaceChildren(
      this.el,
      this.shown.map((text, i) =>
        h(
          "div",
          {
            class: "wbe-choice",
            role: "option",
            id: `${this.name}-${i}`,
            onpointerdown: (event) => {
              event.preventDefault();
              this.pick(text);
            },
          },
          text,
        ),
      ),
    );
    if (!this.shown.length) {
      this.close();
      return;
    }
    this.input.setAttribute("aria-expanded", "true");
    showBelow(this.el, this.input);
  }

  keydown(event) {
    const open = this.input.getAttribute("aria-expanded") === "true";
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (open) this.mark(this.at + (event.key === "ArrowDown" ? 1 : -1));
      else this.open();
      return true;
    }
    if (event.key === "Enter" && open && this.at >= 0) {
      event.preventDefault();
      this.pick(this.shown[this.at]);
      return true;
    }
    if (event.key === "Escape" && open && this.at >= 0) {
      event.preventDefault();
      this.mark(-1);
      return true;
    }
    return false;
  }

  mark(at) {
    const options = [...this.el.children];
    this.at = at < -1 ? options.length - 1 : at >= options.length ? -1 : at;
    options.forEach((option, i) => {
      option.classList.toggle("wbe-marked", i === this.at);
      option.setAttribute("aria-selected", String(i === this.at));
    });
    if (this.at >= 0) {
      options[this.at].scrollIntoView({ block: "nearest" });
      this.input.setAttribute("aria-activedescendant", options[this.at].id);
    } else this.input.removeAttribute("aria-activedescendant");
  }

  close() {
    this.gone = this.gone || !this.input.isConnected;
    hidePopover(this.el);
    this.input.setAttribute("aria-expanded", "false");
    if (!this.input.isConnected) this.el.remove();
  }

  remove() {
    this.gone = true;
    this.el.remove();
  }
}

function showBelow(el, anchor) {
  const box = anchor.getBoundingClientRect();
  if (el.showPopover && !el.matches(":popover-open")) el.showPopover();
  el.style.minWidth = `${Math.max(200, box.width)}px`;
  el.style.left = `${Math.max(4, Math.min(box.left, window.innerWidth - el.offsetWidth - 8))}px`;
  const tall = Math.min(el.offsetHeight, window.innerHeight - 16);
  const below = window.innerHeight - box.bottom > tall + 8;
  el.style.top = `${below ? box.bottom + 2 : Math.max(8, box.top - tall - 4)}px`;
}

function hidePopover(el) {
  if (el.isConnected && el.hidePopover && el.matches(":popover-open")) el.hidePopover();
}
