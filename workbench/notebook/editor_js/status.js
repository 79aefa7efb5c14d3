// What is painted around the table: filters with counts, the state of things, notices.

const statusParts = {
  paintChips() {
    const shown = FILTERS.filter((filter) => filter.id !== "custom" || this.state.counts.custom);
    replaceChildren(
      this.chips,
      shown.map((filter) =>
        h(
          "button",
          {
            type: "button",
            class: `wbe-chip wbe-chip-${filter.id}`,
            "aria-pressed": String(this.state.filter === filter.id),
            disabled:
              filter.id !== "all" &&
              !this.state.counts[filter.id] &&
              this.state.filter !== filter.id,
            onclick: () => {
              this.state.filter = this.state.filter === filter.id ? "all" : filter.id;
              this.rearrange();
            },
          },
          filter.label,
          h("span", { class: "wbe-count" }, String(this.state.counts[filter.id])),
        ),
      ),
    );
  },

  paintInfo() {
    const { info } = this.state;
    this.root.classList.toggle("wbe-chain-old", Boolean(info.stale));
    this.undoButton.disabled = !info.undo;
    this.undoButton.title = info.undo ? `Undo ${info.undo} (Ctrl+Z)` : "Nothing to undo";
    this.redoButton.disabled = !info.redo;
    this.redoButton.title = info.redo ? `Redo ${info.redo} (Ctrl+Shift+Z)` : "Nothing to redo";
    const { progress, overall } = info;
    const words = {
      passed: ["✓", "verified"],
      failed: ["✕", "differs"],
      unproven: ["?", "not proven"],
      stale: ["↻", "out of date"],
      none: ["–", "not verified"],
    };
    const [glyph, text] = words[(overall && overall.state) || "none"];
    if (progress) {
      replaceChildren(
        this.verdict,
        h("progress", {
          value: String(progress.at),
          max: String(progress.of || 1),
          "aria-label": "Verification",
        }),
        h("span", {}, ` ${progress.label}`),
      );
      this.verifyButton.textContent = "Cancel";
    } else {
      replaceChildren(
        this.verdict,
        h(
          "span",
          {
            class: `wbe-badge wbe-overall-${(overall && overall.state) || "none"}`,
            title: (overall && overall.text) || "Compare every layer and the outputs with Paddle",
          },
          h("span", { class: "wbe-glyph", "aria-hidden": "true" }, glyph),
          text,
        ),
      );
      this.verifyButton.textContent = "Verify";
    }
    this.verifyButton.disabled = info.canVerify === false;
    this.paintFooter();
  },

  paintFooter() {
    const { info, rows, items, selection } = this.state;
    const shown = items.filter((item) => item.row).length;
    const { live } = info;
    replaceChildren(
      this.footer,
      h("span", {}, this.state.filtering ? `${shown} of ${rows.size} rows` : `${rows.size} rows`),
      selection.size > 1 ? h("span", {}, `${selection.size} selected`) : "",
      info.file
        ? h(
            "span",
            { class: info.saved === false ? "wbe-unsaved" : "", title: info.file },
            this.savedText(info),
          )
        : "",
      live && live.text
        ? h(
            "span",
            { class: "wbe-quiet", title: live.text },
            live.state === "preparing"
              ? "live check: Paddle is running …"
              : live.state === "ready"
                ? "live check on"
                : "live check off",
          )
        : "",
    );
  },

  savedText(info) {
    const file = info.file.split(/[\\/]/).pop();
    if (info.saved === false) return "✕ not saved";
    const count = info.edits || 0;
    return count
      ? `✓ ${count} edited ${count === 1 ? "row" : "rows"} saved in ${file}`
      : `edits will be saved in ${file}`;
  },

  notify(text, bad = false) {
    const toast = h(
      "div",
      { class: bad ? "wbe-toast wbe-toast-bad" : "wbe-toast", role: "status" },
      h("span", {}, text),
      h(
        "button",
        {
          type: "button",
          class: "wbe-icon",
          "aria-label": "Dismiss",
          onclick: () => toast.remove(),
        },
        "✕",
      ),
    );
    this.toasts.append(toast);
    while (this.toasts.children.length > 4) this.toasts.firstChild.remove();
    setTimeout(() => toast.remove(), bad ? 20000 : 7000);
  },

  announce(text) {
    this.live.textContent = text;
  },
};
