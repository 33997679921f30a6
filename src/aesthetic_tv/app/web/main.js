/** The page: enters the album, and holds its parts together. */

import { Album } from "./album.js";
import { Api, Offline } from "./api.js";
import { Asking } from "./asking.js";
import { find } from "./dom.js";
import { Grid } from "./grid.js";
import { KeepView } from "./keep.js";
import { Kept } from "./kept.js";
import { actionOf, writeKeys } from "./keys.js";
import { Queue } from "./queue.js";
import { markOf, RateView } from "./rate.js";
import { showSaving, showStanding } from "./standing.js";
import { TasteView } from "./taste.js";
import { attempt, toast } from "./toast.js";
import { Uploads } from "./uploads.js";

const BUSY = 1500; // milliseconds between looks while something is at work
const QUIET = 60_000; // the server takes a page for gone that was not heard of for minutes
const RETRY = 3000; // until the server is asked again when it was not there at the start
const UNSENT = ":unsent";
const NO_STARS = ":found-stars-refused";
const VIEWS = ["rate", "photos", "taste", "new", "keep"];

const api = new Api();
const album = new Album();
/** @type {Kept|null} */
let kept = null;
let factsKnown = 0;
let rankingAsked = null;

const queue = new Queue({
  send: (answers) => {
    const { mode, scope } = asking;
    return api.answers(mode, scope, answers.map(withoutOwn)).then((state) => ({ ...state, mode, scope }));
  },
  arrived: take,
  enter: enterAgain,
  changed: (pending) => {
    kept?.write(pending, UNSENT);
    showSaving(pending.length);
  },
  trouble: (error) => toast(error.message, "wrong"),
});
const asking = new Asking(album, queue);
const rate = new RateView(album, asking, { grid: toggleGrid, full: toggleFull });
const grid = new Grid(album, asking, openLarge);
const taste = new TasteView(album, asking, api);
const keep = new KeepView(api);
const uploads = new Uploads(album, asking, api, now);

/** What is kept here of an answer to undo it is nothing for the server. */
function withoutOwn({ back, ...answer }) {
  return answer;
}

// The server's word.

/** @param {import("./api.js").State & {mode: string, scope: string}} state */
function take(state) {
  if (state.kept !== undefined) kept.write(state.kept);
  for (const [, sentence] of state.refused ?? []) toast(sentence, "wrong");
  album.take(state, queue.pending);
  asking.take(state.ahead, state.mode, state.scope);
  showStanding(state);
  showFoundStars(state.found_stars);
  if (state.facts > factsKnown) readFacts(state.facts);
  rankAgain();
}

function now(state) {
  take({ ...state, mode: asking.mode, scope: asking.scope });
}

async function readFacts(version) {
  factsKnown = version;
  const { photos } = await api.get("api/photos");
  album.add(photos);
}

/** Fetch the order where it is a new one and somebody looks at it. */
async function rankAgain() {
  const version = album.state?.ranking;
  const { scope } = asking;
  const wanted = `${version} ${scope}`;
  const isSeen = grid.isShown || asking.walk;
  if (!version || !isSeen || wanted === rankingAsked) return;
  rankingAsked = wanted;
  try {
    album.rank(await api.get("api/ranking", { scope }));
  } catch {
    rankingAsked = null; // asked for again with the next state
  }
}

// The visit.

async function enter() {
  if (!kept) {
    const { storage_key: key } = await api.get("api/album");
    kept = new Kept(key);
  }
  const reply = await api.enter(kept.read());
  kept.write(reply.kept);
  return reply;
}

async function enterAgain() {
  const reply = await enter();
  album.begin(reply.photos);
  keep.begin(reply);
  asking.settle();
  queue.begin(reply.state.done_seq);
  now(reply.state);
}

async function start() {
  let reply;
  while (!reply) {
    try {
      reply = await enter();
    } catch (error) {
      find("opening").textContent = error instanceof Offline ? "The app does not answer yet …" : error.message;
      await new Promise((go) => setTimeout(go, RETRY));
    }
  }
  find("opening").remove();
  find("album-name").textContent = reply.album.name;
  document.title = `${reply.album.name} · your taste in photos`;
  find("album-note").textContent = [reply.album.note, savedWhere(reply.album)].filter(Boolean).join(" ");
  album.begin(reply.photos);
  uploads.begin(reply.settings);
  keep.begin(reply);
  queue.begin(reply.state.done_seq, kept.read(UNSENT) ?? []);
  now({ ...reply.state, found_stars: reply.found_stars ?? reply.state.found_stars });
  look();
}

function savedWhere({ ratings_file: file }) {
  return file ? `Your ratings are saved in ${file}.` : "Your ratings are kept in this browser.";
}

/** Ask how things are: often while something is at work, now and then to stay known. */
async function look() {
  const isBusy = album.state.looking.working;
  await new Promise((go) => setTimeout(go, isBusy ? BUSY : QUIET));
  if (!queue.length) {
    const { mode, scope } = asking;
    try {
      const state = await api.state(mode, scope, album.state.version);
      if (state && !queue.length) take({ ...state, mode, scope });
    } catch {
      // Heard of when something is said.
    }
  }
  look();
}

// Stars that were there already.

function showFoundStars(found) {
  const isRefused = kept.read(NO_STARS);
  find("found-stars").hidden = !found?.count || Boolean(isRefused);
  if (found) find("found-stars-text").textContent = found.text;
}

find("use-stars").addEventListener("click", () =>
  attempt(find("use-stars"), async () => {
    const { mode, scope } = asking;
    const { text, state, kept: keeps } = await api.post("api/use-stars", { mode, scope });
    kept.write(true, NO_STARS);
    asking.settle();
    now({ ...state, kept: keeps });
    toast(text);
  }),
);
find("refuse-stars").addEventListener("click", () => {
  kept.write(true, NO_STARS);
  find("found-stars").hidden = true;
});

// Views.

/** @param {string} name one of VIEWS */
function show(name) {
  for (const view of VIEWS) {
    find(view).hidden = view !== name;
    const tab = document.querySelector(`nav [data-view="${view}"]`);
    if (view === name) tab.setAttribute("aria-current", "page");
    else tab.removeAttribute("aria-current");
  }
  document.body.dataset.view = name;
  if (name !== "rate") leaveFull();
  if (name === "photos") grid.show();
  if (name === "taste") taste.show();
  if (name === "keep") keep.show();
  rankAgain();
}

function toggleGrid() {
  const isOpen = grid.isShown;
  show(isOpen ? "rate" : "photos");
  asking.close();
}

function openLarge(ids, at) {
  asking.open(ids, at);
  show("rate");
}

async function ask(mode, scope) {
  asking.ask(mode, scope);
  for (const button of document.querySelectorAll("[data-mode]")) {
    button.setAttribute("aria-pressed", String(button.dataset.mode === mode));
  }
  find("scope").value = scope;
  if (!queue.length) await attempt(null, async () => take({ ...(await api.state(mode, scope, "")), mode, scope }));
}

for (const tab of document.querySelectorAll("nav [data-view]")) {
  tab.addEventListener("click", () => {
    show(tab.dataset.view);
    asking.close();
  });
}
for (const button of document.querySelectorAll("[data-mode]")) {
  button.addEventListener("click", () => {
    show("rate");
    ask(button.dataset.mode, asking.scope);
  });
}
find("scope").addEventListener("change", (event) => ask(asking.mode, event.target.value));
album.addEventListener("photos", () => {
  find("scope").hidden = ![...album.photos.values()].some(({ own }) => own);
});

// The full screen: the photo alone, whether or not the browser gives its own.

function toggleFull() {
  if (document.body.classList.contains("full")) leaveFull();
  else {
    document.body.classList.add("full");
    document.documentElement.requestFullscreen?.().catch(() => {});
  }
}

function leaveFull() {
  document.body.classList.remove("full");
  if (document.fullscreenElement) document.exitFullscreen();
}

document.addEventListener("fullscreenchange", () => {
  if (!document.fullscreenElement) document.body.classList.remove("full");
});

// Keys, and what is said to those who do not see.

document.addEventListener("keydown", (event) => {
  const action = actionOf(event);
  if (!action || !album.state) return;
  if (doKey(action)) event.preventDefault();
});

function doKey(action) {
  const [what] = action;
  if (what === "help") find("keys").showModal();
  else if (what === "close" && document.body.classList.contains("full")) leaveFull();
  else if (what === "grid") toggleGrid();
  else if (!find("rate").hidden) return rate.do(action);
  else if (grid.isShown) return grid.do(action) || (what === "close" && (toggleGrid(), true));
  else if (what === "close") show("rate");
  else return false;
  return true;
}

let said = 0;
album.addEventListener("answers", () => {
  clearTimeout(said);
  said = setTimeout(() => {
    const [last] = asking.recent(1);
    if (last) find("said").textContent = `${album.photos.get(last)?.name}: ${markOf(album, last).words}`;
  }, 100);
});

writeKeys();
find("help").addEventListener("click", () => find("keys").showModal());
find("close-keys").addEventListener("click", () => find("keys").close());
window.addEventListener("pagehide", () => api.leave());
window.addEventListener("online", () => queue.send());
start();
