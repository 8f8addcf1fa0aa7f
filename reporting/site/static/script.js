// Keeps a page up to date while the run goes on, and adds a few keys. Every page works without it.
"use strict";

const EVERY = 1000; // milliseconds between two looks

function parsed(text) {
  return new DOMParser().parseFromString(text, "text/html");
}

async function fetched(url) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(String(answer.status));
  return parsed(await answer.text());
}

function live() {
  return document.getElementById("live");
}

let version = live()?.dataset.version;

async function look() {
  const found = (await fetched("/live")).getElementById("live");
  const shown = live();
  if (!found || !shown) return;
  if (found.dataset.phase !== shown.dataset.phase || found.dataset.condition !== shown.dataset.condition) {
    document.getElementById("announcer").textContent = `${found.dataset.condition}, ${found.dataset.phase}`;
  }
  const changed = found.dataset.version !== version || found.dataset.condition !== shown.dataset.condition;
  if (found.outerHTML !== shown.outerHTML) shown.replaceWith(found);
  if (!changed) return;
  if (document.querySelector("[data-live]")) await renew();
  else offer();
  version = found.dataset.version;
}

// The parts that follow the run are replaced; a reader's focus stays where it was.
async function renew() {
  const fresh = await fetched(location.href);
  for (const part of document.querySelectorAll("[data-live]")) {
    const other = fresh.getElementById(part.id);
    if (!other || other.outerHTML === part.outerHTML) continue;
    const links = [...part.querySelectorAll("a")];
    const place = links.indexOf(document.activeElement);
    const [left, had] = [part.scrollLeft, part === document.activeElement];
    part.replaceWith(other);
    other.scrollLeft = left;
    if (had) other.focus({ preventScroll: true });
    if (place >= 0) other.querySelectorAll("a")[place]?.focus({ preventScroll: true });
  }
}

// A list that somebody reads does not move by itself.
function offer() {
  if (document.getElementById("more")) return;
  const note = document.createElement("p");
  const link = document.createElement("a");
  note.id = "more";
  link.href = location.href;
  link.textContent = "The run has gone on: show what is new";
  link.addEventListener("click", (event) => {
    event.preventDefault();
    location.reload();
  });
  note.append(link);
  document.getElementById("main").prepend(note);
}

async function follow() {
  if (!document.hidden) {
    try {
      await look();
      document.body.classList.remove("away");
    } catch {
      document.body.classList.add("away"); // the server has ended, or the run is writing; the next look tells
    }
  }
  setTimeout(follow, EVERY);
}

function types(target) {
  return target.closest("input, select, textarea, [contenteditable]");
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || types(event.target)) return;
  if (event.key === "/") {
    event.preventDefault();
    document.getElementById("search")?.focus();
  } else if (event.key === "n" || event.key === "p") {
    document.querySelector(event.key === "n" ? "a[rel=next]" : "a[rel=prev]")?.click();
  }
});

// Empty filters need not stand in the address.
document.addEventListener("formdata", (event) => {
  for (const [name, value] of [...event.formData]) if (value === "") event.formData.delete(name);
});

if (live()) setTimeout(follow, EVERY);
