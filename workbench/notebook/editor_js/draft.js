// The target of a row, and the form that opens when a new one needs arguments.

const draftParts = {
  target(told) {
    if (told.target.fixed)
      return h(
        "div",
        { class: "wbe-section" },
        h("h4", {}, "Target"),
        h(
          "p",
          {},
          h("span", { class: "wbe-code" }, told.target.value),
          " keeps its branches; edit the rows inside it.",
        ),
      );
    const field = this.field({
      name: "target",
      label: "Target",
      value: told.target.value,
      edited: told.target.edited,
      code: true,
      placeholder: "nn.Linear, F.relu, .reshape …",
      hint: told.target.edited ? `the rule chose ${told.target.original || "nothing"}` : "",
      commit: (text) => this.retarget(text),
      reset: () => this.send({ target: { reset: true } }),
    });
    const input = field.querySelector("input");
    let list = null;
    input.addEventListener("focus", () => {
      list =
        list ||
        new Choices(
          this.actions.host,
          input,
          () => this.actions.targets(told.k),
          (text) => {
            input.value = text;
            list.close();
            input.blur();
          },
        );
    });
    input.addEventListener("input", () => list && list.open());
    input.addEventListener("blur", () => {
      if (list) list.remove();
      list = null;
    });
    input.addEventListener(
      "keydown",
      (event) => {
        if (list && list.keydown(event)) event.stopImmediatePropagation();
      },
      true,
    );
    return h(
      "div",
      { class: "wbe-section" },
      h("h4", {}, "PyTorch"),
      field,
      h("code", { class: "wbe-source" }, told.source || "nothing yet"),
      this.draftForm(told),
    );
  },

  async retarget(text) {
    this.draft = null;
    const reply = await this.actions.edit1(this.key, { target: text });
    if (!reply || !reply.missing || !reply.missing[this.key]) return refusalOf(reply, this.key);
    await this.openDraft(text, reply.missing[this.key]);
    return null;
  },

  async openDraft(target, missing) {
    const { key } = this;
    const reply = await this.actions.send({ type: "form", key, target });
    if (this.key !== key || !reply) return;
    this.draft = { key, target, missing, fields: reply.fields.filter((field) => !field.data) };
    this.show(this.told);
    this.focusField("draft:");
  },

  draftForm(told) {
    if (!this.draft || this.draft.key !== told.k) return null;
    const { target, fields, missing } = this.draft;
    const inputs = new Map();
    const error = h("div", { class: "wbe-error", role: "alert" });
    const apply = async () => {
      const given = {};
      for (const [name, input] of inputs)
        if (input.value.trim()) given[name] = { text: input.value };
      const reply = await this.actions.edit1(told.k, { target, arguments: given });
      const refusal =
        refusalOf(reply, told.k) ||
        (reply && reply.missing && reply.missing[told.k]
          ? { message: `still missing: ${reply.missing[told.k].join(", ")}` }
          : null);
      if (refusal) error.textContent = [refusal.message, refusal.hint].filter(Boolean).join(" ");
      else {
        this.draft = null;
        this.show(this.told);
      }
    };
    const rows = fields.map((field) => {
      const input = h("input", {
        class: "wbe-input wbe-mono",
        placeholder: field.default || field.wanted,
        "data-field": `draft:${field.name}`,
        "aria-label": field.name,
        required: missing.includes(field.name),
        spellcheck: "false",
        onkeydown: (event) => {
          if (event.key === "Enter") {
            event.preventDefault();
            apply();
          }
        },
      });
      inputs.set(field.name, input);
      return h(
        "label",
        { class: missing.includes(field.name) ? "wbe-field wbe-needed" : "wbe-field" },
        h("span", { class: "wbe-label" }, field.name, missing.includes(field.name) ? " *" : ""),
        input,
      );
    });
    return h(
      "div",
      { class: "wbe-callout", role: "group", "aria-label": `Arguments of ${target}` },
      h("strong", {}, `${target} needs ${missing.join(", ")}`),
      rows,
      error,
      h(
        "div",
        { class: "wbe-buttons" },
        h("button", { type: "button", class: "wbe-primary", onclick: apply }, `Use ${target}`),
        h(
          "button",
          {
            type: "button",
            onclick: () => {
              this.draft = null;
              this.show(this.told);
            },
          },
          "Cancel",
        ),
      ),
    );
  },
};
