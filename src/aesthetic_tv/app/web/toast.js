/** Short messages at the edge of the page, which go by themselves. */

import { find, make } from "./dom.js";

const SECONDS = { said: 5, wrong: 12 };

/**
 * @param {string} text
 * @param {"said"|"wrong"} [kind]
 */
export function toast(text, kind = "said") {
  const box = find("toasts");
  for (const shown of box.children) if (shown.firstChild.textContent === text) shown.remove();
  const close = make("button", { type: "button", textContent: "×", "aria-label": "Close" });
  const message = make("div", { className: `toast ${kind}` }, make("p", { textContent: text }), close);
  close.addEventListener("click", () => message.remove());
  setTimeout(() => message.remove(), 1000 * SECONDS[kind]);
  box.append(message);
}

/**
 * Do something that the person asked for, with its button asleep meanwhile; say what went wrong.
 * @template T
 * @param {HTMLButtonElement|HTMLInputElement|null} control
 * @param {() => Promise<T>} action
 * @returns {Promise<T|undefined>}
 */
export async function attempt(control, action) {
  if (control) control.disabled = true;
  try {
    return await action();
  } catch (error) {
    toast(error.message, "wrong");
  } finally {
    if (control) control.disabled = false;
  }
}
