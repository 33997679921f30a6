/** A photo that is looked at: whole, or at 100 %, where it is moved; two of them move together. */

import { make } from "./dom.js";

/** @typedef {import("./api.js").Photo} Photo */

const LARGEST = 3; // a small photo is enlarged so much at most, to fill its pane
const CLOSER = 1.25; // what zooming brings at least; else it is twice the fitted size
const SLOP = 6; // pixels that a click may move
const SWIPE = 50;

/** Where all panes look: at the whole photo, or at a point of it. */
export class Lens {
  /** @type {{x: number, y: number}|null} relative, 0 to 1; `null`: the whole photo */
  point = null;
  /** @type {Pane[]} */
  panes = [];

  /** @param {{x: number, y: number}|null} point */
  lookAt(point) {
    this.point = point;
    for (const pane of this.panes) pane.place();
  }

  toggle(point = { x: 0.5, y: 0.5 }) {
    this.lookAt(this.point ? null : point);
  }
}

export class Pane {
  /** @type {Photo|null} */
  #photo = null;
  #image = make("img", { className: "large", alt: "", draggable: false, decoding: "async" });
  #note = make("p", { className: "pane-note" });
  #badge = make("p", { className: "badge", hidden: true });
  #hasAllPixels = false;
  /** @type {{x: number, y: number, moved: boolean}|null} */
  #grip = null;
  /** @type {{under: {x: number, y: number}, x: number, y: number}|null} what was zoomed at */
  #held = null;

  /**
   * @param {HTMLElement} root
   * @param {Lens} lens shared with the panes that move together
   * @param {(step: 1|-1) => void} swiped
   */
  constructor(root, lens, swiped) {
    this.root = root;
    this.lens = lens;
    this.swiped = swiped;
    lens.panes.push(this);
    root.prepend(this.#image, this.#note, this.#badge);
    this.#image.addEventListener("load", () => this.#loaded());
    this.#image.addEventListener("error", () => this.#failed());
    root.addEventListener("pointerdown", (event) => this.#down(event));
    root.addEventListener("pointermove", (event) => this.#drag(event));
    root.addEventListener("pointerup", (event) => this.#up(event));
    root.addEventListener("pointercancel", () => (this.#grip = null));
    root.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    new ResizeObserver(() => this.place()).observe(root);
  }

  /**
   * @param {Photo|null} photo
   * @param {string} [reason] why it cannot be shown
   */
  show(photo, reason = "") {
    if (photo === this.#photo && !reason) return;
    this.#photo = photo;
    this.#held = null;
    this.#hasAllPixels = false;
    this.#note.textContent = reason;
    // Gone at once: no photo is rated that is not the one on screen.
    this.#image.classList.remove("ready");
    this.#image.alt = photo?.name ?? "";
    if (photo && !reason) this.#image.src = `${photo.view}/1600.jpg`;
    else this.#image.removeAttribute("src");
    this.place();
  }

  /** Put the photo where the lens looks. */
  place() {
    const geometry = this.#geometry();
    const zoomed = Boolean(this.lens.point);
    this.root.classList.toggle("zoomed", zoomed);
    this.#badge.hidden = !zoomed || !geometry;
    if (!geometry) return;
    const { width, height, scale } = geometry;
    const left = offset(this.root.clientWidth, width, this.lens.point?.x ?? 0.5);
    const top = offset(this.root.clientHeight, height, this.lens.point?.y ?? 0.5);
    Object.assign(this.#image.style, {
      width: `${width}px`,
      height: `${height}px`,
      transform: `translate(${left}px, ${top}px)`,
    });
    if (!zoomed) return;
    const percent = `${Math.round(100 * scale * devicePixelRatio)} %`;
    this.#badge.textContent = this.#hasAllPixels ? percent : `${percent} · loading`;
    if (!this.#hasAllPixels) this.#loadAllPixels(this.#photo);
  }

  /** Size of the photo on screen, in CSS pixels; `scale` is that of its own pixels. */
  #geometry() {
    const width = this.#photo?.width || this.#image.naturalWidth;
    const height = this.#photo?.height || this.#image.naturalHeight;
    const { clientWidth, clientHeight } = this.root;
    if (!this.#photo || !width || !height || !clientWidth || !clientHeight) return null;
    const whole = Math.min(clientWidth / width, clientHeight / height, LARGEST);
    const exact = 1 / devicePixelRatio;
    const close = exact > CLOSER * whole ? exact : 2 * whole;
    const scale = this.lens.point ? close : whole;
    return { width: width * scale, height: height * scale, scale };
  }

  async #loadAllPixels(photo) {
    if (this.#image.dataset.full === photo.id) return;
    this.#image.dataset.full = photo.id;
    const full = new Image();
    full.src = `${photo.view}/full.jpg`;
    try {
      await full.decode();
      if (photo !== this.#photo) return;
      this.#image.src = full.src;
      this.#hasAllPixels = true;
    } catch {
      // What is there already stays.
    } finally {
      delete this.#image.dataset.full;
    }
    if (this.#hasAllPixels) this.place();
    else if (photo === this.#photo) this.#badge.textContent = "100 % cannot be loaded";
  }

  #loaded() {
    this.#image.classList.add("ready");
    // Its true size may be known only now.
    if (this.lens.point && this.#held) this.#hold();
    else this.place();
  }

  #failed() {
    if (this.#photo) this.#note.textContent = "This photo cannot be shown.";
  }

  /** The point of the photo under the pointer. */
  #pointUnder(event) {
    const box = this.#image.getBoundingClientRect();
    return { x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height };
  }

  /** Zoom so that what is under the pointer stays there. */
  #zoomAt(event) {
    if (this.lens.point) return this.lens.lookAt(null);
    this.#held = { under: this.#pointUnder(event), x: event.clientX, y: event.clientY };
    this.lens.point = this.#held.under;
    this.#hold();
  }

  #hold() {
    const { under, x, y } = this.#held;
    const { width, height } = this.#geometry() ?? {};
    if (!width) return this.lens.lookAt(null);
    const pane = this.root.getBoundingClientRect();
    this.#lookAt({
      x: under.x + (pane.left + pane.width / 2 - x) / width,
      y: under.y + (pane.top + pane.height / 2 - y) / height,
    });
  }

  #pan(dx, dy) {
    const { width, height } = this.#geometry() ?? {};
    if (!width) return;
    this.#held = null;
    const { x, y } = this.lens.point;
    this.#lookAt({ x: x - dx / width, y: y - dy / height });
  }

  /** Not past the edges. */
  #lookAt({ x, y }) {
    const { width, height } = this.#geometry();
    const held = (value, pane, size) => {
      const edge = Math.min(pane / 2 / size, 0.5);
      return Math.min(Math.max(value, edge), 1 - edge);
    };
    this.lens.lookAt({
      x: held(x, this.root.clientWidth, width),
      y: held(y, this.root.clientHeight, height),
    });
  }

  #down(event) {
    if (event.button !== 0 || event.target.closest("button")) return;
    this.#grip = event.isPrimary ? { x: event.clientX, y: event.clientY, moved: false } : null;
    if (this.#grip) this.root.setPointerCapture(event.pointerId);
  }

  #drag(event) {
    const grip = this.#grip;
    if (!grip) return;
    const dx = event.clientX - grip.x;
    const dy = event.clientY - grip.y;
    if (!grip.moved && Math.hypot(dx, dy) < SLOP) return;
    grip.moved = true;
    if (!this.lens.point) return;
    this.#pan(dx, dy);
    Object.assign(grip, { x: event.clientX, y: event.clientY });
  }

  #up(event) {
    const grip = this.#grip;
    this.#grip = null;
    if (!grip) return;
    const dx = event.clientX - grip.x;
    const isSwipe = Math.abs(dx) > SWIPE && Math.abs(dx) > 2 * Math.abs(event.clientY - grip.y);
    if (!grip.moved) this.#zoomAt(event);
    else if (!this.lens.point && isSwipe) this.swiped(dx < 0 ? 1 : -1);
  }

  #wheel(event) {
    const { point } = this.lens;
    if (event.ctrlKey) {
      event.preventDefault(); // two fingers on a touch pad
      if (event.deltaY < 0 !== Boolean(point)) this.#zoomAt(event);
    } else if (point) {
      event.preventDefault();
      this.#pan(-event.deltaX, -event.deltaY);
    }
  }
}

/** Of the photo's edge from the pane's, so that the point `at` is in the middle, without gaps. */
function offset(pane, size, at) {
  if (size <= pane) return (pane - size) / 2;
  return Math.min(0, Math.max(pane - size, pane / 2 - at * size));
}

const loadedAhead = new Map();

/**
 * Have the large copies of these photos ready.
 * @param {Photo[]} photos
 */
export function preload(photos) {
  const wanted = new Set(photos.map((photo) => `${photo.view}/1600.jpg`));
  for (const address of loadedAhead.keys()) if (!wanted.has(address)) loadedAhead.delete(address);
  for (const address of wanted) {
    if (loadedAhead.has(address)) continue;
    const image = new Image();
    image.src = address;
    loadedAhead.set(address, image);
  }
}
