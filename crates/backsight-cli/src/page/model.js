// The profile, and the trees that are made of it.
//
// A stack is a number: its innermost frame is `entry`, and `caller` is the number of the stack
// below it, which is always smaller.

const profile = JSON.parse(document.getElementById("profile").textContent);
const stacks = profile.stacks;
const entries = profile.entries;
// Of two profiles: what the shares of each are of.
const wholes = profile.compared;

const text = (at) => profile.strings[at];
const nameOf = (entry) => text(entries.name[entry]);
const moduleOf = (entry) => (entries.module[entry] < 0 ? "" : text(entries.module[entry]));
const fileOf = (path) => path.slice(path.lastIndexOf("/") + 1);

// What a frame of a flame graph says: of a frame without a name, the module.
function labelOf(entry) {
  const module = moduleOf(entry);
  return entries.nameless[entry] && module ? "[" + fileOf(module) + "]" : nameOf(entry);
}

// Whether the frame is the outermost one of its function in the stack: a function that calls
// itself counts once.
const isOutermost = stacks.entry.map((entry, at) => {
  for (let up = stacks.caller[at]; up >= 0; up = stacks.caller[up]) {
    if (stacks.entry[up] === entry) return false;
  }
  return true;
});

// The amounts of a value in the samples of some threads: of each stack, where it ends and where it
// passes.
function amountsOf(type, takes) {
  const own = new Float64Array(stacks.entry.length);
  let whole = 0;
  const samples = profile.samples;
  for (let at = 0; at < samples.stack.length; at++) {
    if (samples.type[at] !== type || !takes(samples.thread[at])) continue;
    own[samples.stack[at]] += samples.value[at];
    whole += Math.abs(samples.value[at]);
  }
  const total = own.slice();
  for (let at = total.length - 1; at >= 0; at--) {
    if (stacks.caller[at] >= 0) total[stacks.caller[at]] += total[at];
  }
  return { own, total, whole: wholes ? wholes[type] : whole };
}

// How much the share of each stack grew: where it ends and where it passes. `most` is the largest
// change of an end, which has the full colour.
function growthOf(takes) {
  const [before, after] = [amountsOf(0, takes), amountsOf(1, takes)];
  const part = (amount, whole) => (whole ? amount / whole : 0);
  const grown = (of) => after[of].map((amount, at) => part(amount, after.whole) - part(before[of][at], before.whole));
  const growth = { own: grown("own"), total: grown("total") };
  growth.most = growth.own.reduce((most, it) => Math.max(most, Math.abs(it)), 0);
  return growth;
}

// The own and total amounts of each function, and how much their shares grew.
function tableOf(amounts, growth) {
  const count = entries.name.length;
  const own = new Float64Array(count);
  const total = new Float64Array(count);
  const ownGrown = new Float64Array(count);
  const totalGrown = new Float64Array(count);
  stacks.entry.forEach((entry, at) => {
    own[entry] += amounts.own[at];
    if (isOutermost[at]) total[entry] += amounts.total[at];
    if (!growth) return;
    ownGrown[entry] += growth.own[at];
    if (isOutermost[at]) totalGrown[entry] += growth.total[at];
  });
  const rows = [];
  for (let entry = 0; entry < count; entry++) {
    if (own[entry] !== 0 || total[entry] !== 0 || ownGrown[entry] !== 0 || totalGrown[entry] !== 0) {
      rows.push({ entry, own: own[entry], total: total[entry], ownGrown: ownGrown[entry], totalGrown: totalGrown[entry] });
    }
  }
  return rows;
}

const keyOf = (entry, kind) => entry * 8 + kind;

class Node {
  constructor(entry, kind, parent) {
    this.entry = entry;
    this.kind = kind;
    this.parent = parent;
    this.total = 0;
    this.own = 0;
    this.ownGrown = this.totalGrown = 0;
    this.below = new Map();
  }
  child(entry, kind) {
    const key = keyOf(entry, kind);
    let node = this.below.get(key);
    if (!node) this.below.set(key, (node = new Node(entry, kind, this)));
    return node;
  }
  // Largest first; equal ones by name, so that a profile always looks the same.
  children() {
    if (!this.sorted) {
      this.sorted = [...this.below.values()].sort(
        (a, b) => b.total - a.total || (nameOf(a.entry) < nameOf(b.entry) ? -1 : 1),
      );
    }
    return this.sorted;
  }
  add(amount) {
    this.total += amount;
  }
}

// The frames of a stack up to one of its callers, innermost first.
function* framesUp(stack, last = -1) {
  for (let at = stack; at >= 0; at = stacks.caller[at]) {
    yield at;
    if (at === last) return;
  }
}

function addPath(root, path, amount) {
  root.add(amount);
  let node = root;
  for (const at of path) {
    node = node.child(stacks.entry[at], stacks.kind[at]);
    node.add(amount);
  }
  node.own += amount;
}

// What a stack grew, on the frames that are drawn: what is gone has no width.
function growPath(root, path, growth) {
  root.totalGrown += growth;
  let node = root;
  for (const at of path) {
    node = node.below.get(keyOf(stacks.entry[at], stacks.kind[at]));
    if (!node) return;
    node.totalGrown += growth;
  }
  node.ownGrown += growth;
}

// The tree of all stacks, from the outermost functions or from the innermost.
function treeOf(amounts, growth, isReversed) {
  const root = new Node(-1, 0, null);
  const pathOf = (stack) => (isReversed ? [...framesUp(stack)] : [...framesUp(stack)].reverse());
  amounts.own.forEach((amount, stack) => {
    if (amount > 0) addPath(root, pathOf(stack), amount);
  });
  if (growth) {
    growth.own.forEach((grown, stack) => {
      if (grown !== 0) growPath(root, pathOf(stack), grown);
    });
  }
  return root;
}

// The trees of a function: who calls it, and what it calls.
function sidesOf(amounts, growth, entry) {
  const above = new Node(-1, 0, null);
  const below = new Node(-1, 0, null);
  const eachOf = (own, isTaken, add) =>
    own.forEach((amount, stack) => {
      if (!isTaken(amount)) return;
      for (const at of framesUp(stack)) {
        if (stacks.entry[at] !== entry || !isOutermost[at]) continue;
        add(above, framesUp(at), amount);
        add(below, [...framesUp(stack, at)].reverse(), amount);
        break;
      }
    });
  eachOf(amounts.own, (amount) => amount > 0, addPath);
  if (growth) eachOf(growth.own, (grown) => grown !== 0, growPath);
  return { above, below };
}

// The direct callers and callees of a function: each stack counts once for each of them.
function neighboursOf(amounts, entry) {
  const callers = new Map();
  const callees = new Map();
  amounts.own.forEach((amount, stack) => {
    if (amount === 0) return;
    const seen = new Set();
    let callee = null;
    for (const at of framesUp(stack)) {
      if (stacks.entry[at] === entry) {
        const up = stacks.caller[at];
        const caller = up < 0 ? -1 : stacks.entry[up];
        for (const [side, key, other] of [["up", callers, caller], ["down", callees, callee]]) {
          if (other === null || seen.has(side + other)) continue;
          seen.add(side + other);
          key.set(other, (key.get(other) || 0) + amount);
        }
      }
      callee = stacks.entry[at];
    }
  });
  const sorted = (map) => [...map].map(([entry, total]) => ({ entry, total })).sort((a, b) => b.total - a.total);
  return { callers: sorted(callers), callees: sorted(callees) };
}

// The amount of the samples in whose stack a function is that was searched for.
function amountFound(amounts, isFound) {
  const has = new Uint8Array(stacks.entry.length);
  let sum = 0;
  stacks.entry.forEach((entry, at) => {
    const up = stacks.caller[at];
    has[at] = isFound[entry] || (up >= 0 && has[up]) ? 1 : 0;
    if (has[at]) sum += Math.abs(amounts.own[at]);
  });
  return sum;
}
