/** Which photos the grid shows, in which order, and which of them are stacked. */

/**
 * @typedef {import("./album.js").Album} Album
 * @typedef {import("./api.js").Photo} Photo
 * @typedef {{id: string, count: number, isOpen: boolean, inStack: boolean}} Entry
 *   `count`: photos of the stack that this one stands for; 0 of none
 */

const UNSURE = 0.65; // chance to be in the right half, below which a place is a guess

/** @type {Record<string, {label: string, holds: (album: Album, id: string) => boolean}>} */
export const FILTERS = {
  all: { label: "All", holds: () => true },
  rated: { label: "Rated", holds: (album, id) => album.ratings.has(id) },
  unrated: { label: "Not rated", holds: (album, id) => !album.ratings.has(id) },
  unsure: {
    label: "Unsure",
    holds: (album, id) => !album.isAnswered(id) && (album.place(id)?.sure ?? 1) < UNSURE,
  },
  four: { label: "4 stars or more", holds: (album, id) => Math.round(starsOf(album, id)) >= 4 },
  picks: { label: "Picks", holds: (album, id) => album.flags.get(id) === "pick" },
  rejected: { label: "Rejected", holds: (album, id) => album.flags.get(id) === "reject" },
  skipped: {
    label: "Skipped",
    holds: (album, id) => album.passed.has(id) && !album.ratings.has(id),
  },
};

const last = Number.MAX_SAFE_INTEGER;
const byName = new Intl.Collator(undefined, { numeric: true });
const placeOf = (album, id) => album.places.get(id) ?? last;

/** @type {Record<string, {label: string, needsOrder: boolean, value: (album: Album, id: string) => number}>} */
export const SORTS = {
  yours: { label: "Your order", needsOrder: true, value: placeOf },
  generic: {
    label: "One taste for all",
    needsOrder: true,
    value: (album, id) => album.ranking?.generic[album.places.get(id)] ?? last,
  },
  move: {
    label: "Biggest move",
    needsOrder: true,
    value: (album, id) => -Math.abs(album.place(id)?.move ?? 0),
  },
  time: {
    label: "Time taken",
    needsOrder: false,
    value: (album, id) => album.photos.get(id).time ?? last,
  },
  name: { label: "Name", needsOrder: false, value: () => 0 },
};

/** The person's own stars, or else those the app shows. */
function starsOf(album, id) {
  return album.ratings.get(id) ?? (album.ranking?.order_known ? album.place(id)?.stars : 0) ?? 0;
}

/**
 * @param {Album} album
 * @param {string} filter
 * @param {boolean} own whether the person's own photos alone are looked at
 * @returns {Photo[]} that it holds
 */
export function filtered(album, filter, own) {
  const isIn = (photo) => (photo.own || !own) && FILTERS[filter].holds(album, photo.id);
  return [...album.photos.values()].filter(isIn);
}

/**
 * @param {Album} album
 * @param {{filter: string, sort: string, stacked: boolean, open: Set<string>}} wish `open`: the
 *   best photos of the stacks that are spread out
 * @param {boolean} own
 * @returns {Entry[]}
 */
export function listing(album, { filter, sort, stacked, open }, own) {
  const { value, needsOrder } = SORTS[sort];
  const rows = filtered(album, filter, own)
    .map(({ id, name }) => ({
      id,
      name,
      value: value(album, id),
      place: needsOrder ? placeOf(album, id) : 0, // of those that are alike otherwise
    }))
    .sort((a, b) => a.value - b.value || a.place - b.place || byName.compare(a.name, b.name));
  const ids = rows.map(({ id }) => id);
  const alone = (id) => ({ id, count: 0, isOpen: false, inStack: false });
  if (!stacked) return ids.map(alone);
  const stackOf = stacksAmong(album.ranking?.stacks ?? [], new Set(ids));
  const entries = [];
  for (const id of ids) {
    const stack = stackOf.get(id);
    if (!stack) entries.push(alone(id));
    else if (!stack.placed) {
      stack.placed = true; // where the first of its photos would be, its best stands for all
      const [best, ...others] = stack.ids;
      const isOpen = open.has(best);
      entries.push({ id: best, count: stack.ids.length, isOpen, inStack: true });
      if (isOpen) for (const other of others) entries.push({ ...alone(other), inStack: true });
    }
  }
  return entries;
}

/** The stack of each photo, of those that are shown; stacks of one are none. */
function stacksAmong(stacks, shown) {
  const stackOf = new Map();
  for (const all of stacks) {
    const ids = all.filter((id) => shown.has(id));
    if (ids.length < 2) continue;
    const stack = { ids, placed: false };
    for (const id of ids) stackOf.set(id, stack);
  }
  return stackOf;
}
