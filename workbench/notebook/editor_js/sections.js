// Parts of the panel that tell: the problem, the agreement with Paddle, changes, origin.

const sectionParts = {
  problem(told) {
    if (!told.reason) return null;
    return h(
      "div",
      { class: "wbe-callout wbe-callout-bad" },
      h("strong", {}, told.t ? "The rule refused this operator" : "Not supported yet"),
      h("p", {}, told.reason),
      told.hint ? h("p", { class: "wbe-hint" }, told.hint) : null,
      h(
        "p",
        { class: "wbe-hint" },
        told.t
          ? ""
          : "Choose a target below to map it by hand: its inputs become the arguments, in order.",
      ),
    );
  },

  check(told) {
    const waiting = this.state.checking && this.state.checking.has(told.k);
    const { live } = this.state.info;
    const check = told.f;
    const parts = [h("h4", {}, "Agreement with Paddle")];
    if (waiting && live && live.state === "preparing")
      parts.push(
        h("p", { class: "wbe-quiet wbe-busy" }, "Paddle is computing the values to compare with…"),
      );
    else if (waiting) parts.push(h("p", { class: "wbe-quiet wbe-busy" }, "Checking this layer…"));
    else if (!check) parts.push(h("p", { class: "wbe-quiet" }, this.uncheckedText(live)));
    if (check && !waiting) {
      parts.push(
        h(
          "p",
          { class: "wbe-line" },
          badge("verdict", check.v, VERDICTS),
          check.r === undefined
            ? ""
            : h(
                "span",
                {},
                ` largest difference ${shortNumber(check.x)}, ${shortNumber(check.r)} of the scale ${shortNumber(check.s)}; rounding explains ${shortNumber(check.t)}`,
              ),
        ),
      );
      if (check.p) parts.push(h("p", { class: "wbe-callout wbe-callout-bad" }, check.p));
      parts.push(...this.causes(told));
      if (check.h) {
        parts.push(
          h(
            "figure",
            {},
            errorHistogram(check),
            h(
              "figcaption",
              {},
              "elements by error, relative to the scale; log counts; dashed: tolerance",
            ),
          ),
        );
      }
    }
    if (told.scatter && check && !waiting)
      parts.push(h("figure", { class: "wbe-figure-scatter" }, scatter(told.scatter)));
    if (told.c) {
      parts.push(
        h(
          "p",
          { class: "wbe-line" },
          "In the chain: ",
          badge("verdict", told.c.v, VERDICTS),
          ` ${shortNumber(told.c.r)}`,
          this.state.info.stale ? h("span", { class: "wbe-stale" }, " before the last edits") : "",
        ),
      );
    }
    return h("div", { class: "wbe-section" }, parts);
  },

  causes(told) {
    if (told.searching)
      return [h("p", { class: "wbe-quiet wbe-busy" }, "Trying the usual confusions on this layer…")];
    return told.tries && told.tries.length ? [this.tries(told)] : [];
  },

  uncheckedText(live) {
    if (!live || live.state === "off")
      return "Not checked. Run the verification to compare this row with Paddle.";
    if (live.state === "failed") return `The live check is off: ${live.text}`;
    return "Not checked yet: it is checked at its next edit, or by the verification.";
  },

  tries(told) {
    return h(
      "div",
      { class: "wbe-callout wbe-causes" },
      h("strong", {}, told.tries.some((one) => one.edit) ? "The cause" : "What to try"),
      told.tries.map((one) => this.cause(one)),
    );
  },

  cause(one) {
    const after = one.after === undefined ? "" : shortNumber(Number(one.after));
    return h(
      "div",
      { class: "wbe-try" },
      h(
        "div",
        {},
        h("p", {}, one.text),
        one.action ? h("p", {}, "mend it: ", h("span", { class: "wbe-code" }, one.action)) : "",
        after !== "" && one.edit
          ? h(
              "p",
              { class: "wbe-quiet" },
              `tried: the largest difference is then ${after} instead of ${shortNumber(Number(one.before))}`,
            )
          : "",
        one.remedy ? h("p", { class: "wbe-hint" }, one.remedy) : "",
      ),
      one.edit
        ? h(
            "button",
            { type: "button", class: "wbe-primary", onclick: () => this.send(one.edit) },
            "Apply",
          )
        : "",
    );
  },

  ownCode(told) {
    if (!told.code || !told.code.length) return null;
    return h(
      "div",
      { class: "wbe-section" },
      h("h4", {}, "Your own code"),
      told.code.map((one) => [
        h(
          "p",
          {},
          h("span", { class: "wbe-code" }, one.name),
          h("span", { class: "wbe-quiet" }, ` from ${one.place}`),
        ),
        h(
          "details",
          { class: "wbe-more" },
          h("summary", {}, "its text, as the exported source will carry it"),
          h("pre", { class: "wbe-source" }, one.source),
        ),
      ]).flat(),
    );
  },

  changes(told) {
    if (!told.changes.length) return null;
    return h(
      "div",
      { class: "wbe-section" },
      h("h4", {}, "Changed by hand"),
      h(
        "ul",
        {},
        told.changes.map((text) => h("li", { class: "wbe-code" }, text)),
      ),
      h(
        "div",
        { class: "wbe-buttons" },
        h(
          "button",
          { type: "button", onclick: () => this.send({ reset: true }) },
          "Reset this row",
        ),
        told.alike
          ? h(
              "button",
              {
                type: "button",
                title: "Rows that the same rule made from the same operator",
                onclick: () => this.actions.send({ type: "same", key: told.k }),
              },
              `Apply to ${told.alike} rows like this`,
            )
          : "",
      ),
    );
  },

  origin(told) {
    const ops = told.ops.map((op) => `${op.name} (op ${op.index})`).join(", ");
    return h(
      "div",
      { class: "wbe-section" },
      h("h4", {}, "Where it comes from"),
      h("p", {}, ops || "a stored tensor of the model"),
      told.scope
        ? h("p", { class: "wbe-quiet" }, "scope ", h("span", { class: "wbe-code" }, told.scope))
        : null,
      told.doc ? h("p", { class: "wbe-doc" }, told.doc) : null,
      told.rule
        ? h("p", { class: "wbe-quiet" }, "rule ", h("span", { class: "wbe-code" }, told.rule))
        : null,
      told.notes.length
        ? h(
            "ul",
            {},
            told.notes.map((note) => h("li", {}, note)),
          )
        : null,
    );
  },
};
