"use strict";
for (const plot of document.querySelectorAll(".plot[data-chart]")) {
  const { steps: [low, high], series } = JSON.parse(plot.dataset.chart);
  const steps = [...new Set(series.flatMap((one) => one.points.map((point) => point[0])))].sort((a, b) => a - b);
  const cursor = Object.assign(document.createElement("div"), { className: "cursor", hidden: true });
  const tip = Object.assign(document.createElement("div"), { className: "tip", hidden: true });
  plot.append(cursor, tip);
  const nearest = (wanted) => steps.reduce((best, step) => (Math.abs(step - wanted) < Math.abs(best - wanted) ? step : best));
  plot.addEventListener("pointermove", (event) => {
    const box = plot.getBoundingClientRect();
    const step = nearest(low + ((event.clientX - box.left) / box.width) * (high - low));
    const place = ((step - low) / (high - low)) * box.width;
    const lines = series.flatMap((one) => one.points.filter((point) => point[0] === step).slice(0, 1).map((point) => `${one.name} ${point[2]}`));
    cursor.style.left = `${place}px`;
    tip.innerText = [`step ${step.toLocaleString("en")}`, ...lines].join("\n");
    cursor.hidden = tip.hidden = false;
    tip.style.left = `${Math.max(0, Math.min(place + 10, box.width - tip.offsetWidth))}px`;
  });
  plot.addEventListener("pointerleave", () => { cursor.hidden = tip.hidden = true; });
}
for (const plot of document.querySelectorAll(".plot[data-dots]")) {
  const dots = JSON.parse(plot.dataset.dots);
  const tip = Object.assign(document.createElement("div"), { className: "tip", hidden: true });
  plot.append(tip);
  plot.addEventListener("pointermove", (event) => {
    const box = plot.getBoundingClientRect();
    const far = ([x, y]) => Math.hypot(box.left + x * box.width - event.clientX, box.bottom - y * box.height - event.clientY);
    const [x, , ...lines] = dots.reduce((best, dot) => (far(dot) < far(best) ? dot : best));
    tip.innerText = lines.join("\n");
    tip.hidden = false;
    tip.style.left = `${Math.max(0, Math.min(x * box.width + 10, box.width - tip.offsetWidth))}px`;
  });
  plot.addEventListener("pointerleave", () => { tip.hidden = true; });
}
for (const button of document.querySelectorAll(".command button")) {
  button.addEventListener("click", async () => {
    const text = button.parentElement.querySelector("pre").innerText;
    try { await navigator.clipboard.writeText(text); button.textContent = "Copied"; } catch { getSelection().selectAllChildren(button.parentElement.querySelector("pre")); }
  });
}
