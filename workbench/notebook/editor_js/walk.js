// Moving through the table by pointer and keys.

const walkParts = {
  focused() {
    if (this.state.place(this.state.active.id) < 0 && this.state.items.length)
      this.go(0, this.state.active.column, false);
  },

  go(place, column, select = true, extend = false) {
    const { items, shownColumns, active } = this.state;
    if (!items.length) return;
    const at = Math.max(0, Math.min(items.length - 1, place));
    active.id = items[at].id;
    active.column = Math.max(0, Math.min(shownColumns.length - 1, column));
    this.scrollTo(at, active.column);
    if (select) this.select(at, extend);
    this.paint();
    this.actions.moved(items[at]);
  },

  scrollTo(place, column) {
    const top = place * ROW;
    const room = this.el.clientHeight - this.head.offsetHeight;
    if (top < this.el.scrollTop) this.el.scrollTop = top;
    else if (top + ROW > this.el.scrollTop + room) this.el.scrollTop = top + ROW - room;
    if (column === 0) {
      this.el.scrollLeft = 0;
      return;
    }
    const widths = this.state.shownColumns.map((shown) => shown.width);
    const left = widths.slice(0, column).reduce((sum, width) => sum + width, 0);
    if (left - widths[0] < this.el.scrollLeft) this.el.scrollLeft = left - widths[0];
    else if (left + widths[column] > this.el.scrollLeft + this.el.clientWidth) {
      this.el.scrollLeft = left + widths[column] - this.el.clientWidth;
    }
  },

  select(place, extend) {
    const { items, selection } = this.state;
    if (extend && this.state.anchor !== null && this.state.place(this.state.anchor) >= 0) {
      const from = this.state.place(this.state.anchor);
      selection.clear();
      for (let i = Math.min(from, place); i <= Math.max(from, place); i += 1) {
        if (items[i].row) selection.add(items[i].id);
        else if (items[i].folded) this.state.keysOf(items[i]).forEach((key) => selection.add(key));
      }
      return;
    }
    this.state.anchor = items[place].id;
    selection.clear();
    for (const key of this.state.keysOf(items[place])) if (items[place].row) selection.add(key);
  },

  toggle(place) {
    const item = this.state.items[place];
    const keys = this.state.keysOf(item);
    const all = keys.every((key) => this.state.selection.has(key));
    for (const key of keys) {
      if (all) this.state.selection.delete(key);
      else this.state.selection.add(key);
    }
    this.state.anchor = item.id;
  },

  fold(item, folded) {
    if (item.row || this.state.filtering) return;
    if (folded) this.state.folded.add(item.scope);
    else this.state.folded.delete(item.scope);
    this.state.arrange();
    this.refresh();
  },

  parentOf(place) {
    const { items } = this.state;
    for (let i = place - 1; i >= 0; i -= 1)
      if (!items[i].row && items[i].depth < items[place].depth) return i;
    return place;
  },

  click(event) {
    const cell = event.target.closest(".wbe-row > .wbe-cell");
    if (!cell || event.target.closest("input, select, button")) return;
    const id = cell.parentElement.dataset.id;
    const place = this.state.place(id);
    const column = [...cell.parentElement.children].indexOf(cell);
    const item = this.state.items[place];
    if (!item) return;
    if (event.target.closest(".wbe-twisty")) this.fold(item, !item.folded);
    if (event.ctrlKey || event.metaKey) {
      this.toggle(place);
      this.go(place, column, false);
    } else this.go(this.state.place(id), column, true, event.shiftKey);
    this.actions.selected();
  },

  doubleClick(event) {
    const cell = event.target.closest(".wbe-row > .wbe-cell");
    if (!cell || event.target.closest("input, select, button, .wbe-twisty")) return;
    const item = this.state.items[this.state.place(cell.parentElement.dataset.id)];
    if (item && !item.row) this.fold(item, !item.folded);
    else this.actions.edit();
  },

  keydown(event) {
    if (event.target !== this.el) return;
    const handled = this.key(event);
    event.stopPropagation();
    if (handled) event.preventDefault();
  },

  key(event) {
    const { items, active } = this.state;
    const place = this.state.place(active.id);
    const item = items[place];
    const page = Math.max(1, Math.floor(this.el.clientHeight / ROW) - 2);
    const command = event.ctrlKey || event.metaKey;
    const to = (where) => {
      this.go(where, active.column, true, event.shiftKey);
      this.actions.selected();
      return true;
    };
    if (command && event.key.toLowerCase() === "z")
      return this.actions.travel(event.shiftKey ? "redo" : "undo");
    if (command && event.key.toLowerCase() === "y") return this.actions.travel("redo");
    if (command && event.key.toLowerCase() === "f") return this.actions.search();
    if (command && event.key.toLowerCase() === "a") return this.selectAll();
    if (event.key === "Home" && command) return to(0);
    if (event.key === "End" && command) return to(items.length - 1);
    if (command || event.altKey) return false;
    switch (event.key) {
      case "ArrowDown":
        return to(place + 1);
      case "ArrowUp":
        return to(place - 1);
      case "PageDown":
        return to(place + page);
      case "PageUp":
        return to(place - page);
      case "Home":
        this.go(place, 0, false);
        return true;
      case "End":
        this.go(place, 99, false);
        return true;
      case "ArrowLeft":
        return this.left(item, place);
      case "ArrowRight":
        return this.right(item, place);
      case "Enter":
      case "F2":
        return item && !item.row ? (this.fold(item, !item.folded), true) : this.actions.edit();
      case " ":
        if (item) {
          this.toggle(place);
          this.paint();
          this.actions.selected();
        }
        return true;
      case "Delete":
        return this.actions.reset();
      case "/":
        return this.actions.search();
      case "?":
        return this.actions.help();
      case "F3":
        return this.actions.find(!event.shiftKey);
      case "Escape":
        return this.actions.escape();
      default:
        return false;
    }
  },

  left(item, place) {
    const { active } = this.state;
    if (active.column > 0) this.go(place, active.column - 1, false);
    else if (item && !item.row && !item.folded && !this.state.filtering) this.fold(item, true);
    else if (item) this.go(this.parentOf(place), 0);
    return true;
  },

  right(item, place) {
    const { active } = this.state;
    if (item && !item.row && active.column === 0 && item.folded) this.fold(item, false);
    else this.go(place, active.column + 1, false);
    return true;
  },

  selectAll() {
    for (const item of this.state.items) if (item.row) this.state.selection.add(item.id);
    this.paint();
    this.actions.selected();
    return true;
  },
};
