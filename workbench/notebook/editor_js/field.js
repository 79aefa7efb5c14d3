// A labelled field: it sends what was typed, and keeps it with the reason when it is refused.

const fieldParts = {
  field({
    name,
    label,
    value,
    edited: changed,
    commit,
    reset,
    options,
    fallback,
    area,
    code,
    hint,
    title,
    placeholder,
    list,
  }) {
    const error = h("div", { class: "wbe-error", role: "alert", id: uid("field-error") });
    const usual = {
      class: code ? "wbe-input wbe-mono" : "wbe-input",
      "data-field": name,
      "data-was": value,
      title,
      "aria-label": label,
      "aria-describedby": error.id,
    };
    let input;
    let choices = null;
    if (options) {
      const all = value && !options.includes(value) ? [value, ...options] : options;
      input = h(
        "select",
        usual,
        value ? "" : h("option", { value: "" }, `${fallback} (default)`),
        all.map((text) => h("option", { value: text }, text)),
      );
      input.value = value;
    } else if (area) input = h("textarea", { ...usual, rows: "2", placeholder, value });
    else {
      input = h("input", {
        ...usual,
        value,
        placeholder,
        spellcheck: "false",
        autocomplete: "off",
      });
      if (list) {
        const data = h(
          "datalist",
          { id: uid("list") },
          list.map((text) => h("option", { value: text })),
        );
        input.setAttribute("list", data.id);
        choices = data;
      }
    }
    const take = async () => {
      if (input.value === input.dataset.was || input.busy) return;
      input.busy = true;
      const sent = input.value;
      const refusal = await commit(options && sent === "" ? null : sent.trim());
      input.busy = false;
      if (!refusal) input.removeAttribute("aria-invalid");
      if (refusal) input.setAttribute("aria-invalid", "true");
      else input.dataset.was = sent;
      replaceChildren(
        error,
        refusal
          ? [
              h("div", {}, refusal.message),
              refusal.hint ? h("div", { class: "wbe-hint" }, refusal.hint) : "",
            ]
          : [],
      );
    };
    input.addEventListener("change", take);
    input.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !area) {
        event.preventDefault();
        take();
      }
      if (event.key === "Escape" && input.value !== input.dataset.was) {
        event.preventDefault();
        event.stopPropagation();
        input.value = input.dataset.was;
        replaceChildren(error);
        input.removeAttribute("aria-invalid");
      }
    });
    return h(
      "div",
      { class: changed ? "wbe-field wbe-field-edited" : "wbe-field" },
      h(
        "label",
        { class: "wbe-label" },
        label,
        changed ? h("span", { class: "wbe-pen", title: "changed by hand" }, " ✎") : "",
      ),
      input,
      choices,
      changed && reset
        ? h(
            "button",
            {
              type: "button",
              class: "wbe-icon",
              title: "Back to what the rule made",
              "aria-label": `Reset ${label}`,
              onclick: reset,
            },
            "↺",
          )
        : "",
      hint ? h("div", { class: "wbe-hint" }, hint) : "",
      error,
    );
  },
};
