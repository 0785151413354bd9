"use strict";
(() => {
  const page = document.body;
  const main = document.querySelector("main");
  const seconds = Number(page.dataset.refresh) || 0;
  const live = document.getElementById("live");
  const pause = document.getElementById("pause");
  const filter = document.getElementById("filter");
  const shown = document.getElementById("shown");
  const version = (doc) => doc.querySelector("meta[name=generator]")?.content;
  let paused = false;
  let timer = 0;
  let answered = Date.now();
  let asking = false;

  // What the person did to the page stays: open details, hidden rows, anything marked data-keep.
  const kept = (name) => name === "open" || name === "hidden";
  const matches = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName && (a.id || "") === (b.id || "");

  const morph = (from, to) => {
    if (from.nodeType !== Node.ELEMENT_NODE) {
      if (from.data !== to.data) from.data = to.data;
      return;
    }
    if (from.hasAttribute("data-keep") || from.isEqualNode(to)) return;
    for (const { name, value } of to.attributes) {
      if (!kept(name) && from.getAttribute(name) !== value) from.setAttribute(name, value);
    }
    for (const { name } of [...from.attributes]) {
      if (!kept(name) && !to.hasAttribute(name)) from.removeAttribute(name);
    }
    const byId = new Map();
    for (const child of from.children) if (child.id) byId.set(child.id, child);
    let at = from.firstChild;
    for (const wanted of [...to.childNodes]) {
      let same = null;
      if (wanted.id) {
        same = byId.get(wanted.id) ?? null;
        byId.delete(wanted.id);
        if (same && !matches(same, wanted)) same = null;
      } else if (at && matches(at, wanted)) {
        same = at;
      }
      if (!same) {
        from.insertBefore(document.importNode(wanted, true), at);
        continue;
      }
      if (same === at) at = at.nextSibling;
      else from.insertBefore(same, at);
      morph(same, wanted);
    }
    while (at) {
      const gone = at;
      at = at.nextSibling;
      gone.remove();
    }
  };

  const applyFilter = () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const items = main.querySelectorAll(".item");
    let count = 0;
    for (const item of items) {
      const text = words.length ? item.textContent.toLowerCase() : "";
      const hit = words.every((word) => text.includes(word));
      if (item.hidden === hit) item.hidden = !hit;
      if (hit) count += 1;
    }
    const said = words.length ? `${count} of ${items.length}` : "";
    if (shown.textContent !== said) shown.textContent = said;
  };

  const say = (link, text) => {
    page.dataset.link = link;
    if (live.textContent !== text) live.textContent = text;
  };

  const take = (html) => {
    const next = new DOMParser().parseFromString(html, "text/html");
    const nextMain = next.querySelector("main");
    if (!nextMain || next.body.dataset.page !== page.dataset.page) throw new Error("not the status page");
    if (version(next) !== version(document)) {
      paused = true;
      pause.hidden = true;
      say("lost", "The server was updated: refresh the page");
      return;
    }
    document.title = next.title;
    const now = document.getElementById("now");
    const nextNow = next.getElementById("now");
    if (now && nextNow) morph(now, nextNow);
    morph(main, nextMain);
    applyFilter();
    say("live", "Live");
  };

  const refresh = async () => {
    clearTimeout(timer);
    if (asking || paused || document.hidden) return;
    asking = true;
    const began = Date.now();
    try {
      const reply = await fetch(location.pathname + location.search, {
        cache: "no-store", headers: { Accept: "text/html" }, signal: AbortSignal.timeout(10000),
      });
      if (!reply.ok) throw new Error(`status ${reply.status}`);
      const html = await reply.text();
      answered = Date.now();
      if (!paused) take(html);
    } catch {
      if (!paused) say("lost", `No answer for ${Math.round((Date.now() - answered) / 1000)} s, trying again`);
    }
    asking = false;
    // A slow line or a slow machine is asked less often.
    if (!paused) timer = setTimeout(refresh, Math.max(seconds * 1000, (Date.now() - began) * 10));
  };

  for (const element of document.querySelectorAll("[data-script]")) element.hidden = false;
  filter.addEventListener("input", applyFilter);
  filter.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      filter.value = "";
      applyFilter();
    }
  });
  applyFilter();
  if (seconds > 0) {
    say("live", "Live");
    pause.addEventListener("click", () => {
      paused = !paused;
      pause.textContent = paused ? "Resume" : "Pause";
      if (paused) {
        clearTimeout(timer);
        say("paused", "Paused");
      } else {
        answered = Date.now();
        say("live", "Live");
        refresh();
      }
    });
    document.addEventListener("visibilitychange", refresh);
    timer = setTimeout(refresh, seconds * 1000);
  }
})();
