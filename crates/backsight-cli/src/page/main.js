// The controls and the views.

const find = (id) => document.getElementById(id);
const MOST_ROWS = 1000;
const state = { type: profile.shown, takes: () => true, sort: wholes ? "ownGrown" : "own", chosen: -1, tab: "flame" };
let amounts, growth, table, isFound;

function made(tag, content, kind) {
  const element = document.createElement(tag);
  if (content !== undefined) element.textContent = content;
  if (kind) element.className = kind;
  return element;
}

function amountText(amount) {
  const unit = text(profile.types[state.type].unit);
  const scales = { nanoseconds: [[1e9, "s"], [1e6, "ms"], [1e3, "µs"]], bytes: [[2 ** 30, "GiB"], [2 ** 20, "MiB"], [1024, "KiB"]] };
  for (const [size, name] of scales[unit] || []) {
    if (Math.abs(amount) >= size) return (amount / size).toFixed(2) + " " + name;
  }
  const name = unit === "count" ? text(profile.types[state.type].name) : unit === "nanoseconds" ? "ns" : unit;
  return amount.toLocaleString("en") + " " + name;
}
const share = (amount) => (amounts.whole ? (100 * amount) / amounts.whole : 0).toFixed(2) + "%";
// A change in points, as `diff` has it: never a zero with a minus.
function points(grown) {
  const rounded = (100 * grown).toFixed(2);
  return Number(rounded) === 0 ? "+0.00" : (grown > 0 ? "+" : "") + rounded;
}
const grownText = (of) => (wholes ? `\ngrew: total ${points(of.totalGrown)}, self ${points(of.ownGrown)}` : "");

function hover(node, event) {
  const tip = find("tip");
  tip.hidden = !node;
  if (!node) return;
  const of = `${share(node.total)}, ${amountText(node.total)}; self ${share(node.own)}${grownText(node)}`;
  tip.textContent = node.entry < 0 ? `all\n${of}` : `${nameOf(node.entry)}\n${moduleOf(node.entry)}\n${of}`;
  tip.style.left = Math.max(0, Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8)) + "px";
  const above = event.clientY - tip.offsetHeight - 10;
  tip.style.top = (event.clientY + 18 + tip.offsetHeight > innerHeight ? above : event.clientY + 18) + "px";
}
function zoomed(node) {
  find("zoomed").textContent = node.entry < 0 ? "" : `${nameOf(node.entry)}: ${share(node.total)}`;
}
// By what grew of the frame's own; where trees begin with the innermost functions, by its total.
const colourBy = (isOwn) => (node) => {
  if (!growth) return colourOf(node.entry, node.kind);
  const grown = isOwn() ? node.ownGrown : node.totalGrown;
  // What is less than a millionth comes from rounding.
  return colourOfGrowth(growth.most && Math.abs(grown) > 1e-6 ? grown / growth.most : 0);
};
const shared = { onHover: hover, onChoose: choose, isFound: (entry) => isFound[entry], colourOf: colourBy(() => false) };
const isFromOutermost = () => !find("reverse").checked;
const main = new Graph(find("graph"), { ...shared, onZoom: zoomed, colourOf: colourBy(isFromOutermost) });
const above = new Graph(find("above"), { ...shared, onZoom() {} });
const below = new Graph(find("below"), { ...shared, onZoom() {}, colourOf: colourBy(() => true) });

function row(entry, cells) {
  const line = made("tr", undefined, entry >= 0 && isFound[entry] ? "found" : "");
  line.append(...cells, made("td", entry < 0 ? "(nobody)" : nameOf(entry), "name"));
  line.append(made("td", entry < 0 ? "" : fileOf(moduleOf(entry)), "module"));
  if (entry >= 0) {
    line.title = moduleOf(entry);
    line.addEventListener("click", () => choose(entry));
  }
  return line;
}
function barOf(amount) {
  const cell = made("td", undefined, "share");
  const bar = made("span");
  bar.style.width = Math.min(100, Math.abs(amounts.whole ? (100 * amount) / amounts.whole : 0)) + "%";
  cell.append(bar);
  return cell;
}

function grownCells(of) {
  return wholes ? [of.ownGrown, of.totalGrown].map((grown) => made("td", points(grown), "number")) : [];
}

function showTable() {
  const by = {
    own: (a, b) => b.own - a.own || b.total - a.total,
    total: (a, b) => b.total - a.total || b.own - a.own,
    ownGrown: (a, b) => Math.abs(b.ownGrown) - Math.abs(a.ownGrown) || Math.abs(b.totalGrown) - Math.abs(a.totalGrown),
    totalGrown: (a, b) => Math.abs(b.totalGrown) - Math.abs(a.totalGrown) || Math.abs(b.ownGrown) - Math.abs(a.ownGrown),
    name: (a, b) => (nameOf(a.entry) < nameOf(b.entry) ? -1 : 1),
    module: (a, b) => (moduleOf(a.entry) < moduleOf(b.entry) ? -1 : 1),
  }[state.sort];
  const isSearching = find("search").value !== "";
  const rows = table.filter((it) => !isSearching || isFound[it.entry]).sort(by);
  find("rows").replaceChildren(
    ...rows.slice(0, MOST_ROWS).map((it) =>
      row(it.entry, [made("td", share(it.own), "number"), barOf(it.own), made("td", share(it.total), "number"), ...grownCells(it)]),
    ),
  );
  find("more").textContent = rows.length > MOST_ROWS ? `${rows.length - MOST_ROWS} more functions: search to see them` : "";
  for (const button of document.querySelectorAll("[data-sort]")) {
    button.toggleAttribute("aria-sort", button.dataset.sort === state.sort);
  }
}

function showSandwich() {
  if (state.chosen < 0) return;
  const of = table.find((it) => it.entry === state.chosen) || { own: 0, total: 0, ownGrown: 0, totalGrown: 0 };
  find("chosen").textContent =
    `${nameOf(state.chosen)}  ${fileOf(moduleOf(state.chosen))}  self ${share(of.own)}, total ${share(of.total)} (${amountText(of.total)})${grownText(of)}`;
  const near = neighboursOf(amounts, state.chosen);
  for (const [id, list] of [["callers", near.callers], ["callees", near.callees]]) {
    find(id).replaceChildren(...list.slice(0, 100).map((it) => row(it.entry, [made("td", share(it.total), "number"), barOf(it.total)])));
  }
  const sides = sidesOf(amounts, growth, state.chosen);
  above.show(sides.above, amounts.whole, true);
  below.show(sides.below, amounts.whole, false);
}

function showFlame() {
  const isUpward = find("upward").checked;
  main.show(treeOf(amounts, growth, find("reverse").checked), amounts.whole, isUpward);
}

function show() {
  for (const tab of ["flame", "table", "sandwich"]) {
    find(tab).hidden = tab !== state.tab;
    find("tab-" + tab).setAttribute("aria-selected", String(tab === state.tab));
  }
  ({ flame: showFlame, table: showTable, sandwich: showSandwich })[state.tab]();
}

function choose(entry) {
  state.chosen = entry;
  state.tab = "sandwich";
  hover(null);
  show();
}

function search() {
  const wanted = find("search").value;
  let matches = () => false;
  find("search").classList.remove("wrong");
  if (wanted !== "") {
    try {
      const expression = new RegExp(wanted, "i");
      matches = (name) => expression.test(name);
    } catch {
      // Not an expression (yet): the text itself.
      find("search").classList.add("wrong");
      const lower = wanted.toLowerCase();
      matches = (name) => name.toLowerCase().includes(lower);
    }
  }
  isFound = entries.name.map((at) => matches(text(at)));
  find("found").textContent = wanted === "" ? "" : `${share(amountFound(amounts, isFound))} of the samples`;
}

function measure() {
  amounts = amountsOf(state.type, state.takes);
  growth = wholes ? growthOf(state.takes) : null;
  table = tableOf(amounts, growth);
  search();
  find("about").textContent = [amountText(amounts.whole), ...profile.about.map(text)].join(" · ");
  show();
}

document.title = text(profile.title);
find("title").textContent = text(profile.title);
profile.types.forEach((type, at) => find("event").append(new Option(text(type.name), at, false, at === state.type)));
find("thread").append(new Option("all", "all"));
const threadsOf = profile.processes.map(() => []);
profile.threads.forEach((thread, nth) => threadsOf[thread.process].push(new Option(text(thread.name), "t" + nth)));
const groups = profile.processes.map((name, at) => {
  const group = made("optgroup");
  group.label = text(name);
  group.append(new Option("all of " + text(name), "p" + at), ...threadsOf[at]);
  return group;
});
find("thread").append(...groups);
find("event").addEventListener("change", () => ((state.type = Number(find("event").value)), measure()));
find("thread").addEventListener("change", () => {
  const [kind, number] = [find("thread").value[0], Number(find("thread").value.slice(1))];
  state.takes =
    kind === "p" ? (thread) => thread >= 0 && profile.threads[thread].process === number
    : kind === "t" ? (thread) => thread === number
    : () => true;
  measure();
});
find("search").addEventListener("input", () => (search(), state.tab === "table" ? showTable() : [main, above, below].forEach((it) => it.draw())));
for (const tab of ["flame", "table", "sandwich"]) {
  find("tab-" + tab).addEventListener("click", () => ((state.tab = tab), show()));
}
for (const button of document.querySelectorAll("[data-sort]")) {
  button.addEventListener("click", () => ((state.sort = button.dataset.sort), showTable()));
}
for (const id of ["reverse", "upward"]) find(id).addEventListener("change", showFlame);
find("reset").addEventListener("click", () => main.zoomTo(main.root));
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && document.activeElement !== find("search")) {
    event.preventDefault();
    find("search").focus();
  } else if (event.key === "Escape") {
    find("search").value = "";
    search();
    document.activeElement.blur();
    if (state.tab === "flame") main.zoomTo(main.root);
    else show();
  }
});
const legend = wholes
  ? [["grew", 1], ["shrank", -1], ["the same", 0]].map(([name, part]) => [name, colourOfGrowth(part)])
  : KINDS.map(({ name, hue, light }, kind) => [name, `hsl(${hue} ${kind === 4 ? 4 : 78}% ${light}%)`]);
for (const [name, colour] of legend) {
  const one = made("span", name);
  const box = made("i");
  box.style.background = colour;
  one.prepend(box);
  find("legend").append(one);
}
if (wholes) {
  // Both are the values; threads of two runs are not the same.
  find("event-label").textContent = "Widths";
  find("thread").parentElement.hidden = true;
  for (const head of document.querySelectorAll(".compared")) head.hidden = false;
}
measure();
