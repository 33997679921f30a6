/** What the keys do, and the list of them. */

import { find, make } from "./dom.js";

/** @type {[string[], string, string][]} keys as shown, what they do, and their heading */
const KEYS = [
  [["1", "–", "5"], "Give stars, and on to the next photo", "Say"],
  [["0"], "Take the stars away", "Say"],
  [["P"], "Pick (a keeper); again to take it back", "Say"],
  [["X"], "Reject; again to take it back", "Say"],
  [["S"], "Skip: rather not say", "Say"],
  [["U"], "Undo the last thing", "Say"],
  [["←", "→"], "The photo before, the next one; of two photos, the better one", "Look"],
  [["Space"], "100 %, and back (a click zooms where you click; drag to move)", "Look"],
  [["F"], "Full screen", "Look"],
  [["G"], "All photos, and back", "Look"],
  [["Enter"], "In all photos: open the marked one", "Look"],
  [["Esc"], "Close", "Look"],
  [["?"], "These keys", "Look"],
];

const ACTIONS = {
  0: ["clear"],
  p: ["flag", "pick"],
  x: ["flag", "reject"],
  s: ["skip"],
  u: ["undo"],
  arrowleft: ["move", -1],
  arrowright: ["move", 1],
  " ": ["zoom"],
  f: ["full"],
  g: ["grid"],
  escape: ["close"],
  "?": ["help"],
};
const REPEATING = new Set(["move"]); // others would say the same of photos nobody has seen

/** @typedef {[string, any?]} Action */

/**
 * What is closed keeps the keys until the next frame, and they would be lost there.
 * @param {EventTarget|null} at
 * @returns {Element|null} unless it is out of sight
 */
const seen = (at) => (at instanceof Element && at.checkVisibility() ? at : null);

/**
 * @param {KeyboardEvent} event
 * @returns {Action|null} what the key asks for, unless it belongs to a field, a button or a dialog
 */
export function actionOf(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return null;
  const at = seen(event.target) ?? document.body;
  if (at.closest("input:not([type=checkbox], [type=radio], [type=file]), textarea, select, dialog")) {
    return null;
  }
  const isOn = at.closest("button, a, summary, input, label");
  if (event.key === " " && isOn?.matches(":focus-visible")) return null;
  if (event.key.startsWith("Arrow") && at.matches("input[type=radio]")) return null;
  const action = /^[1-5]$/.test(event.key)
    ? ["rate", Number(event.key)]
    : ACTIONS[event.key.toLowerCase()];
  if (!action || (event.repeat && !REPEATING.has(action[0]))) return null;
  return action;
}

/** Fill the dialog that lists the keys. */
export function writeKeys() {
  for (const heading of ["Say", "Look"]) {
    const rows = KEYS.filter(([, , under]) => under === heading).map(([keys, does]) =>
      make(
        "div",
        {},
        make("dt", {}, ...keys.map((key) => make(key === "–" ? "span" : "kbd", { textContent: key }))),
        make("dd", { textContent: does }),
      ),
    );
    find("key-list").append(make("dl", {}, ...rows));
  }
}
