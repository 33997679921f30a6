() => {
  // 1-5: stars; arrows: the better of two; s: skip; u: undo. Each is a click on the button there.
  const shown = (id) => {
    const button = document.getElementById(id);
    return button && button.offsetParent !== null && !button.disabled ? button : null;
  };
  const typing = (element) =>
    element.isContentEditable ||
    ["TEXTAREA", "SELECT"].includes(element.tagName) ||
    (element.tagName === "INPUT" && !["radio", "checkbox"].includes(element.type));
  const buttonOf = (key) => {
    if (/^[1-5]$/.test(key)) return shown(`star-${key}`);
    const ids = { ArrowLeft: "choose-left", ArrowRight: "choose-right", s: "skip", u: "undo" };
    return key in ids ? shown(ids[key]) : null;
  };
  document.addEventListener(
    "keydown",
    (event) => {
      if (event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
      if (typing(event.target)) return;
      const button = buttonOf(event.key);
      if (button === null) return;
      event.preventDefault();
      event.stopPropagation();
      button.click();
    },
    true
  );
}
