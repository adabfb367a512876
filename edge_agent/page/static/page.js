// Keeps the numbers of a page new while it is open. The page is complete without it.

const setup = document.querySelector("[data-state]");
const [source, every_ms] = setup ? ["/setup.json", 2_000] : ["/live.json", 10_000];

const look = async () => {
  if (document.hidden) return;
  const answer = await fetch(source);
  if (!answer.ok) return setup && location.reload();
  const texts = await answer.json();
  if (setup && texts.state !== setup.dataset.state) return location.reload();
  for (const part of document.querySelectorAll("[data-live]")) {
    const text = texts[part.dataset.live];
    if (text !== undefined && part.textContent !== text) part.textContent = text;
  }
};

// A request that fails (the agent restarts) is tried again next time.
setInterval(() => look().catch(() => undefined), every_ms);
