/** Elements, found and made. Text goes in as text alone: a file's name may hold anything. */

/**
 * @param {string} id
 * @returns {any} the element of the page with that id
 */
export const find = (id) => document.getElementById(id);

/**
 * @param {string} tag
 * @param {Record<string, any>} [properties] of the element; names with a dash are attributes
 * @param {...(Node|string|null)} children
 * @returns {any}
 */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-") || name === "role") element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

/**
 * One of the icons drawn in index.html.
 * @param {string} name
 */
export function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const drawing = document.createElementNS(space, "svg");
  drawing.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(space, "use");
  use.setAttribute("href", `#icon-${name}`);
  drawing.append(use);
  return drawing;
}

/**
 * A table of labels and values.
 * @param {[string, string][]} rows
 */
export function facts(rows) {
  const body = rows.map(([label, value]) =>
    make("tr", {}, make("th", { scope: "row", textContent: label }), make("td", { textContent: value })),
  );
  return make("table", { className: "facts" }, make("tbody", {}, ...body));
}

/** @param {number} stars 1 to 5, halves allowed */
export const starText = (stars) => `${Number(stars.toFixed(1))} ${stars === 1 ? "star" : "stars"}`;

/**
 * How many of something.
 * @param {number} count
 * @param {string} one
 * @param {string} [many]
 */
export const howMany = (count, one, many = `${one}s`) => `${count} ${count === 1 ? one : many}`;
