// Draws a tree as a flame graph on a canvas.

const ROW = 19;
const KINDS = [
  { name: "program", hue: 46, spread: 12, light: 68 },
  { name: "kernel", hue: 352, spread: 12, light: 70 },
  { name: "inlined", hue: 186, spread: 14, light: 70 },
  { name: "made at run time", hue: 112, spread: 22, light: 70 },
  { name: "no name", hue: 0, spread: 0, light: 76 },
];

// The same name has the same colour in every graph.
function colourOf(entry, kind) {
  let hash = 7;
  for (const c of nameOf(entry)) hash = (hash * 31 + c.codePointAt(0)) >>> 0;
  const { hue, spread, light } = KINDS[kind];
  const turn = spread ? (hash % (2 * spread)) - spread : 0;
  return `hsl(${hue + turn} ${kind === 4 ? 4 : 78}% ${light + ((hash >>> 8) % 9) - 4}%)`;
}

// Of two profiles: red grew, blue shrank, white is the same. `part` is of the largest change.
function colourOfGrowth(part) {
  const other = Math.round(100 + 150 * (1 - Math.min(1, Math.abs(part))));
  if (part === 0) return "rgb(250 250 250)";
  return part > 0 ? `rgb(255 ${other} ${other})` : `rgb(${other} ${other} 255)`;
}

class Graph {
  constructor(place, options) {
    this.place = place;
    this.options = options;
    this.canvas = document.createElement("canvas");
    this.space = document.createElement("div");
    place.append(this.canvas, this.space);
    this.root = this.zoom = null;
    this.isUpward = false;
    this.shown = [];
    place.addEventListener("scroll", () => this.draw());
    new ResizeObserver(() => this.draw()).observe(place);
    this.canvas.addEventListener("mousemove", (event) => options.onHover(this.at(event), event));
    this.canvas.addEventListener("mouseleave", () => options.onHover(null));
    this.canvas.addEventListener("click", (event) => {
      const node = this.at(event);
      if (node) this.zoomTo(node);
    });
    this.canvas.addEventListener("dblclick", (event) => {
      const node = this.at(event);
      if (node && node.entry >= 0) options.onChoose(node.entry);
    });
  }

  show(root, whole, isUpward) {
    this.root = this.zoom = root;
    this.whole = whole;
    this.isUpward = isUpward;
    this.zoomTo(root);
  }

  zoomTo(node) {
    this.zoom = node;
    this.depth = this.measure();
    this.draw();
    if (this.isUpward) this.place.scrollTop = this.place.scrollHeight;
    this.options.onZoom(node);
  }

  // The number of rows.
  measure() {
    let above = 0;
    for (let up = this.zoom.parent; up; up = up.parent) above++;
    let deepest = 0;
    const waiting = [[this.zoom, 0]];
    while (waiting.length) {
      const [node, level] = waiting.pop();
      deepest = Math.max(deepest, level);
      for (const child of node.below.values()) waiting.push([child, level + 1]);
    }
    return above + deepest + 1;
  }

  draw() {
    if (!this.root) return;
    const width = this.place.clientWidth;
    const height = this.place.clientHeight;
    if (!width || !height) return;
    const scale = window.devicePixelRatio || 1;
    const full = Math.max(this.depth * ROW, height);
    this.space.style.height = full - height + "px";
    this.canvas.width = width * scale;
    this.canvas.height = height * scale;
    this.canvas.style.width = width + "px";
    this.canvas.style.height = height + "px";
    const pen = this.canvas.getContext("2d");
    pen.scale(scale, scale);
    pen.font = "12px system-ui, sans-serif";
    pen.textBaseline = "middle";
    this.shown = [];
    const path = [];
    for (let up = this.zoom.parent; up; up = up.parent) path.unshift(up);
    const y = (level) => (this.isUpward ? full - (level + 1) * ROW : level * ROW) - this.place.scrollTop;
    path.forEach((node, level) => this.box(pen, node, 0, y(level), width, true));
    const waiting = [[this.zoom, 0, width, path.length]];
    while (waiting.length) {
      const [node, x, wide, level] = waiting.pop();
      this.box(pen, node, x, y(level), wide, false);
      let at = x;
      for (const child of node.children()) {
        const part = (wide * child.total) / node.total;
        // The children are sorted: the others are narrower.
        if (part < 0.4) break;
        waiting.push([child, at, part, level + 1]);
        at += part;
      }
    }
  }

  box(pen, node, x, y, wide, isAbove) {
    if (y + ROW < 0 || y > this.place.clientHeight) return;
    this.shown.push({ node, x, y, wide });
    const isFound = node.entry >= 0 && this.options.isFound(node.entry);
    pen.globalAlpha = isAbove ? 0.5 : 1;
    pen.fillStyle = isFound ? "#d946ef" : node.entry < 0 ? "#c9c9d2" : this.options.colourOf(node);
    pen.fillRect(x, y, Math.max(wide - 0.6, 0.4), ROW - 1);
    if (wide > 24) {
      pen.fillStyle = "#111114";
      const label = node.entry < 0 ? "all" : labelOf(node.entry);
      pen.fillText(fitting(pen, label, wide - 8), x + 4, y + ROW / 2);
    }
    pen.globalAlpha = 1;
  }

  at(event) {
    const box = this.canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const hit = this.shown.find((it) => x >= it.x && x < it.x + it.wide && y >= it.y && y < it.y + ROW);
    return hit ? hit.node : null;
  }
}

// The beginning of a name that fits: its end is what tells least.
function fitting(pen, label, room) {
  if (label.length * 4 < room && pen.measureText(label).width <= room) return label;
  let [low, high] = [0, Math.min(label.length, Math.ceil(room / 3))];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (pen.measureText(label.slice(0, middle) + "…").width <= room) low = middle;
    else high = middle - 1;
  }
  return low >= label.length ? label : low > 1 ? label.slice(0, low) + "…" : "";
}
