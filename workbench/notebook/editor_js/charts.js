// Charts: the spark line of a cell, the error histogram, a weight histogram, the scatter.

// Edges of the error histograms: log10 of the error relative to the scale of the reference.
const FIRST_EDGE = -10;
const EDGE_STEP = 0.5;

function spark(check) {
  const counts = check.h || [];
  const high = Math.max(1, ...counts);
  const width = 54;
  const height = 14;
  const step = width / Math.max(1, counts.length);
  let path = "";
  counts.forEach((count, i) => {
    if (!count) return;
    const tall = Math.max(1.5, (height * Math.log1p(count)) / Math.log1p(high));
    path += `M${(i * step).toFixed(1)} ${height}v${-tall.toFixed(1)}h${(step * 0.8).toFixed(1)}V${height}z`;
  });
  return s(
    "svg",
    { class: "wbe-spark", width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" },
    s("path", { d: `M0 ${height - 0.5}H${width}`, class: "wbe-axis" }),
    s("path", { d: path }),
  );
}

function toleranceAt(check) {
  const relative = Number(check.t) / (Number(check.s) || 1);
  return relative > 0 ? Math.log10(relative) : null;
}

function errorHistogram(check) {
  const counts = check.h || [];
  const total = check.m || 1;
  const width = 300;
  const height = 92;
  const left = 34;
  const bottom = 18;
  const bins = counts.length + 1;
  const step = (width - left) / bins;
  const all = [check.z || 0, ...counts];
  const high = Math.max(1, ...all);
  const tall = height - bottom - 6;
  const svg = s("svg", {
    class: "wbe-chart",
    viewBox: `0 0 ${width} ${height}`,
    role: "img",
    "aria-label": `Histogram of the errors of ${total} elements; ${check.z || 0} have none`,
  });
  all.forEach((count, i) => {
    if (!count) return;
    const size = Math.max(1.5, (tall * Math.log1p(count)) / Math.log1p(high));
    const bar = s("rect", {
      x: left + i * step + 0.5,
      y: 6 + tall - size,
      width: step - 1,
      height: size,
      class: i ? "wbe-bar" : "wbe-bar wbe-bar-zero",
    });
    const from = FIRST_EDGE + (i - 1) * EDGE_STEP;
    bar.append(
      s(
        "title",
        {},
        i
          ? `${count} elements between 1e${from} and 1e${from + EDGE_STEP} of the scale`
          : `${count} elements without any error`,
      ),
    );
    svg.append(bar);
  });
  svg.append(s("path", { d: `M${left} ${6 + tall}H${width}`, class: "wbe-axis" }));
  for (const power of [-8, -6, -4, -2, 0]) {
    const x = left + step * (1 + (power - FIRST_EDGE) / EDGE_STEP);
    svg.append(
      s("text", { x, y: height - 5, "text-anchor": "middle" }, power === 0 ? "1" : `1e${power}`),
    );
  }
  svg.append(s("text", { x: left + step / 2, y: height - 5, "text-anchor": "middle" }, "none"));
  svg.append(s("text", { x: 0, y: 14 }, String(high)));
  const limit = toleranceAt(check);
  if (limit !== null && limit > FIRST_EDGE && limit < 2) {
    const x = left + step * (1 + (limit - FIRST_EDGE) / EDGE_STEP);
    svg.append(
      s(
        "path",
        { d: `M${x} 2V${6 + tall}`, class: "wbe-limit" },
        s("title", {}, "tolerance: what rounding explains"),
      ),
    );
  }
  return svg;
}

function weightHistogram(told, label) {
  const width = 140;
  const height = 40;
  const counts = told.counts;
  const high = Math.max(1, ...counts);
  const step = width / Math.max(1, counts.length);
  let path = "";
  counts.forEach((count, i) => {
    const tall = (30 * count) / high;
    path += `M${(i * step).toFixed(1)} 30v${-tall.toFixed(1)}h${(step * 0.9).toFixed(1)}V30z`;
  });
  const spread = `${shortNumber(told.low)} … ${shortNumber(told.high)}, mean ${shortNumber(told.mean)}, deviation ${shortNumber(told.std)}`;
  const svg = s(
    "svg",
    {
      class: "wbe-chart wbe-weight",
      viewBox: `0 0 ${width} ${height}`,
      role: "img",
      "aria-label": `${label}: ${spread}`,
    },
    s("path", { d: path, class: "wbe-bar" }),
    s("path", { d: `M0 30H${width}`, class: "wbe-axis" }),
    s("text", { x: 0, y: height - 1 }, shortNumber(told.low)),
    s("text", { x: width, y: height - 1, "text-anchor": "end" }, shortNumber(told.high)),
  );
  svg.append(s("title", {}, `${label}: ${spread}`));
  return svg;
}

function scatter(points) {
  const size = 150;
  const pad = 30;
  const all = [...points.x, ...points.y];
  const low = Math.min(...all);
  const high = Math.max(...all);
  const span = high - low || 1;
  const at = (value) => pad + ((value - low) / span) * (size - pad - 6);
  let path = "";
  points.x.forEach((x, i) => {
    path += `M${at(x).toFixed(1)} ${(size - at(points.y[i])).toFixed(1)}h.01`;
  });
  const last = points.x.length - 1;
  return s(
    "svg",
    {
      class: "wbe-chart wbe-scatter",
      viewBox: `0 0 ${size} ${size}`,
      role: "img",
      "aria-label": `Scatter of ${last} of ${points.of} elements, Paddle against PyTorch`,
    },
    s("path", { d: `M${pad} ${size - pad}L${size - 6} 6`, class: "wbe-diagonal" }),
    s("path", { d: `M${pad} 6V${size - pad}H${size - 6}`, class: "wbe-axis" }),
    s("path", { d: path, class: "wbe-dots" }),
    s(
      "circle",
      { cx: at(points.x[last]), cy: size - at(points.y[last]), r: 4, class: "wbe-worst" },
      s("title", {}, "the largest difference"),
    ),
    s("text", { x: pad, y: size - 18 }, shortNumber(low)),
    s("text", { x: size - 6, y: size - 18, "text-anchor": "end" }, shortNumber(high)),
    s("text", { x: (size + pad) / 2, y: size - 5, "text-anchor": "middle" }, "Paddle"),
    s(
      "text",
      { x: 10, y: size / 2, transform: `rotate(-90 10 ${size / 2})`, "text-anchor": "middle" },
      "PyTorch",
    ),
  );
}
