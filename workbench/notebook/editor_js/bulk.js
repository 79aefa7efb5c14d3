// The panel when several rows are selected.

const bulkParts = {
  showBulk(keys) {
    this.key = null;
    this.told = null;
    this.draft = null;
    const rows = keys.map((key) => this.state.rows.get(key)).filter(Boolean);
    const targets = [...new Set(rows.map((row) => row.t || "none"))];
    this.title.textContent = `${keys.length} rows selected`;
    const report = h("div", { class: "wbe-error", role: "alert" });
    const apply = async (changes) => {
      const reply = await this.actions.edit(Object.fromEntries(keys.map((key) => [key, changes])));
      const refused = Object.entries((reply && reply.refused) || {}).map(
        ([, refusal]) => refusal.message,
      );
      for (const [key, names] of Object.entries((reply && reply.missing) || {}))
        refused.push(
          `${key}: needs ${[...names, ...Object.keys((reply.weights || {})[key] || {})].join(", ")}`,
        );
      replaceChildren(
        report,
        refused.length
          ? h("div", {}, `${refused.length} of ${keys.length} rows did not take it:`)
          : "",
        refused.slice(0, 8).map((text) => h("div", {}, text)),
        refused.length > 8 ? h("div", {}, `and ${refused.length - 8} more`) : "",
      );
    };
    const name = h("input", {
      class: "wbe-input wbe-mono",
      placeholder: "argument",
      "aria-label": "Argument to change",
      "data-field": "bulk:name",
    });
    const value = h("input", {
      class: "wbe-input wbe-mono",
      placeholder: "value",
      "aria-label": "Its value",
      "data-field": "bulk:value",
    });
    const target = h("input", {
      class: "wbe-input wbe-mono",
      placeholder: targets.length === 1 ? targets[0] : `${targets.length} different targets`,
      "aria-label": "Target of all",
      "data-field": "bulk:target",
    });
    const note = h("input", {
      class: "wbe-input",
      placeholder: "note for all",
      "aria-label": "Note for all",
      "data-field": "bulk:note",
    });
    const line = (label, inputs, give) =>
      h(
        "div",
        { class: "wbe-field wbe-bulk" },
        h("span", { class: "wbe-label" }, label),
        ...inputs,
        h(
          "button",
          {
            type: "button",
            onclick: () => {
              const given = give();
              if (given) apply(given);
            },
          },
          "Set",
        ),
      );
    const failed = rows.filter((row) => failing(row.f) || failing(row.c)).length;
    replaceChildren(
      this.body,
      h(
        "div",
        { class: "wbe-section" },
        h(
          "p",
          { class: "wbe-quiet" },
          `${targets.slice(0, 4).join(", ")}${targets.length > 4 ? " …" : ""}${failed ? `; ${failed} failing` : ""}`,
        ),
        line("Target", [target], () =>
          target.value.trim() ? { target: target.value.trim() } : null,
        ),
        line("Argument", [name, value], () =>
          name.value.trim() ? { arguments: { [name.value.trim()]: { text: value.value } } } : null,
        ),
        line("Note", [note], () => ({ note: note.value })),
        report,
        h(
          "div",
          { class: "wbe-buttons" },
          h(
            "button",
            { type: "button", onclick: () => apply({ reset: true }) },
            `Reset ${keys.length} rows`,
          ),
        ),
      ),
    );
  },
};
