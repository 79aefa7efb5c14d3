(() => {
  const form = document.getElementById("filter");
  const rows = [...document.querySelectorAll("#table > tbody > tr")];
  const [search, changed] = form.querySelectorAll("input");
  const verdict = form.querySelector("select");
  const output = form.querySelector("output");
  const texts = rows.map((row) => row.textContent.toLowerCase());
  const apply = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    rows.forEach((row, i) => {
      const shown =
        words.every((word) => texts[i].includes(word)) &&
        (!verdict.value || row.dataset.v === verdict.value) &&
        (!changed.checked || "c" in row.dataset);
      row.hidden = !shown;
      count += shown;
    });
    output.textContent = output.dataset.text
      .replace("{n}", count)
      .replace("{all}", rows.length);
  };
  form.hidden = rows.length < 2;
  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  addEventListener("hashchange", () => {
    const row = document.getElementById(location.hash.slice(1));
    if (row && row.hidden) {
      form.reset();
      apply();
      row.scrollIntoView();
    }
  });
  document.querySelector(".graph")?.addEventListener("click", (event) => {
    const path = event.target.closest("[data-path]")?.dataset.path;
    if (!path) return;
    const row = rows.find((one) => one.querySelector("b").textContent === path);
    if (row) {
      location.hash = row.id;
      return;
    }
    search.value = path;
    apply();
    form.scrollIntoView();
  });
  apply();
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open])")];
    opened.forEach((details) => (details.open = true));
  });
  addEventListener("afterprint", () => opened.forEach((details) => (details.open = false)));
})();
