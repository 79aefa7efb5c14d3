// Parts of the panel for arguments and weights.

const weightParts = {
  argumentFields(told) {
    const own = told.arguments.filter((field) => !field.data);
    const inputs = told.inputs.map((value) => `${value.name} ${value.text}`).join(", ");
    const rest = own.filter((field) => !field.given && !field.edited);
    const shown = own.filter((field) => field.given || field.edited);
    if (!own.length && !inputs) return null;
    return h(
      "div",
      { class: "wbe-section" },
      h("h4", {}, "Arguments"),
      inputs
        ? h(
            "p",
            { class: "wbe-quiet" },
            "reads ",
            h("span", { class: "wbe-code" }, inputs),
            " → ",
            h("span", { class: "wbe-code" }, told.outputs.map((value) => value.text).join(", ")),
          )
        : null,
      shown.map((field) => this.argument(field)),
      rest.length
        ? h(
            "details",
            {
              class: "wbe-more",
              open: this.moreOpen,
              ontoggle: (event) => {
                this.moreOpen = event.target.open;
              },
            },
            h("summary", {}, `${rest.length} at torch's default`),
            rest.map((field) => this.argument(field)),
          )
        : null,
    );
  },

  argument(field) {
    const commit = async (text) =>
      refusalOf(
        await this.actions.edit1(this.key, {
          arguments: { [field.name]: text === null ? { reset: true } : { text } },
        }),
        this.key,
      );
    const usual = {
      name: `argument:${field.name}`,
      label: field.name,
      value: field.value,
      edited: field.edited,
      commit,
      code: true,
      hint: "",
      title: `takes ${field.wanted}`,
      placeholder: field.default,
      reset: () => this.send({ arguments: { [field.name]: { reset: true } } }),
    };
    if (field.kind === "bool")
      return this.field({
        ...usual,
        options: field.none ? ["True", "False", "None"] : ["True", "False"],
        fallback: field.default,
      });
    if (field.kind === "choice" && (!field.value || field.choices.includes(field.value)))
      return this.field({ ...usual, options: field.choices, fallback: field.default });
    return this.field(usual);
  },

  weights(told) {
    if (!told.weights.length) return null;
    const others = told.parameters.map((one) => one.name);
    return h(
      "div",
      { class: "wbe-section" },
      h("h4", {}, "Weights"),
      told.weights.map((weight) => this.weight(weight, told, others)),
    );
  },

  weight(weight, told, others) {
    const label = weight.key || "tensor";
    if (weight.gone)
      return h(
        "div",
        { class: "wbe-weight-box" },
        h("strong", {}, label),
        " is left out: the module has none.",
      );
    const commit = async (text) => {
      const steps = stepsOf(text);
      return refusalOf(
        await this.actions.edit1(this.key, {
          weights: { [weight.key]: { parameter: weight.parameter, steps } },
        }),
        this.key,
      );
    };
    const steps = this.field({
      name: `weight:${weight.key}`,
      label: "steps",
      value: weight.steps.join(", "),
      edited: weight.edited,
      commit,
      placeholder: "copied as it is",
      title: `Steps from Paddle's tensor to torch's, with commas between: ${told.forms.join(" · ")}`,
      hint:
        weight.edited && weight.original
          ? `the rule: ${weight.original.join(", ") || "copied"}`
          : "",
      list: told.forms,
      reset: () => this.send({ weights: { [weight.key]: { reset: true } } }),
    });
    const source =
      others.length > 1
        ? this.field({
            name: `from:${weight.key}`,
            label: "from",
            value: weight.parameter,
            options: others,
            edited: false,
            code: true,
            commit: async (name) =>
              refusalOf(
                await this.actions.edit1(this.key, {
                  weights: { [weight.key]: { parameter: name, steps: weight.steps } },
                }),
                this.key,
              ),
          })
        : h(
            "p",
            { class: "wbe-quiet" },
            "from ",
            h("span", { class: "wbe-code" }, weight.parameter),
          );
    const shape =
      `${weight.dtype} [${weight.shape.join(", ")}]` +
      (String(weight.shape) !== String(weight.final) || weight.dtype !== weight.final_dtype
        ? ` → ${weight.final_dtype} [${weight.final.join(", ")}]`
        : "");
    return h(
      "div",
      { class: "wbe-weight-box" },
      h(
        "div",
        { class: "wbe-weight-head" },
        h("strong", {}, label),
        h("span", { class: "wbe-code" }, shape),
        weight.trainable ? "" : h("span", { class: "wbe-quiet" }, "not trained"),
      ),
      source,
      steps,
      h(
        "div",
        { class: "wbe-weight-charts" },
        weight.before ? weightHistogram(weight.before, `${label} in Paddle`) : "",
        weight.after ? weightHistogram(weight.after, `${label} after the steps`) : "",
      ),
    );
  },
};
