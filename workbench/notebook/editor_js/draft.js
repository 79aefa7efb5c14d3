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
    await this.openDraft(text, reply);
    return null;
  },

  // the target needs arguments, or weights that nobody can guess: ask for them
  async openDraft(target, refused) {
    const { key } = this;
    const reply = await this.actions.send({ type: "form", key, target });
    if (this.key !== key || !reply) return;
    this.draft = {
      key,
      target,
      missing: refused.missing[key],
      weights: (refused.weights || {})[key] || {},
      fields: reply.fields.filter((field) => !field.data),
      typed: new Map(),
    };
    this.show(this.told);
    this.focusField("draft:");
  },

  draftForm(told) {
    if (!this.draft || this.draft.key !== told.k) return null;
    const { draft } = this;
    const keys = Object.keys(draft.weights);
    const error = h("div", { class: "wbe-error", role: "alert" });
    const needed = [...draft.missing, ...keys.map((key) => `a weight for ${key}`)].join(", ");
    const apply = () => this.applyDraft(told, error);
    const close = () => {
      this.draft = null;
      this.show(this.told);
    };
    return h(
      "div",
      { class: "wbe-callout", role: "group", "aria-label": `Arguments of ${draft.target}` },
      h("strong", {}, needed ? `${draft.target} needs ${needed}` : draft.target),
      draft.fields.map((field) =>
        this.draftField(field.name, field.default || field.wanted, {
          label: field.name,
          needed: draft.missing.includes(field.name),
          apply,
        }),
      ),
      keys.flatMap((key) => this.draftWeight(key, told, apply)),
      error,
      h(
        "div",
        { class: "wbe-buttons" },
        h(
          "button",
          { type: "button", class: "wbe-primary", onclick: apply },
          `Use ${draft.target}`,
        ),
        h("button", { type: "button", onclick: close }, "Cancel"),
      ),
    );
  },

  draftField(name, placeholder, { label, needed, apply, list }) {
    const { typed } = this.draft;
    const input = h("input", {
      class: "wbe-input wbe-mono",
      placeholder,
      value: typed.get(name) || "",
      "data-field": `draft:${name}`,
      "aria-label": label,
      required: needed,
      spellcheck: "false",
      autocomplete: "off",
      oninput: () => typed.set(name, input.value),
      onkeydown: (event) => {
        if (event.key === "Enter") {
          event.preventDefault();
          apply();
        }
      },
    });
    const choices = list
      ? h(
          "datalist",
          { id: uid("list") },
          list.map((text) => h("option", { value: text })),
        )
      : null;
    if (choices) input.setAttribute("list", choices.id);
    return h(
      "label",
      { class: needed ? "wbe-field wbe-needed" : "wbe-field" },
      h("span", { class: "wbe-label" }, label, needed ? " *" : ""),
      input,
      choices,
    );
  },

  draftWeight(key, told, apply) {
    const shape = `[${this.draft.weights[key].join(", ")}]`;
    const names = told.parameters.map((one) => one.name);
    return [
      this.draftField(`weight:${key}`, `a Paddle parameter for ${shape}`, {
        label: key,
        needed: true,
        apply,
        list: names,
      }),
      this.draftField(`steps:${key}`, "copied as it is", {
        label: `${key} steps`,
        needed: false,
        apply,
        list: told.forms,
      }),
    ];
  },

  async applyDraft(told, error) {
    const { target, fields, weights, typed } = this.draft;
    const text = (name) => (typed.get(name) || "").trim();
    const given = {};
    for (const field of fields) if (text(field.name)) given[field.name] = { text: text(field.name) };
    const from = {};
    for (const key of Object.keys(weights))
      if (text(`weight:${key}`))
        from[key] = {
          parameter: text(`weight:${key}`),
          steps: stepsOf(text(`steps:${key}`)),
        };
    const reply = await this.actions.edit1(told.k, { target, arguments: given, weights: from });
    const refusal = refusalOf(reply, told.k);
    const missing = reply && reply.missing && reply.missing[told.k];
    if (refusal) error.textContent = [refusal.message, refusal.hint].filter(Boolean).join(" ");
    else if (missing) {
      this.draft.missing = missing;
      this.draft.weights = { ...weights, ...(reply.weights || {})[told.k] };
      const open = [...missing, ...Object.keys((reply.weights || {})[told.k] || {})];
      this.show(this.told);
      const found = this.body.querySelector(".wbe-callout .wbe-error");
      if (found) found.textContent = `still missing: ${open.join(", ")}`;
    } else {
      this.draft = null;
      this.show(this.told);
    }
  },
};

// "permuted 1 0, part 0:3 of axis 1" as a list of steps
function stepsOf(text) {
  return text
    .split(",")
    .reduce(joinNumbers, [])
    .map((step) => step.trim())
    .filter(Boolean);
}
