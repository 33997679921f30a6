() => {
  // Answers, by mouse or by key, reach the server one at a time and in their order: those that come
  // before the reply to the last one wait here, so that none is lost and each is of the photo after
  // the one before.
  // Keys: 1-5: stars; arrows: the better of two; s: skip; u: undo. Each is a click on the button.
  const PATIENCE = 60000; // milliseconds after which a reply that never came is waited for no more
  const KEYS = { ArrowLeft: "choose-left", ArrowRight: "choose-right", s: "skip", u: "undo" };
  for (let stars = 1; stars <= 5; stars++) KEYS[stars] = `star-${stars}`;
  const IDS = Object.values(KEYS);
  const PHOTOS = { left: "choose-left", right: "choose-right" };

  const waiting = [];
  let pending = null; // the timer of the answer that is on its way
  let passing = false; // whether a click is one of those that waited

  const shown = (id) => {
    const button = document.getElementById(id);
    return button && button.offsetParent !== null && !button.disabled ? button : null;
  };
  const tell = () => {
    const place = document.getElementById("rating");
    if (place === null) return;
    if (waiting.length) place.dataset.waiting = waiting.length;
    else delete place.dataset.waiting;
  };
  const send = (button) => {
    clearTimeout(pending);
    pending = setTimeout(replied, PATIENCE);
    passing = true;
    button.click();
    passing = false;
  };
  const replied = () => {
    clearTimeout(pending);
    pending = null;
    // After the page has taken the reply in.
    setTimeout(() => {
      if (pending !== null) return;
      let button = null;
      while (waiting.length && button === null) button = shown(waiting.shift());
      tell();
      if (button !== null) send(button);
    });
  };
  const answer = (id) => {
    const button = shown(id);
    if (button === null) return false;
    if (pending !== null || waiting.length) waiting.push(id);
    else send(button);
    tell();
    return true;
  };
  const typing = (element) =>
    element.isContentEditable ||
    ["TEXTAREA", "SELECT"].includes(element.tagName) ||
    (element.tagName === "INPUT" && !["radio", "checkbox"].includes(element.type));
  const clicked = (target) => {
    const button = target.closest?.("button");
    if (button && IDS.includes(button.id)) return button.id;
    return target.tagName === "IMG" ? PHOTOS[target.closest("#left, #right")?.id] : undefined;
  };

  if (!window.aestheticTVReplied) pending = setTimeout(replied, PATIENCE); // the first photo
  window.aestheticTV = { replied };
  document.addEventListener(
    "click",
    (event) => {
      const id = passing ? undefined : clicked(event.target);
      if (id === undefined) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      answer(id);
    },
    true
  );
  document.addEventListener(
    "keydown",
    (event) => {
      if (event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
      if (typing(event.target) || !(event.key in KEYS) || !answer(KEYS[event.key])) return;
      event.preventDefault();
      event.stopPropagation();
    },
    true
  );
}
