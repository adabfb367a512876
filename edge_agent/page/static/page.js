// Keeps the numbers of the Live page new while it is open. The page is complete without it.

const look = async () => {
  if (document.hidden) return;
  const answer = await fetch("/live.json");
  if (!answer.ok) return;
  const texts = await answer.json();
  for (const part of document.querySelectorAll("[data-live]")) {
    const text = texts[part.dataset.live];
    if (text !== undefined && part.textContent !== text) part.textContent = text;
  }
};

if (document.querySelector("[data-live]")) {
  // A request that fails (the agent restarts) is tried again ten seconds later.
  setInterval(() => look().catch(() => undefined), 10_000);
}
