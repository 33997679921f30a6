/** How well the app knows the person, how far it is with the photos, and what is not saved yet. */

import { facts, find, howMany } from "./dom.js";

/** @param {import("./api.js").State} state */
export function showStanding({ standing, looking, unsaved }) {
  find("standing-text").textContent = standing.text;
  find("standing-bar").value = standing.bar;
  find("standing-verdict").textContent = standing.verdict;
  find("standing-details").hidden = !standing.details.length;
  find("standing-facts").replaceChildren(facts(standing.details));
  find("looking").hidden = !looking.text;
  find("looking-text").textContent = looking.text;
  find("looking-bar").hidden = !looking.working;
  find("looking-bar").max = Math.max(looking.total, 1);
  find("looking-bar").value = looking.done;
  find("unsaved").hidden = !unsaved;
  find("unsaved").textContent = unsaved;
}

/** @param {number} count answers that have not arrived at the server */
export function showSaving(count) {
  find("saving").hidden = count === 0;
  find("saving").textContent = `saving ${howMany(count, "answer")} …`;
}
