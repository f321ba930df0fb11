/**
 * The only script of the page: pointing at a plot shows the figures of that moment in the legends, in all plots over time at once.
 * Without it the page says the same but for these figures.
 */

export const script = `
(() => {
  const source = document.getElementById("points");
  if (!source) return;
  const plots = JSON.parse(source.textContent);
  const frames = [...document.querySelectorAll("[data-plot]")].map((frame) => ({
    plot: plots[frame.dataset.plot],
    field: frame.querySelector(".field"),
    cursor: frame.querySelector(".cursor"),
    outputs: frame.parentElement.querySelectorAll("output"),
  }));
  const short = (value) => {
    const size = Math.abs(value);
    const digits = size >= 99.95 || size === 0 ? 0 : size >= 9.995 ? 1 : size >= 0.9995 ? 2 : 3;
    return value.toLocaleString("en", { maximumFractionDigits: digits });
  };
  const written = {
    ms: (value) => value > 0 && value < 0.9995 ? short(value * 1000) + " µs" : value < 999.5 ? short(value) + " ms" : short(value / 1000) + " s",
    number: short,
    rate: (value) => short(value) + "/s",
  };
  const place = {
    time: (x) => x < 120 ? short(x) + " s" : Math.floor(x / 60) + ":" + String(Math.floor(x % 60)).padStart(2, "0") + " min",
    linear: (x) => short(x) + "/s",
    percentile: (x) => (100 * x).toPrecision(Math.max(3, Math.ceil(-Math.log10(1 - x)) + 2)).slice(0, 9) + " %",
  };
  const nearest = (list, value) => {
    let best = 0;
    for (let at = 1; at < list.length; at++)
      if (Math.abs(list[at] - value) < Math.abs(list[best] - value)) best = at;
    return best;
  };
  const show = ({ plot, cursor, outputs }, index) => {
    cursor.style.display = "block";
    cursor.style.left = plot.at[index] * 100 + "%";
    cursor.firstChild.textContent = place[plot.log](plot.xs[index]);
    plot.lines.forEach((line, at) => {
      const value = line.values[index];
      outputs[at].textContent = value === null ? "–" : written[line.kind](value);
    });
  };
  const hide = ({ cursor, outputs }) => {
    cursor.style.display = "none";
    for (const output of outputs) output.textContent = "";
  };
  for (const frame of frames) {
    frame.field.addEventListener("pointermove", (event) => {
      const box = frame.field.getBoundingClientRect();
      const index = nearest(frame.plot.at, (event.clientX - box.left) / box.width);
      for (const other of frames)
        if (other === frame) show(frame, index);
        else if (frame.plot.time && other.plot.time) show(other, nearest(other.plot.xs, frame.plot.xs[index]));
        else hide(other);
    });
    frame.field.addEventListener("pointerleave", () => frames.forEach(hide));
  }
})();
`;
