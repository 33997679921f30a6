/** What this browser keeps of the person, so that a reload or a new start of the app goes on. */

export class Kept {
  /** @param {string} key of the album */
  constructor(key) {
    this.key = key;
  }

  /** @param {string} [part] */
  read(part = "") {
    try {
      return JSON.parse(localStorage.getItem(this.key + part) ?? "null");
    } catch {
      return null;
    }
  }

  /**
   * @param {any} value
   * @param {string} [part]
   */
  write(value, part = "") {
    try {
      localStorage.setItem(this.key + part, JSON.stringify(value));
    } catch {
      // A browser that keeps nothing, or is full: the server still has it.
    }
  }
}
