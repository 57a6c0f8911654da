// The page works without this file; with it tables sort, the map has one view at a time, and pictures are compared.
"use strict";

const all = (selector, root = document) => [...root.querySelectorAll(selector)];
document.documentElement.classList.add("js");

// Tables: a click on a heading sorts by its column, the next one the other way. What has no value stays last.
function valueOf(cell) {
  if (cell.classList.contains("missing")) return null;
  return cell.dataset.value === undefined ? cell.textContent.trim() : Number(cell.dataset.value);
}

function compare(a, b) {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a).localeCompare(String(b), "en", { numeric: true, sensitivity: "base" });
}

function sort(button) {
  const heading = button.closest("th");
  const table = button.closest("table");
  const descending = heading.getAttribute("aria-sort") === "ascending";
  const sign = descending ? -1 : 1;
  for (const body of table.tBodies) {
    const rows = [...body.rows].map((row) => ({ row, value: valueOf(row.cells[heading.cellIndex]) }));
    rows.sort((a, b) => {
      if (a.value === null || b.value === null) return (a.value === null) - (b.value === null);
      return sign * compare(a.value, b.value);
    });
    body.append(...rows.map(({ row }) => row));
  }
  for (const other of all("th[aria-sort]", table)) other.setAttribute("aria-sort", "none");
  heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
  say(`Sorted by ${button.textContent.trim()}, ${descending ? "falling" : "rising"}.`);
}

for (const button of all("th button")) button.addEventListener("click", () => sort(button));

// The map of the grid: the view that is chosen.
function showMap() {
  const chosen = document.querySelector("#grid input:checked").value;
  for (const view of all("#grid .view")) view.hidden = view.dataset.view !== chosen;
}

for (const input of all("#grid input")) input.addEventListener("change", showMap);
showMap();

// Examples: the largest changes, those of one detector, or all.
const choice = document.querySelector("#choose-examples");
function showExamples() {
  for (const example of all(".example")) {
    example.hidden = !(choice.value === "all" || example.dataset.groups.split(" ").includes(choice.value));
  }
}

if (choice) {
  choice.addEventListener("change", showExamples);
  showExamples();
}

// The comparer: clean to the left of the line, attacked to the right.
for (const input of all(".compare input")) {
  const move = () => {
    input.parentElement.style.setProperty("--at", `${input.value}%`);
    input.setAttribute("aria-valuetext", `${input.value} % clean, ${100 - input.value} % attacked`);
  };
  input.addEventListener("input", move);
  move();
}

// Copying works in a file that was opened from a disk, too.
async function copy(button) {
  const source = button.parentElement.querySelector("pre");
  let copied = false;
  try {
    await navigator.clipboard.writeText(source.textContent);
    copied = true;
  } catch {
    getSelection().selectAllChildren(source);
    copied = document.execCommand("copy");
  }
  const label = button.dataset.label || (button.dataset.label = button.textContent);
  button.textContent = copied ? "Copied" : "Selected";
  say(copied ? "Copied." : "The command is selected; copy it with the keyboard.");
  setTimeout(() => (button.textContent = label), 1600);
}

for (const button of all(".command button")) button.addEventListener("click", () => copy(button));

// A link to what is folded away unfolds it.
function unfold() {
  const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  for (let part = target; part; part = part.parentElement) if (part.tagName === "DETAILS") part.open = true;
  target.scrollIntoView();
}

addEventListener("hashchange", unfold);
unfold();

// What happened, for those who do not see it.
function say(text) {
  document.querySelector("#said").textContent = text;
}
