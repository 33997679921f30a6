/** All photos at once. Only the rows in sight are in the page, so that thousands scroll smoothly. */

import { find, howMany, icon, make, starText } from "./dom.js";
import { filtered, FILTERS, listing, SORTS } from "./listing.js";
import { markOf } from "./rate.js";

/** @typedef {import("./listing.js").Entry} Entry */

const GAP = 10;
const CAPTION = 34; // pixels below a picture
const SHAPE = 0.8; // height of a picture's place by its width: most photos lie
const NARROW = 700;
const WIDTH = { narrow: 112, wide: 190 }; // of a cell, at least
const SPARE_ROWS = 3; // kept in the page above and below those in sight

const BEFORE = "Give a few photos their stars, and all of them are put into your order.";
const LEGEND = "Gold: your stars. Grey: how it may look to you. ▲▼: places against one taste for all.";

export class Grid {
  #wish = { filter: "all", sort: "yours", stacked: true, open: new Set() };
  /** @type {Entry[]} */
  #entries = [];
  /** @type {Map<string, HTMLElement>} cells in the page */
  #cells = new Map();
  #marked = 0;
  #touched = false;
  #frame = 0;
  #hasChanged = true; // what the cells in the page show

  /**
   * @param {import("./album.js").Album} album
   * @param {import("./asking.js").Asking} asking
   * @param {(ids: string[], at: number) => void} open shows a photo large
   */
  constructor(album, asking, open) {
    Object.assign(this, { album, asking, open });
    this.box = find("grid");
    this.cells = find("grid-cells");
    this.#makeControls();
    this.box.addEventListener("scroll", () => this.#soon(), { passive: true });
    this.box.addEventListener("keydown", (event) => this.#key(event));
    this.box.addEventListener("click", (event) => this.#click(event));
    find("new-order").addEventListener("click", () => this.#arrange());
    new ResizeObserver(() => this.#change()).observe(this.box);
    for (const change of ["photos", "ranking", "state", "answers"]) {
      album.addEventListener(change, () => this.#follow(change));
    }
  }

  get isShown() {
    return !find("photos").hidden;
  }

  get #isOwn() {
    return this.asking.scope === "own";
  }

  /** The view was opened. */
  show() {
    this.#touched = false;
    this.#arrange();
    const seen = this.asking.walk?.ids[this.asking.walk.at];
    const at = this.#entries.findIndex(({ id }) => id === seen);
    if (at >= 0) this.#mark(at);
    this.box.focus({ preventScroll: true });
  }

  /** @param {import("./keys.js").Action} action @returns {boolean} */
  do([what, value]) {
    const id = this.#entries[this.#marked]?.id;
    if (what === "undo") this.asking.undo();
    else if (!id) return false;
    else if (what === "rate" || what === "clear") this.asking.rate(id, value ?? null);
    else if (what === "flag") this.asking.flag(id, value);
    else if (what === "zoom") this.#openAt(this.#marked);
    else return false;
    this.#touched = true;
    return true;
  }

  #makeControls() {
    for (const [name, { label }] of Object.entries(FILTERS)) {
      const button = make("button", { type: "button", "aria-pressed": "false" });
      button.dataset.filter = name;
      button.append(make("span", { textContent: label }), make("small"));
      button.addEventListener("click", () => this.#ask({ filter: name }));
      find("filters").append(button);
      find("filter").append(make("option", { value: name, textContent: label }));
    }
    for (const [name, { label }] of Object.entries(SORTS)) {
      find("sort").append(make("option", { value: name, textContent: label }));
    }
    find("filter").addEventListener("change", (event) => this.#ask({ filter: event.target.value }));
    find("sort").addEventListener("change", (event) => this.#ask({ sort: event.target.value }));
    find("stacked").addEventListener("change", (event) => this.#ask({ stacked: event.target.checked }));
  }

  #ask(wish) {
    Object.assign(this.#wish, wish, { open: new Set() });
    this.box.scrollTop = 0;
    this.#marked = 0;
    this.#arrange();
  }

  /** A new order is put in at once only where nobody is looking for his place in the old one. */
  #follow(change) {
    if (!this.isShown) return;
    const reorders = change === "ranking" && SORTS[this.#wish.sort].needsOrder;
    if (change === "photos" || (reorders && !this.#touched && this.box.scrollTop === 0)) this.#arrange();
    else if (reorders) find("new-order").hidden = false;
    this.#writeCounts();
    this.#change();
  }

  #arrange() {
    const marked = this.#entries[this.#marked]?.id;
    this.#entries = listing(this.album, this.#wish, this.#isOwn);
    this.#marked = Math.max(0, this.#entries.findIndex(({ id }) => id === marked));
    find("new-order").hidden = true;
    find("grid-empty").hidden = this.#entries.length > 0;
    this.#writeCounts();
    this.#hasChanged = true;
    this.#draw();
  }

  #writeCounts() {
    const { album } = this;
    const { filter, sort, stacked } = this.#wish;
    [...find("filters").children].forEach((button, i) => {
      const name = button.dataset.filter;
      const count = filtered(album, name, this.#isOwn).length;
      button.setAttribute("aria-pressed", String(name === filter));
      button.lastChild.textContent = String(count);
      find("filter").children[i].textContent = `${FILTERS[name].label} (${count})`;
    });
    find("filter").value = filter;
    find("sort").value = sort;
    find("stacked").checked = stacked;
    find("stacked").closest("label").hidden = !album.ranking?.stacks.length;
    find("grid-note").textContent = album.ranking?.order_known ? LEGEND : BEFORE;
  }

  // Where things are.

  #geometry() {
    const width = this.cells.clientWidth;
    const wanted = width < NARROW ? WIDTH.narrow : WIDTH.wide;
    const columns = Math.max(2, Math.floor((width + GAP) / (wanted + GAP)));
    const size = (width - GAP * (columns - 1)) / columns;
    const height = Math.round(SHAPE * size) + CAPTION;
    return { columns, size, height, rowHeight: height + GAP };
  }

  #change() {
    this.#hasChanged = true;
    this.#soon();
  }

  #soon() {
    if (!this.isShown || this.#frame) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      this.#draw();
    });
  }

  #draw() {
    if (!this.isShown) return;
    const { columns, size, height, rowHeight } = this.#geometry();
    const rows = Math.ceil(this.#entries.length / columns);
    this.cells.style.height = `${Math.max(0, rows * rowHeight - GAP)}px`;
    const top = Math.floor(this.box.scrollTop / rowHeight) - SPARE_ROWS;
    const bottom = Math.ceil((this.box.scrollTop + this.box.clientHeight) / rowHeight) + SPARE_ROWS;
    const first = Math.max(0, top * columns);
    const end = Math.min(this.#entries.length, bottom * columns);
    const shown = this.#entries.slice(first, end);
    this.#keepOnly(new Set(shown.map(({ id }) => id)));
    shown.forEach((entry, i) => {
      const before = this.#cells.get(entry.id);
      if (before && !this.#hasChanged) return;
      const cell = before ?? this.#makeCell(entry.id);
      this.#cells.set(entry.id, cell);
      this.#write(cell, entry, first + i);
      const x = ((first + i) % columns) * (size + GAP);
      const y = Math.floor((first + i) / columns) * rowHeight;
      const place = { width: `${size}px`, height: `${height}px` };
      Object.assign(cell.style, { ...place, transform: `translate(${x}px, ${y}px)` });
      const there = this.cells.children[i] ?? null;
      if (there !== cell) this.cells.insertBefore(cell, there); // read in the order that is seen
    });
    this.#hasChanged = false;
    const marked = this.#cells.get(this.#entries[this.#marked]?.id);
    if (marked) this.box.setAttribute("aria-activedescendant", marked.id);
    else this.box.removeAttribute("aria-activedescendant");
  }

  #keepOnly(ids) {
    for (const [id, cell] of this.#cells) {
      if (ids.has(id)) continue;
      cell.remove();
      this.#cells.delete(id);
    }
  }

  // A cell.

  #makeCell(id) {
    const photo = this.album.photos.get(id);
    const stars = make("span", { className: "cell-stars" });
    for (let i = 1; i <= 5; i++) {
      const star = make("span", { className: "cell-star" }, icon("star"));
      star.dataset.stars = String(i);
      stars.append(star);
    }
    const picture = make("div", { className: "picture" });
    const image = make("img", { alt: "", decoding: "async", loading: "lazy", draggable: false });
    image.addEventListener("error", () => picture.classList.add("missing"));
    image.src = `${photo.view}/320.jpg`;
    picture.append(image, make("span", { className: "stack-count" }), make("span", { className: "flag" }));
    const move = make("span", { className: "move" });
    const cell = make("div", { className: "cell", role: "option", title: photo.name });
    cell.append(picture, make("div", { className: "caption" }, stars, move));
    cell.id = `cell-${id}`;
    cell.dataset.id = id;
    return cell;
  }

  #write(cell, entry, at) {
    const { album } = this;
    const { id } = entry;
    const own = album.ratings.get(id);
    const place = album.place(id);
    const shown = own ?? (album.ranking?.order_known ? place?.stars : null) ?? 0;
    const flag = album.flags.get(id);
    const move = place?.move ?? 0;
    cell.classList.toggle("own", own !== undefined);
    cell.classList.toggle("rejected", flag === "reject");
    cell.classList.toggle("in-stack", entry.inStack && (entry.isOpen || !entry.count));
    cell.classList.toggle("marked", at === this.#marked);
    cell.setAttribute("aria-selected", String(at === this.#marked));
    cell.setAttribute("aria-setsize", String(this.#entries.length));
    cell.setAttribute("aria-posinset", String(at + 1));
    const [picture, caption] = cell.children;
    const [, stack, sign] = picture.children;
    stack.textContent = entry.count ? `${entry.isOpen ? "▾" : "▸"} ${entry.count}` : "";
    stack.hidden = !entry.count;
    sign.textContent = flag === "pick" ? "⚑" : flag === "reject" ? "✕" : "";
    const [stars, arrow] = caption.children;
    [...stars.children].forEach((star, i) => star.classList.toggle("lit", i < Math.round(shown)));
    arrow.textContent = move > 0 ? `▲${move}` : move < 0 ? `▼${-move}` : "";
    arrow.classList.toggle("up", move > 0);
    cell.setAttribute("aria-label", this.#words(entry, own, shown, move));
  }

  #words({ id, count, isOpen }, own, shown, move) {
    const { album } = this;
    const parts = [album.photos.get(id).name];
    if (album.state?.broken[id]) parts.push(`cannot be read: ${album.state.broken[id]}`);
    if (own !== undefined || album.isAnswered(id)) parts.push(markOf(album, id).words);
    else if (shown) parts.push(`looks like ${starText(shown)} to you`);
    if (move) parts.push(`${howMany(Math.abs(move), "place")} ${move > 0 ? "up" : "down"}`);
    if (count) parts.push(`a stack of ${count}${isOpen ? ", open" : ""}`);
    return parts.join(", ");
  }

  // Hands.

  #click(event) {
    const cell = event.target.closest(".cell");
    if (!cell) return;
    const at = this.#entries.findIndex(({ id }) => id === cell.dataset.id);
    const star = event.target.closest(".cell-star");
    this.#mark(at);
    if (event.target.closest(".stack-count")) this.#spread(this.#entries[at]);
    else if (star && matchMedia("(hover: hover)").matches) this.do(["rate", Number(star.dataset.stars)]);
    else this.#openAt(at);
  }

  #spread({ id, isOpen }) {
    if (isOpen) this.#wish.open.delete(id);
    else this.#wish.open.add(id);
    this.#arrange();
  }

  /** Large, with the others of the list to the left and right. */
  #openAt(at) {
    this.open(this.#entries.map(({ id }) => id), at);
  }

  #key(event) {
    if (!this.isShown) return; // the keys stay here until the next frame
    const { columns, rowHeight } = this.#geometry();
    const page = Math.max(1, Math.floor(this.box.clientHeight / rowHeight)) * columns;
    const steps = {
      ArrowLeft: -1,
      ArrowRight: 1,
      ArrowUp: -columns,
      ArrowDown: columns,
      PageUp: -page,
      PageDown: page,
      Home: -this.#entries.length,
      End: this.#entries.length,
    };
    if (event.ctrlKey || event.metaKey || event.altKey || !this.#entries.length) return;
    const entry = this.#entries[this.#marked];
    if (event.key in steps) this.#mark(this.#marked + steps[event.key]);
    else if (event.key === "Enter" && event.shiftKey && entry.count) this.#spread(entry);
    else if (event.key === "Enter") this.#openAt(this.#marked);
    else return;
    event.preventDefault();
  }

  #mark(at) {
    this.#marked = Math.min(Math.max(at, 0), this.#entries.length - 1);
    const { columns, rowHeight } = this.#geometry();
    const top = Math.floor(this.#marked / columns) * rowHeight;
    if (top < this.box.scrollTop) this.box.scrollTop = top;
    const below = top + rowHeight - this.box.clientHeight;
    if (below > this.box.scrollTop) this.box.scrollTop = below;
    this.#hasChanged = true;
    this.#draw();
  }
}
