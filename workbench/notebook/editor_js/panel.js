// The panel of the selected row: its check, fields for all that can be changed, and why it is so.

// what stands at the top of the panel and must be seen when it changes: why the row fails
function urgent(told) {
  return JSON.stringify([told.reason, failing(told.f) && told.f.v, told.tries]);
}

class Panel {
  constructor(state, actions) {
    this.state = state;
    this.actions = actions;
    this.key = null;
    this.told = null;
    this.draft = null;
    this.body = h("div", { class: "wbe-panel-body" });
    this.scroller = h("div", { class: "wbe-panel-scroll" }, this.body);
    this.title = h("h3", { class: "wbe-panel-title" });
    this.el = h(
      "section",
      {
        class: "wbe-panel",
        "aria-label": "Selected row",
        "data-lm-suppress-shortcuts": "true",
        onfocusin: (event) => event.target.setAttribute("data-lm-suppress-shortcuts", "true"),
        onkeydown: (event) => this.keydown(event),
        onfocusout: () => this.left(),
      },
      h(
        "header",
        { class: "wbe-panel-head" },
        this.title,
        h(
          "button",
          {
            class: "wbe-icon",
            type: "button",
            title: "Close the panel (Escape)",
            "aria-label": "Close the panel",
            onclick: () => this.actions.togglePanel(false),
          },
          "✕",
        ),
      ),
      this.scroller,
    );
    this.showHint();
  }

  keydown(event) {
    event.stopPropagation();
    const command = event.ctrlKey || event.metaKey;
    const typing = event.target.matches("input, textarea");
    if (command && event.key.toLowerCase() === "z" && !typing) {
      event.preventDefault();
      this.actions.travel(event.shiftKey ? "redo" : "undo");
    }
    if (event.key === "Escape" && !event.defaultPrevented) {
      event.preventDefault();
      this.actions.focusGrid();
    }
  }

  showHint() {
    this.key = null;
    this.told = null;
    this.title.textContent = "No row selected";
    replaceChildren(
      this.body,
      h(
        "p",
        { class: "wbe-quiet" },
        "Select a row to see where it comes from, how well it agrees with Paddle, and to change it.",
      ),
      legend("How a row came about", "status", STATUSES),
      legend("How it agrees with Paddle", "verdict", VERDICTS),
      h(
        "p",
        { class: "wbe-quiet" },
        "Alone: fed Paddle's own inputs. In chain: fed our own values from the layers before. ",
        "Press ? for the keys.",
      ),
    );
  }

  // --- one row ------------------------------------------------------------------------------------

  show(told) {
    if (this.draft && this.draft.key !== told.k) this.draft = null;
    const same = this.key === told.k;
    this.pending = null;
    if (same && this.dirty()) {
      this.pending = told;
      return;
    }
    const focus = same ? this.focusName() : null;
    const top = same && urgent(told) === urgent(this.told) ? this.scroller.scrollTop : 0;
    this.key = told.k;
    this.told = told;
    replaceChildren(
      this.title,
      h("span", { class: "wbe-panel-path", title: told.p }, breakable(told.p)),
      badge("status", told.s, STATUSES),
      told.f ? badge("verdict", told.f.v, VERDICTS) : "",
    );
    replaceChildren(
      this.body,
      this.problem(told),
      this.check(told),
      this.target(told),
      this.ownCode(told),
      this.argumentFields(told),
      this.weights(told),
      this.nameAndNote(told),
      this.changes(told),
      this.origin(told),
    );
    if (focus) this.focusField(focus);
    this.scroller.scrollTop = top; // last, since a focus scrolls, too
  }

  dirty() {
    const field = this.body.contains(document.activeElement) ? document.activeElement : null;
    return Boolean(field && field.dataset.was !== undefined && field.value !== field.dataset.was);
  }

  left() {
    const { pending } = this;
    if (pending)
      setTimeout(() => {
        if (this.pending === pending && !this.dirty()) this.show(pending);
      }, 0);
  }

  focusName() {
    const found = this.body.contains(document.activeElement) ? document.activeElement : null;
    return found ? found.dataset.field : null;
  }

  focusField(name) {
    const found = [...this.body.querySelectorAll("[data-field]")].find(
      (el) => el.dataset.field === name || el.dataset.field.startsWith(name),
    );
    if (found) {
      found.focus();
      if (found.select) found.select();
    }
    return Boolean(found);
  }

  nameAndNote(told) {
    const rename = this.field({
      name: "rename",
      label: "Name",
      value: told.p,
      edited: told.e ? told.e.includes("rename") : false,
      code: true,
      title: "Path of the module in the state_dict",
      commit: async (text) =>
        refusalOf(await this.actions.edit1(this.key, { rename: text }), this.key),
      reset: () => this.send({ rename: { reset: true } }),
    });
    const note = this.field({
      name: "note",
      label: "Note",
      value: told.note,
      edited: false,
      area: true,
      placeholder: "what a colleague should know",
      commit: async (text) =>
        refusalOf(await this.actions.edit1(this.key, { note: text }), this.key),
    });
    return h(
      "div",
      { class: "wbe-section" },
      h("h4", {}, "Name and note"),
      told.d === "control" ? null : rename,
      note,
    );
  }

  async send(changes) {
    const reply = await this.actions.edit1(this.key, changes);
    const refusal = refusalOf(reply, this.key);
    if (refusal)
      this.actions.notify([refusal.message, refusal.hint].filter(Boolean).join(" "), true);
  }
}

Object.assign(Panel.prototype, sectionParts, weightParts, draftParts, fieldParts, bulkParts);

// what the signs in the table mean
function legend(title, kind, table) {
  return h(
    "div",
    { class: "wbe-section" },
    h("h4", {}, title),
    h(
      "dl",
      { class: "wbe-legend" },
      Object.entries(table).map(([word, told]) => [
        h("dt", {}, badge(kind, word, table)),
        h("dd", {}, told.text.replace(/^[a-z]+: /, "")),
      ]).flat(),
    ),
  );
}

// a path that may be broken after its dots
function breakable(path) {
  return path.split(/(?<=\.)/).flatMap((part) => [part, h("wbr")]);
}

function refusalOf(reply, key) {
  return reply && reply.refused ? reply.refused[key] || null : null;
}

// "permuted (2, 0, 1), part 0:3 of axis 1" split at commas outside brackets and between words only
function joinNumbers(parts, piece) {
  const open = parts.length ? parts[parts.length - 1] : "";
  const inside = (open.match(/\(/g) || []).length > (open.match(/\)/g) || []).length;
  if (parts.length && (inside || /^\s*-?\d+\s*\)?$/.test(piece)))
    parts[parts.length - 1] = `${open},${piece}`;
  else parts.push(piece);
  return parts;
}
