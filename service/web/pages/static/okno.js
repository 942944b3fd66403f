// What htmx does not do by itself: leaves the page alone where nothing changed or somebody is selecting text, keeps
// opened details open and the keyboard's focus where it was, says when the hub is out of reach and what came of a button.
"use strict";

let shown = null; // the live part as it came last, to tell whether anything changed
let reopen = [];
let focused = null;
let selectedAt = 0;

const live = () => document.getElementById("live");
const flag = (name, on) => document.documentElement.classList.toggle(name, on);

const say = (text, failed) => {
  const toast = document.getElementById("toast");
  toast.textContent = text;
  toast.classList.toggle("bad", failed);
  toast.hidden = false;
  clearTimeout(say.timer);
  say.timer = setTimeout(() => { toast.hidden = true; }, failed ? 12000 : 4000);
};

const nameOf = (element) => element.getAttribute("href") ?? element.getAttribute("hx-post") ?? element.parentElement.id;

// Only while it is fresh: a forgotten selection must not stop the clock for good.
const selecting = (region) => {
  const selection = getSelection();
  return !selection.isCollapsed && region.contains(selection.anchorNode) && Date.now() - selectedAt < 15000;
};
document.addEventListener("selectionchange", () => { selectedAt = Date.now(); });

const opened = () => [...document.querySelectorAll("#live details[open][id]")].map((details) => details.id);

document.addEventListener("htmx:configRequest", (event) => {
  const parameters = event.detail.parameters;
  for (const [name, value] of Object.entries(parameters)) {
    if (value === "") delete parameters[name];
  }
});

document.addEventListener("htmx:beforeRequest", (event) => {
  if (event.target === live() && document.hidden) event.preventDefault();
});

document.addEventListener("htmx:beforeSwap", (event) => {
  const region = event.detail.target;
  if (!region || region.id !== "live" || !event.detail.shouldSwap) return;
  const next = new DOMParser().parseFromString(event.detail.xhr.responseText, "text/html").getElementById("live");
  const html = next ? next.outerHTML : "";
  if (event.detail.elt === region && (html === shown || selecting(region))) {
    event.detail.shouldSwap = false;
    return;
  }
  shown = html;
  reopen = opened();
  focused = region.contains(document.activeElement) ? nameOf(document.activeElement) : null;
});

document.addEventListener("htmx:afterSwap", () => {
  for (const id of reopen) {
    const details = document.getElementById(id);
    if (details) details.open = true;
  }
  if (focused && live()) {
    const again = [...live().querySelectorAll("a, button, summary")].find((element) => nameOf(element) === focused);
    if (again) again.focus({ preventScroll: true });
  }
  reopen = [];
  focused = null;
});

document.addEventListener("htmx:afterRequest", (event) => {
  const { elt, xhr, successful } = event.detail;
  const status = xhr ? xhr.status : 0;
  flag("offline", status === 0 || status >= 502);
  if (status === 401 || status === 403) {
    location.reload();
    return;
  }
  if (!elt.dataset || elt.dataset.done === undefined) return;
  if (successful) {
    say(elt.dataset.done, false);
    if (live()) htmx.trigger(live(), "refresh");
    return;
  }
  let why = String(status || "");
  try {
    const problem = JSON.parse(xhr.responseText);
    why = problem.detail || problem.title || why;
  } catch { /* not problem+json: the number must do */ }
  say(`${elt.dataset.failed} ${why}`, true);
});

if (live()) shown = live().outerHTML;
