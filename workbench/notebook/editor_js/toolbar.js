// The bar above the table: search, filters, history, columns, verification.

const toolbarParts = {
  toolbar() {
    this.searchField = h("input", {
      class: "wbe-input wbe-search",
      type: "search",
      placeholder: "Search layers, operators, notes …",
      "aria-label": "Search",
      oninput: () => this.searched(),
      onkeydown: (event) => this.searchKey(event),
    });
    this.matchButton = h(
      "button",
      {
        type: "button",
        "aria-pressed": "true",
        class: "wbe-only",
        title: "Show only the rows that match; off: jump between them",
        onclick: () => {
          this.state.onlyMatches = !this.state.onlyMatches;
          this.matchButton.setAttribute("aria-pressed", String(this.state.onlyMatches));
          this.rearrange();
        },
      },
      "Only matches",
    );
    this.chips = h("div", { class: "wbe-chips", role: "group", "aria-label": "Show" });
    this.undoButton = h(
      "button",
      {
        type: "button",
        class: "wbe-icon",
        "aria-label": "Undo",
        onclick: () => this.send({ type: "undo" }),
      },
      "↶",
    );
    this.redoButton = h(
      "button",
      {
        type: "button",
        class: "wbe-icon",
        "aria-label": "Redo",
        onclick: () => this.send({ type: "redo" }),
      },
      "↷",
    );
    this.foldButton = h(
      "button",
      { type: "button", title: "Fold or unfold all scopes", onclick: () => this.foldAll() },
      "Fold all",
    );
    this.columnButton = h(
      "button",
      { type: "button", "aria-haspopup": "dialog", onclick: () => this.chooseColumns() },
      "Columns",
    );
    this.panelButton = h(
      "button",
      {
        type: "button",
        "aria-pressed": "true",
        onclick: () => this.togglePanel(this.root.classList.contains("wbe-no-panel")),
      },
      "Panel",
    );
    this.helpButton = h(
      "button",
      {
        type: "button",
        class: "wbe-icon",
        "aria-label": "Keys",
        title: "Keys (?)",
        onclick: () => this.toggleHelp(),
      },
      "?",
    );
    this.verdict = h("span", { class: "wbe-overall" });
    this.verifyButton = h(
      "button",
      {
        type: "button",
        class: "wbe-primary",
        onclick: () => this.send({ type: this.state.info.progress ? "cancel" : "verify" }),
      },
      "Verify",
    );
    return h(
      "div",
      { class: "wbe-toolbar", role: "toolbar", "aria-label": "Mapping" },
      h("div", { class: "wbe-find" }, this.searchField, this.matchButton),
      this.chips,
      h("span", { class: "wbe-space-between" }),
      this.undoButton,
      this.redoButton,
      this.foldButton,
      this.columnButton,
      this.panelButton,
      this.helpButton,
      this.verdict,
      this.verifyButton,
    );
  },

  searched() {
    this.root.classList.toggle("wbe-searching", Boolean(this.searchField.value.trim()));
    clearTimeout(this.typing);
    this.typing = setTimeout(() => {
      this.state.text = this.searchField.value;
      this.rearrange();
    }, 80);
  },

  searchKey(event) {
    event.stopPropagation();
    if (event.key === "Enter" || event.key === "F3") {
      event.preventDefault();
      clearTimeout(this.typing);
      this.state.text = this.searchField.value;
      this.find(!event.shiftKey);
    }
    if (event.key === "Escape") {
      event.preventDefault();
      this.searchField.value = "";
      this.state.text = "";
      this.rearrange();
      this.grid.el.focus();
    }
    if (event.key === "ArrowDown") {
      event.preventDefault();
      this.grid.el.focus();
    }
  },

  find(forward) {
    const key = this.state.find(forward);
    if (key === null)
      this.announce(this.state.needle ? "No row matches." : "Type what to search for.");
    else this.reveal(key);
    return true;
  },

  rearrange() {
    this.state.arrange();
    this.refresh();
    this.grid.el.scrollTop = 0;
  },

  foldAll() {
    this.allFolded = !this.allFolded;
    this.state.foldAll(this.allFolded);
    this.foldButton.textContent = this.allFolded ? "Unfold all" : "Fold all";
    this.refresh();
  },

  chooseColumns() {
    const boxes = COLUMNS.filter((column) => column.id !== "layer").map((column) =>
      h(
        "label",
        { title: column.hint },
        h("input", {
          type: "checkbox",
          checked: this.state.columns.has(column.id),
          onchange: (event) => {
            if (event.target.checked) this.state.columns.add(column.id);
            else this.state.columns.delete(column.id);
            this.grid.paintHead();
            this.refresh();
          },
        }),
        ` ${column.label}`,
      ),
    );
    replaceChildren(this.columnBox, h("h3", {}, "Columns"), boxes);
    this.columnBox.togglePopover();
    if (this.columnBox.matches(":popover-open")) showBelow(this.columnBox, this.columnButton);
  },

  toggleHelp() {
    this.helpBox.togglePopover();
    if (this.helpBox.matches(":popover-open")) showBelow(this.helpBox, this.helpButton);
  },
};
