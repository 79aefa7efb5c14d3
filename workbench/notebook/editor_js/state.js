// What is shown: the rows, the tree of their paths, filters, sorting, folding and selection.

class State {
  constructor() {
    this.rows = new Map();
    this.info = {};
    this.folded = new Set();
    this.filter = "all";
    this.text = "";
    this.onlyMatches = true;
    this.sort = null;
    this.columns = new Set(COLUMNS.map((column) => column.id).filter((id) => id !== "input"));
    this.selection = new Set();
    this.active = { id: null, column: 0 };
    this.anchor = null;
    this.items = [];
    this.places = new Map();
    this.counts = {};
    this.searchable = new Map();
  }

  load(rows) {
    this.rows = new Map(rows.map((row) => [row.k, row]));
    this.searchable.clear();
    this.selection = new Set([...this.selection].filter((key) => this.rows.has(key)));
    this.arrange();
  }

  update(rows) {
    for (const row of rows) {
      this.rows.set(row.k, row);
      this.searchable.delete(row.k);
    }
    this.arrange();
  }

  get shownColumns() {
    return COLUMNS.filter((column) => this.columns.has(column.id));
  }

  matchesText(row, text) {
    let all = this.searchable.get(row.k);
    if (all === undefined) {
      all = [row.p, row.o, row.t, row.a, row.w, row.n, row.s, row.r, row.i, row.u]
        .join(" ")
        .toLowerCase();
      this.searchable.set(row.k, all);
    }
    return text.split(/\s+/).every((word) => all.includes(word));
  }

  get needle() {
    return this.text.trim().toLowerCase();
  }

  arrange() {
    this.counts = Object.fromEntries(FILTERS.map((filter) => [filter.id, 0]));
    for (const row of this.rows.values()) {
      for (const filter of FILTERS) if (filter.test(row)) this.counts[filter.id] += 1;
    }
    const test = FILTERS.find((filter) => filter.id === this.filter).test;
    const needle = this.onlyMatches ? this.needle : "";
    const wanted = [...this.rows.values()].filter(
      (row) => test(row) && (!needle || this.matchesText(row, needle)),
    );
    this.filtering = this.filter !== "all" || Boolean(needle);
    this.items = this.sort ? this.flat(wanted) : this.tree(wanted);
    this.places = new Map(this.items.map((item, place) => [item.id, place]));
  }

  flat(rows) {
    const value = SORT_VALUES[this.sort.column] || ((row) => row[FIELD_OF[this.sort.column]] || "");
    const sign = this.sort.down ? -1 : 1;
    const items = rows.map((row, i) => ({
      id: row.k,
      row,
      depth: 0,
      name: row.p,
      sort: value(row),
      i,
    }));
    items.sort((a, b) => sign * compare(a.sort, b.sort) || a.i - b.i);
    return items;
  }

  tree(rows) {
    const root = { path: "", children: new Map() };
    for (const row of rows) {
      const steps = row.p.split(".");
      let node = root;
      let path = "";
      for (const step of steps.slice(0, -1)) {
        path = path ? `${path}.${step}` : step;
        if (!node.children.has(step))
          node.children.set(step, { path, name: step, children: new Map() });
        node = node.children.get(step);
      }
      node.children.set(`=${steps[steps.length - 1]}`, { row, name: steps[steps.length - 1] });
    }
    const items = [];
    for (const child of root.children.values()) this.lay(child, 0, items);
    return items;
  }

  lay(node, depth, items) {
    if (node.row) {
      items.push({ id: node.row.k, row: node.row, depth, name: node.name });
      return node.row;
    }
    const item = { id: `/${node.path}`, scope: node.path, name: node.name, depth, ...emptyStats() };
    const at = items.push(item);
    item.folded = this.folded.has(node.path) && !this.filtering;
    for (const child of node.children.values()) {
      const found = this.lay(child, depth + 1, items);
      gather(item, found);
    }
    if (item.folded) items.length = at;
    return item;
  }

  place(id) {
    const place = this.places.get(id);
    return place === undefined ? -1 : place;
  }

  reveal(key) {
    const row = this.rows.get(key);
    if (!row) return -1;
    let path = "";
    for (const step of row.p.split(".").slice(0, -1)) {
      path = path ? `${path}.${step}` : step;
      this.folded.delete(path);
    }
    this.arrange();
    if (this.place(key) < 0) {
      this.filter = "all";
      this.text = "";
      this.arrange();
    }
    return this.place(key);
  }

  foldAll(folded) {
    this.folded.clear();
    if (folded) {
      for (const row of this.rows.values()) {
        const steps = row.p.split(".").slice(0, -1);
        steps.forEach((_, i) => this.folded.add(steps.slice(0, i + 1).join(".")));
      }
    }
    this.arrange();
  }

  keysOf(item) {
    if (item.row) return [item.row.k];
    const prefix = `${item.scope}.`;
    return [...this.rows.values()].filter((row) => row.p.startsWith(prefix)).map((row) => row.k);
  }

  // the next row with the search text after the active one, also inside folded scopes
  find(forward) {
    const needle = this.needle;
    if (!needle) return null;
    const keys = [...this.rows.keys()];
    const start = keys.indexOf(this.active.id);
    for (let i = 1; i <= keys.length; i += 1) {
      const at = (start + (forward ? i : -i) + 2 * keys.length) % keys.length;
      if (this.matchesText(this.rows.get(keys[at]), needle)) return keys[at];
    }
    return null;
  }
}

function emptyStats() {
  return { count: 0, worst: null, chain: null, edited: 0, unsupported: 0 };
}

function gather(item, found) {
  if (found.k) {
    item.count += 1;
    item.edited += found.e && found.e.length ? 1 : 0;
    item.unsupported += found.s === "unsupported" ? 1 : 0;
    if (worse(found.f, item.worst)) item.worst = found.f;
    if (worse(found.c, item.chain)) item.chain = found.c;
    return;
  }
  item.count += found.count;
  item.edited += found.edited;
  item.unsupported += found.unsupported;
  if (worse(found.worst, item.worst)) item.worst = found.worst;
  if (worse(found.chain, item.chain)) item.chain = found.chain;
}

function worse(a, b) {
  if (rank(a) !== rank(b)) return rank(a) > rank(b);
  return Boolean(a) && numeric(a.r) > numeric(b.r);
}

function numeric(value) {
  if (value === "inf" || value === "nan") return Infinity;
  return value === undefined ? -1 : Number(value);
}

function compare(a, b) {
  return typeof a === "number"
    ? a - b
    : String(a).localeCompare(String(b), undefined, { numeric: true });
}

const FIELD_OF = {
  layer: "p",
  op: "o",
  input: "i",
  output: "u",
  target: "t",
  arguments: "a",
  weights: "w",
  note: "n",
  status: "s",
};
const SORT_VALUES = {
  alone: (row) => (row.f ? rank(row.f) * 1e6 + Math.min(numeric(row.f.r), 1e5) : -1),
  chain: (row) => (row.c ? rank(row.c) * 1e6 + Math.min(numeric(row.c.r), 1e5) : -1),
};
