/** The first view: the photo, the stars, and what was rated last. */

import { find, icon, make, starText } from "./dom.js";
import { Lens, Pane, preload } from "./pane.js";

const STRIP = 12;
const PRELOADED = 2;
const FLASH = 180; // milliseconds

export class RateView {
  #lens = new Lens();
  /** @type {Pane[]} */
  #panes = [];
  #shown = "";

  /**
   * @param {import("./album.js").Album} album
   * @param {import("./asking.js").Asking} asking
   * @param {object} go
   * @param {() => void} go.grid opens the grid
   * @param {() => void} go.full switches the full screen
   */
  constructor(album, asking, go) {
    Object.assign(this, { album, asking, go });
    for (const side of ["left", "right"]) {
      const root = find(`pane-${side}`);
      this.#panes.push(new Pane(root, this.#lens, (step) => this.asking.move(step)));
      root.querySelector("button").addEventListener("click", () => asking.act("choose", side));
    }
    this.#makeStars();
    const buttons = {
      undo: ["undo"],
      skip: ["skip"],
      pick: ["flag", "pick"],
      reject: ["flag", "reject"],
      full: ["full"],
      "back-to-grid": ["grid"],
      "leave-full": ["full"],
      "show-all": ["grid"],
    };
    for (const [id, action] of Object.entries(buttons)) {
      find(id).addEventListener("click", () => this.do(action));
    }
    // The photo keeps the keys: a click on a button of the dock leaves the focus where it is.
    find("dock").addEventListener("mousedown", (event) => {
      if (event.target.closest("button, summary")) event.preventDefault();
    });
    find("stage").addEventListener("pointerdown", () => (find("standing-details").open = false));
    asking.addEventListener("change", () => this.show());
  }

  /** @param {import("./keys.js").Action} action @returns {boolean} whether it was one of this view's */
  do([what, value]) {
    const { asking } = this;
    const isPair = asking.current?.length === 2 || (asking.mode === "pairs" && !asking.walk);
    if (what === "move" && isPair) asking.act("choose", value < 0 ? "left" : "right");
    else if (what === "move") asking.move(value);
    else if (what === "undo") asking.undo();
    else if (what === "zoom") this.#lens.toggle();
    else if (what === "grid") this.go.grid();
    else if (what === "full") this.go.full();
    else if (what === "close" && this.#lens.point) this.#lens.lookAt(null);
    else if (what === "close" && asking.walk) this.go.grid();
    else if (["rate", "clear", "flag", "skip"].includes(what)) this.#say(what, value);
    else return false;
    return true;
  }

  show() {
    const { album, asking } = this;
    const ids = asking.current ?? [];
    this.#showPhotos(ids);
    this.#showWords(ids);
    this.#showMarks(ids.length === 1 ? ids[0] : null);
    this.#showStrip();
    find("undo").disabled = !asking.canUndo;
    find("skip").disabled = !ids.length || Boolean(asking.walk);
    preload(asking.next(PRELOADED).flat().map((id) => album.photos.get(id)).filter(Boolean));
  }

  #say(what, value) {
    if (what === "rate") {
      const star = find("stars").children[value - 1];
      star.classList.add("flash");
      setTimeout(() => star.classList.remove("flash"), FLASH);
    }
    if (what !== "skip" || !this.asking.walk) this.asking.act(what, value);
  }

  #makeStars() {
    for (let stars = 1; stars <= 5; stars++) {
      const button = make(
        "button",
        { type: "button", "aria-label": starText(stars), "aria-pressed": "false" },
        icon("star"),
        make("kbd", { textContent: String(stars), "aria-hidden": "true" }),
      );
      button.addEventListener("click", () => this.do(["rate", stars]));
      find("stars").append(button);
    }
  }

  #showPhotos(ids) {
    const { album, asking } = this;
    const key = ids.join(" ");
    if (key !== this.#shown) this.#lens.lookAt(null);
    this.#shown = key;
    const isPair = ids.length === 2;
    find("stage").classList.toggle("pair", isPair);
    find("pane-right").hidden = !isPair;
    this.#panes.forEach((pane, i) => {
      const photo = album.photos.get(ids[i]) ?? null;
      pane.show(photo, album.state?.broken[ids[i]]);
      pane.root.querySelector(".choose").hidden = !isPair;
      pane.root.querySelector(".pane-name").textContent = isPair && photo ? photo.name : "";
    });
    find("finished").hidden = ids.length > 0 || asking.isWaiting || !album.state;
    find("stage").classList.toggle("waiting", !ids.length && asking.isWaiting);
  }

  #showWords(ids) {
    const { album, asking } = this;
    const { walk } = asking;
    const name = ids.length === 1 ? (album.photos.get(ids[0])?.name ?? "") : "";
    find("photo-name").textContent = ids.length === 2 ? "Which one is better?" : name;
    find("photo-name").title = name;
    find("walk").hidden = !walk;
    if (walk) find("walk-place").textContent = `${walk.at + 1} of ${walk.ids.length}`;
    find("thought").textContent = walk ? this.#thought(ids[0]) : "";
  }

  /** What the app thinks of a photo of the grid. */
  #thought(id) {
    const place = this.album.place(id);
    if (!place || place.stars === null || !this.album.ranking.order_known) return "";
    return `looks like ${starText(place.stars)} to you`;
  }

  #showMarks(id) {
    const stars = id === null ? 0 : (this.album.ratings.get(id) ?? 0);
    const flag = id === null ? null : this.album.flags.get(id);
    find("stars").hidden = id === null && Boolean(this.asking.current);
    find("pick").hidden = find("reject").hidden = find("stars").hidden;
    [...find("stars").children].forEach((button, i) => {
      button.classList.toggle("lit", i < Math.round(stars));
      button.setAttribute("aria-pressed", String(i + 1 === Math.round(stars)));
      button.disabled = id === null;
    });
    for (const kind of ["pick", "reject"]) {
      find(kind).setAttribute("aria-pressed", String(flag === kind));
      find(kind).disabled = id === null;
    }
  }

  #showStrip() {
    const { album, asking } = this;
    const entries = asking.recent(STRIP).map((id) => {
      const photo = album.photos.get(id);
      const mark = markOf(album, id);
      const image = make("img", { src: `${photo.view}/320.jpg`, alt: "", decoding: "async" });
      const button = make(
        "button",
        { type: "button", title: photo.name, "aria-label": `${photo.name}, ${mark.words}` },
        image,
        make("span", { textContent: mark.sign }),
      );
      button.dataset.id = id;
      button.addEventListener("click", () => asking.open(asking.recent(STRIP), asking.recent(STRIP).indexOf(id)));
      return button;
    });
    keepSame(find("strip-photos"), entries);
    find("strip").classList.toggle("empty", !entries.length);
  }
}

/** What the person said of a photo, as a sign and in words. */
export function markOf(album, id) {
  const stars = album.ratings.get(id);
  const flag = album.flags.get(id);
  if (flag === "reject") return { sign: "✕", words: "rejected" };
  if (flag === "pick") return { sign: stars ? `⚑ ${stars}★` : "⚑", words: "picked" };
  if (stars) return { sign: `${stars}★`, words: `you gave ${starText(stars)}` };
  if (album.passed.has(id)) return { sign: "–", words: "skipped" };
  return { sign: "✓", words: "the better of two" };
}

/** Replace children, but leave those that would look the same, so that pictures do not blink. */
function keepSame(box, entries) {
  const before = new Map([...box.children].map((child) => [child.dataset.id, child]));
  const kept = entries.map((entry) => {
    const same = before.get(entry.dataset.id);
    if (!same) return entry;
    same.lastChild.textContent = entry.lastChild.textContent;
    same.setAttribute("aria-label", entry.getAttribute("aria-label"));
    return same;
  });
  box.replaceChildren(...kept);
}
