// The sentence of the use under the pointer, or of the one that the arrow keys have gone to. Without this, hovering shows it too.
const tip = document.getElementById("tip");
let shown = null, held = "";
function hide() {
  if (shown) { shown.firstElementChild.textContent = held; shown.classList.remove("at"); }
  shown = null; tip.hidden = true;
}
function show(point) {
  hide();
  const title = point.firstElementChild;
  shown = point; held = title.textContent;
  title.textContent = "";  // or the browser's own hint would lie over ours
  point.classList.add("at");
  tip.textContent = held; tip.hidden = false;
  const at = point.getBoundingClientRect(), width = document.documentElement.clientWidth;
  const left = Math.min(Math.max(at.left + at.width / 2 - tip.offsetWidth / 2, 8), width - tip.offsetWidth - 8);
  const above = at.top - tip.offsetHeight - 10;
  tip.style.left = left + "px";
  tip.style.top = (above > 8 ? above : at.bottom + 10) + "px";
}
for (const map of document.querySelectorAll(".stage svg[tabindex]")) {
  map.addEventListener("pointerover", event => { const point = event.target.closest(".pt"); point ? show(point) : hide(); });
  map.addEventListener("pointerleave", hide);
  map.addEventListener("blur", hide);
  map.addEventListener("keydown", event => {
    const points = [...map.querySelectorAll(".pt")], step = {ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1}[event.key];
    if (event.key === "Escape") hide();
    if (!step) return;
    event.preventDefault();
    const at = points.indexOf(shown);
    show(points[at < 0 ? (step > 0 ? 0 : points.length - 1) : (at + step + points.length) % points.length]);
  });
}
addEventListener("scroll", hide, {passive: true});
addEventListener("beforeprint", hide);
