"use strict";
(() => {
  const WIDTH = 1200, MARGIN = 10, CHARACTER = 7, LEAST = 0.2;
  const svg = document.documentElement;
  const frames = [...svg.querySelectorAll(".frame")].map((group) => ({
    group,
    rect: group.querySelector("rect"),
    text: group.querySelector("text"),
    name: group.dataset.name,
    x: +group.dataset.x,
    w: +group.dataset.w,
    y: +group.querySelector("rect").getAttribute("y"),
  }));
  const detail = svg.querySelector(".detail");
  const reset = svg.querySelector("#reset"), search = svg.querySelector("#search");

  function place(frame, x, w) {
    const pixels = w * (WIDTH - 2 * MARGIN), left = MARGIN + x * (WIDTH - 2 * MARGIN);
    frame.group.classList.toggle("hidden", pixels < LEAST);
    if (pixels < LEAST) return;
    frame.rect.setAttribute("x", left);
    frame.rect.setAttribute("width", pixels);
    frame.text.setAttribute("x", left + 4);
    const room = Math.floor((pixels - 8) / CHARACTER);
    frame.text.textContent =
      room < 3 ? "" : frame.name.length <= room ? frame.name : frame.name.slice(0, room - 1) + "…";
  }

  // What holds `to` is drawn over the whole width, what is beside it not at all.
  function zoom(to) {
    for (const frame of frames) {
      const holds = frame.x <= to.x + 1e-9 && frame.x + frame.w >= to.x + to.w - 1e-9;
      const outside = holds && frame.y < to.y;
      frame.group.classList.toggle("outside", outside);
      const left = Math.max(frame.x, to.x), right = Math.min(frame.x + frame.w, to.x + to.w);
      place(frame, (left - to.x) / to.w, Math.max(0, right - left) / to.w);
    }
    reset.classList.toggle("hidden", to === frames[0]);
  }

  function find(wanted) {
    const needle = wanted.toLowerCase();
    const spans = [];
    for (const frame of frames) {
      const found = needle !== "" && frame.name.toLowerCase().includes(needle);
      frame.group.classList.toggle("found", found);
      if (found) spans.push([frame.x, frame.x + frame.w]);
    }
    // Frames under one another count once.
    let end = 0, share = 0;
    for (const [left, right] of spans.sort((a, b) => a[0] - b[0])) {
      share += Math.max(0, right - Math.max(left, end));
      end = Math.max(end, right);
    }
    detail.textContent = needle ? `${wanted}: ${(share * 100).toFixed(1)} %` : "";
    search.textContent = needle ? "clear search" : "search (/)";
  }

  function ask() {
    if (search.textContent === "clear search") return find("");
    const wanted = prompt("Function name, or a part of it:", "");
    if (wanted !== null) find(wanted);
  }

  for (const frame of frames) {
    frame.group.addEventListener("click", () => zoom(frame));
    frame.group.addEventListener("mouseover", () => {
      detail.textContent = frame.group.querySelector("title").textContent;
    });
  }
  reset.addEventListener("click", () => zoom(frames[0]));
  search.addEventListener("click", ask);
  addEventListener("keydown", (key) => {
    if (key.key === "Escape") zoom(frames[0]);
    if (key.key === "/") { key.preventDefault(); ask(); }
  });
  zoom(frames[0]);
})();
