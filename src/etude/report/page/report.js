"use strict";
(() => {
  const root = document.documentElement;
  root.classList.remove("no-script");
  const all = (selector, within = document) => Array.from(within.querySelectorAll(selector));

  // Charts.
  for (const place of all("figure > .plot")) drawPlot(place, JSON.parse(place.nextElementSibling.textContent));

  // Tables: a click on a head sorts by it, a second one the other way round; what is not known stays last.
  const key = (row, column) => {
    const cell = row.cells[column];
    const text = cell.dataset.key ?? cell.textContent.trim();
    return text === "" || text === "–" ? null : text;
  };
  const compare = (one, other) => {
    const [a, b] = [Number(one), Number(other)];
    return Number.isNaN(a) || Number.isNaN(b) ? one.localeCompare(other, "en", { numeric: true }) : a - b;
  };
  const sort = (head) => {
    const table = head.closest("table"), body = table.tBodies[0], column = head.cellIndex;
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const other of table.tHead.rows[0].cells) other.setAttribute("aria-sort", "none");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const rows = Array.from(body.rows, (row, at) => ({ row, at, key: key(row, column) }));
    rows.sort((one, other) => {
      if (one.key === null || other.key === null) return (one.key === null) - (other.key === null) || one.at - other.at;
      return (down ? -1 : 1) * compare(one.key, other.key) || one.at - other.at;
    });
    body.append(...rows.map((each) => each.row));
  };
  for (const button of all("th > button.sort")) button.addEventListener("click", () => sort(button.parentElement));

  // Filters: rows that hold every word stay.
  for (const field of all("input[data-filters]")) {
    const rows = Array.from(document.getElementById(field.dataset.filters).tBodies[0].rows);
    const shown = document.getElementById(`${field.dataset.filters}-shown`);
    field.addEventListener("input", () => {
      const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
      for (const row of rows) row.hidden = !words.every((word) => row.textContent.toLowerCase().includes(word));
      const left = rows.filter((row) => !row.hidden).length;
      shown.textContent = left === rows.length ? `${left} rows` : `${left} of ${rows.length} rows`;
    });
  }

  // One figure of several.
  for (const select of all("select[data-chooses]")) {
    const figures = Array.from(document.getElementById(select.dataset.chooses).children);
    const choose = () => figures.forEach((figure, at) => { figure.hidden = at !== Number(select.value); });
    select.addEventListener("change", choose);
    choose();
  }

  // A link into a part that is closed opens it.
  const reveal = () => {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    for (let part = target; part; part = part.parentElement) if (part.tagName === "DETAILS") part.open = true;
    if (target) target.scrollIntoView();
  };
  addEventListener("hashchange", reveal);
  reveal();
})();
