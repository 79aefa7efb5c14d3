// Begin at the first operator. Netron goes to the boxes of the inputs, of which a PIR program has none: it
// would show the end of the model.
const watch = new MutationObserver((changes) => {
  if (!changes.some((change) => change.target.id === "origin")) return;
  watch.disconnect();
  requestAnimationFrame(() => {
    const container = document.getElementById("target");
    const places = [...document.querySelectorAll("#canvas .graph-node")].map((node) =>
      node.getBoundingClientRect(),
    );
    if (!container || !places.length) return;
    const first = places.reduce((a, b) => (b.top < a.top ? b : a));
    const frame = container.getBoundingClientRect();
    container.scrollTo({
      left: container.scrollLeft + first.left + first.width / 2 - frame.left - frame.width / 2,
      top: container.scrollTop + first.top - frame.top - 60,
    });
  });
});
watch.observe(document, { attributes: true, attributeFilter: ["transform"], subtree: true });
