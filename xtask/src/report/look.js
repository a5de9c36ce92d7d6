// Looks at a report in a browser and tells the page around it what it sees, as JSON.
// `report.rs` appends this to a copy of the page; no report holds a script itself.
"use strict";

/** Style of a shape that comes from the page and would be lost in a picture of its own. */
const STYLES = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-dasharray"];

/** How many pixels the marks of a chart paint, and nothing else of it. */
async function paintedPixels(svg) {
  const { width, height } = svg.viewBox.baseVal;
  const copy = svg.cloneNode(true);
  const shapes = [...svg.querySelectorAll("*")];
  [...copy.querySelectorAll("*")].forEach((shape, i) => {
    const style = getComputedStyle(shapes[i]);
    STYLES.forEach((name) => shape.style.setProperty(name, style.getPropertyValue(name)));
  });
  copy.querySelectorAll(":not(.mark)").forEach((shape) => shape.remove());
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  copy.setAttribute("width", width);
  copy.setAttribute("height", height);
  const picture = new Image();
  picture.src = "data:image/svg+xml;charset=utf-8," + encodeURIComponent(new XMLSerializer().serializeToString(copy));
  await picture.decode();
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d");
  context.drawImage(picture, 0, 0);
  const pixels = context.getImageData(0, 0, width, height).data;
  let n = 0;
  for (let i = 3; i < pixels.length; i += 4) n += pixels[i] > 20 ? 1 : 0;
  return n;
}

/** By how many pixels two boxes lie over each other, in the direction in which they do less. */
function overlap(a, b) {
  const x = Math.min(a.right, b.right) - Math.max(a.left, b.left);
  const y = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
  return Math.min(x, y);
}

/** What is wrong with the texts of a chart: outside of its box, or over each other. */
function textFaults(figure, texts) {
  const box = figure.getBoundingClientRect();
  const boxes = texts.map((text) => text.getBoundingClientRect());
  const faults = [];
  boxes.forEach((a, i) => {
    if (a.left < box.left - 1 || a.right > box.right + 1 || a.top < box.top || a.bottom > box.bottom) {
      faults.push(`outside: ${texts[i].textContent}`);
    }
    boxes.slice(i + 1).forEach((b, j) => {
      if (overlap(a, b) > 2.5) faults.push(`over each other: ${texts[i].textContent} | ${texts[i + 1 + j].textContent}`);
    });
  });
  return faults;
}

async function look() {
  const figures = [];
  for (const figure of document.querySelectorAll("figure")) {
    const svg = figure.querySelector("svg");
    const texts = [...svg.querySelectorAll("text")];
    const box = svg.getBoundingClientRect();
    figures.push({
      id: figure.id,
      isEmpty: svg.querySelector(".empty") !== null,
      marks: svg.querySelectorAll(".mark").length,
      painted: await paintedPixels(svg),
      width: box.width,
      fontPx: (12 * box.width) / svg.viewBox.baseVal.width,
      faults: textFaults(figure, texts),
    });
  }
  let n_small = 0;
  for (const svg of document.querySelectorAll("td svg")) n_small += svg.getBoundingClientRect().width > 0 ? 1 : 0;
  const [red, green, blue] = getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number);
  return {
    figures,
    smallHistograms: n_small,
    title: document.title,
    isDark: red + green + blue < 200,
    width: window.innerWidth,
    overflow: document.documentElement.scrollWidth - window.innerWidth,
  };
}

look()
  .catch((error) => ({ error: String(error) }))
  .then((seen) => parent.postMessage(encodeURIComponent(JSON.stringify(seen)), "*"));
