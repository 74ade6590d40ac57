// ---- The document ---------------------------------------------------------------------------

const $ = id => document.getElementById(id);

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function draw(tag, attributes = {}, ...children) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// Each setter leaves the document alone if nothing changed: most of the page is the same each second.
function setText(element, text) { if (element.textContent !== text) element.textContent = text; }
function setAttribute(element, name, value) {
  if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
}
function setCount(element, n) {
  setText(element, count(n));
  if (n >= 10_000_000) setAttribute(element, 'title', whole.format(n));
  else element.removeAttribute('title');
}
function setLine(element, [x1, y1], [x2, y2]) {
  for (const [name, value] of Object.entries({ x1, y1, x2, y2 })) setAttribute(element, name, value);
}
function setTime(element, seconds) {
  const date = new Date(seconds === null ? NaN : seconds * 1000);
  if (Number.isNaN(date.getTime())) {
    setText(element, 'an unknown time');
    for (const name of ['datetime', 'title']) element.removeAttribute(name);
    return;
  }
  const today = date.toDateString() === new Date().toDateString();
  setText(element, (today ? timeOfDay : dayAndTime).format(date));
  setAttribute(element, 'datetime', date.toISOString());
  setAttribute(element, 'title', `${fullTime.format(date)} (${zone})`);
}

/** Rows of a table that keep their elements, and with them the focus, while their values change. */
class Rows {
  #rows = new Map();

  constructor(body, build) {
    this.body = body;
    this.build = build;                       // (item) => { element, update(item) }
  }

  sync(items, keyOf) {
    const wanted = new Set(items.map(keyOf));
    for (const [key, row] of this.#rows) {
      if (!wanted.has(key)) { row.element.remove(); this.#rows.delete(key); }
    }
    const focused = document.activeElement;
    items.forEach((item, i) => {
      const key = keyOf(item);
      if (!this.#rows.has(key)) this.#rows.set(key, this.build(item));
      const { element, update } = this.#rows.get(key);
      if (this.body.children[i] !== element) this.body.insertBefore(element, this.body.children[i] ?? null);
      update(item);
    });
    // An element that moves in the document loses the focus.
    if (focused !== document.activeElement && focused.isConnected) focused.focus({ preventScroll: true });
  }
}
