// What scripts add to a page: a slider that shows the values at a time of day, and a hint when newer readings exist. Every page is complete without it.

for (const box of document.querySelectorAll("[data-look]")) {
  const section = box.closest("section");
  const rows = section.querySelectorAll("tr[data-sentence]");
  const chart = section.querySelector(".chart");
  const line = section.querySelector(".look");
  const slider = box.querySelector("input");
  const shown = box.querySelector("p");

  const show = () => {
    const at = Number(slider.value);
    const sentence = rows[at].dataset.sentence;
    shown.textContent = sentence;
    slider.setAttribute("aria-valuetext", sentence);
    line.setAttribute("transform", `translate(${4 + (352 * (at + 0.5)) / rows.length})`);
    line.classList.add("on");
  };
  const point = (event) => {
    const edge = chart.getBoundingClientRect();
    const share = ((event.clientX - edge.left) / edge.width) * (360 / 352) - 4 / 352;
    slider.value = Math.floor(Math.min(Math.max(share, 0), 0.999) * rows.length);
    show();
  };

  slider.addEventListener("input", show);
  chart.addEventListener("pointermove", point);
  chart.addEventListener("pointerdown", point);
  shown.textContent = rows[slider.value].dataset.sentence;
  box.hidden = false;
}

const fresh = document.querySelector("[data-through]");
const newer = document.querySelector(".newer");

const lookForNewer = async () => {
  if (document.hidden) return;
  const answer = await fetch("/fresh.json");
  if (answer.ok && (await answer.json()).through > Number(fresh.dataset.through)) newer.hidden = false;
};

if (fresh && newer) {
  // A request that fails (the hub restarts, the phone is offline) is tried again a minute later.
  setInterval(() => lookForNewer().catch(() => undefined), 60_000);
}
