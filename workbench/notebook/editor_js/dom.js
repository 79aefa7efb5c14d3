// Small helpers: elements, numbers, words. All text goes in as text nodes, never as HTML.

const SVG = "http://www.w3.org/2000/svg";

function h(tag, props = {}, ...children) {
  const el = document.createElement(tag);
  set(el, props);
  el.append(
    ...children.flat().filter((child) => child !== null && child !== undefined && child !== false),
  );
  return el;
}

function s(tag, attributes = {}, ...children) {
  const el = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) el.setAttribute(name, value);
  el.append(...children);
  return el;
}

function set(el, props) {
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "class") el.className = value;
    else if (name.startsWith("on")) el.addEventListener(name.slice(2), value);
    else if (name === "dataset") Object.assign(el.dataset, value);
    else if (
      name === "value" ||
      name === "checked" ||
      name === "disabled" ||
      name === "indeterminate"
    )
      el[name] = value;
    else el.setAttribute(name, value === true ? "" : value);
  }
}

function replaceChildren(el, ...children) {
  el.replaceChildren(...children.flat().filter(Boolean));
}

// every editor in a page has a copy of this module, so a counter would repeat
function uid(prefix) {
  return `wbe-${prefix}-${Math.random().toString(36).slice(2, 10)}`;
}

// 3.1e-7, 0, 12.5; infinities come as texts
function shortNumber(value) {
  if (value === undefined || value === null) return "";
  if (typeof value === "string") return value === "inf" ? "∞" : value;
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 0.01 && size < 10000) return String(Number(value.toPrecision(3)));
  return value.toExponential(1).replace("e+", "e").replace("-", "−").replace("e−", "e−");
}

const VERDICTS = {
  exact: { glyph: "✓", rank: 1, text: "exact: every element is equal" },
  rounding: {
    glyph: "≈",
    rank: 2,
    text: "rounding: the difference is what float rounding explains",
  },
  unchecked: { glyph: "–", rank: 0, text: "unchecked: nothing to compare" },
  suspicious: {
    glyph: "▲",
    rank: 3,
    text: "suspicious: more than rounding explains, less than ten times",
  },
  wrong: { glyph: "✕", rank: 4, text: "wrong: more than ten times what rounding explains" },
};

const STATUSES = {
  converted: { glyph: "✓", text: "converted: one to one" },
  adjusted: { glyph: "◆", text: "adjusted: weights or arguments were changed on the way" },
  edited: { glyph: "✎", text: "edited by hand" },
  custom: { glyph: "★", text: "custom: made by code of your own" },
  unsupported: { glyph: "✕", text: "unsupported: no rule could serve it" },
};

const KINDS = {
  layer: { glyph: "▢", text: "layer" },
  function: { glyph: "ƒ", text: "function" },
  parameter: { glyph: "●", text: "stored tensor" },
  control: { glyph: "◇", text: "branch or loop" },
  unknown: { glyph: "?", text: "nothing yet" },
};

function badge(kind, word, table, more = "") {
  const told = table[word] || { glyph: "", text: word };
  return h(
    "span",
    { class: `wbe-badge wbe-${kind}-${word}`, title: more || told.text },
    h("span", { class: "wbe-glyph", "aria-hidden": "true" }, told.glyph),
    word,
  );
}

const COLUMNS = [
  {
    id: "layer",
    label: "Layer",
    width: 215,
    hint: "Path of the PyTorch module or call",
    edit: "rename",
  },
  { id: "op", label: "Paddle", width: 98, hint: "Paddle operators that the row stands for" },
  {
    id: "target",
    label: "Target",
    width: 128,
    hint: "What the row becomes in PyTorch",
    edit: "target",
  },
  {
    id: "alone",
    label: "Error alone",
    width: 130,
    hint: "Fed Paddle's own inputs; relative to the scale of the output",
  },
  { id: "chain", label: "In chain", width: 98, hint: "Fed our own values from the layers before" },
  { id: "status", label: "Status", width: 100, hint: "How the row came about" },
  {
    id: "arguments",
    label: "Arguments",
    width: 240,
    hint: "Arguments that differ from torch's defaults",
    edit: "arguments_text",
  },
  {
    id: "weights",
    label: "Weights",
    width: 150,
    hint: "Steps from Paddle's parameter to torch's",
    edit: "weights",
  },
  { id: "input", label: "Input", width: 112, hint: "Shapes that flow in; ? is dynamic" },
  { id: "output", label: "Output", width: 112, hint: "Shapes that come out" },
  { id: "note", label: "Note", width: 180, hint: "Notes of the rule and your own", edit: "note" },
];

const FILTERS = [
  { id: "all", label: "All", test: () => true },
  { id: "unsupported", label: "Unsupported", test: (row) => row.s === "unsupported" },
  { id: "failing", label: "Failing", test: (row) => failing(row.f) || failing(row.c) },
  { id: "edited", label: "Edited", test: (row) => Boolean(row.e && row.e.length) },
  { id: "adjusted", label: "Adjusted", test: (row) => row.s === "adjusted" },
  { id: "custom", label: "Custom", test: (row) => row.s === "custom" },
];

function failing(check) {
  return Boolean(check && (check.v === "wrong" || check.v === "suspicious"));
}

function rank(check) {
  return check ? VERDICTS[check.v].rank : -1;
}
