// What a page gains when scripts run: the slider that reads out a time of the day, and word of newer readings. Every page is complete without it.

for (const box of document.querySelectorAll("[data-look]")) {
  const section = box.closest("section");
  const rows = section.querySelectorAll("tr[data-say]");
  const chart = section.querySelector(".chart");
  const line = section.querySelector(".look");
  const slider = box.querySelector("input");
  const said = box.querySelector("p");

  const show = () => {
    const at = Number(slider.value);
    const sentence = rows[at].dataset.say;
    said.textContent = sentence;
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
  said.textContent = rows[slider.value].dataset.say;
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
  // A look that fails (the hub restarts, the phone is away) is simply tried again a minute later.
  setInterval(() => lookForNewer().catch(() => undefined), 60_000);
}
