"use strict";
// The theme first, before anything is painted: what was chosen last, else what the system says.
const stored = (() => { try { return localStorage.getItem("grasp-bench-theme"); } catch { return null; } })();
if (stored === "dark" || stored === "light") document.documentElement.dataset.theme = stored;

function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

function themeButton(button) {
  const label = () => { button.textContent = isDark() ? "Light theme" : "Dark theme"; };
  button.hidden = false;
  label();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", label);
  button.addEventListener("click", () => {
    const next = isDark() ? "light" : "dark";
    document.documentElement.dataset.theme = next;
    try { localStorage.setItem("grasp-bench-theme", next); } catch { /* a private window: not remembered */ }
    label();
  });
}

// Blanks stay below in both directions; numbers by data-o, names as people sort them.
function compare(a, b, numbers, sign) {
  const [left, right] = [a, b].map((cell) => (numbers ? cell.dataset.o : cell.textContent.trim()));
  if (!left || !right) return (left ? 0 : 1) - (right ? 0 : 1);
  return sign * (numbers ? left - right : left.localeCompare(right, undefined, { numeric: true }));
}

function sortable(table) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const rows = [...table.tBodies[0].rows];
      const numbers = rows.some((row) => row.cells[column].dataset.o);
      // Numbers are asked for from the highest, names from the first.
      const first = numbers ? "descending" : "ascending";
      const other = numbers ? "ascending" : "descending";
      const order = head.getAttribute("aria-sort") === first ? other : first;
      heads.forEach((each) => each.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", order);
      const sign = order === "ascending" ? 1 : -1;
      rows.sort((a, b) => compare(a.cells[column], b.cells[column], numbers, sign));
      table.tBodies[0].append(...rows);
    });
  });
}

function filterable(label) {
  const rows = label.parentElement.querySelectorAll("tbody tr");
  const input = label.querySelector("input");
  label.hidden = false;
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
    }
  });
}

function tips(tip) {
  const show = (event) => {
    const mark = event.target.closest("[data-tip]");
    tip.hidden = !mark;
    if (!mark) return;
    tip.textContent = mark.dataset.tip;
    const box = tip.getBoundingClientRect();
    const left = Math.min(event.clientX + 12, innerWidth - box.width - 8);
    const above = event.clientY - box.height - 12;
    tip.style.left = `${Math.max(8, left)}px`;
    tip.style.top = `${above < 8 ? event.clientY + 16 : above}px`;
  };
  document.addEventListener("pointermove", show);
  document.addEventListener("pointerdown", show);
  document.addEventListener("scroll", () => { tip.hidden = true; }, { passive: true });
}

function contents(nav) {
  const links = new Map([...nav.querySelectorAll("a")].map((link) => [link.hash.slice(1), link]));
  const mark = () => {
    const passed = [...document.querySelectorAll("main > section")].filter(
      (section) => section.getBoundingClientRect().top < innerHeight / 3,
    );
    links.forEach((link) => link.removeAttribute("aria-current"));
    const at = passed.at(-1);
    if (at) links.get(at.id)?.setAttribute("aria-current", "true");
  };
  addEventListener("scroll", mark, { passive: true });
  mark();
  if (matchMedia("(max-width: 900px)").matches) nav.querySelector("details").open = false;
}

document.addEventListener("DOMContentLoaded", () => {
  themeButton(document.getElementById("theme"));
  document.querySelectorAll("table").forEach(sortable);
  document.querySelectorAll(".filter").forEach(filterable);
  tips(document.getElementById("tip"));
  contents(document.querySelector("nav"));
});
