// Reads from a page, as it is rendered: what overflows, and which texts and signs have less contrast
// than `least`. Of a large page, everything else would take seconds to hand over.
(least) => {
  const channels = (color) => (color.match(/[\d.]+/g) || []).map(Number);
  const luminance = (color) => {
    const [r, g, b] = channels(color).slice(0, 3).map((it) => {
      const part = it / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (one, other) => {
    const [high, low] = [luminance(one), luminance(other)].sort((a, b) => b - a);
    return (high + 0.05) / (low + 0.05);
  };
  const isClear = (color) => color === "transparent" || channels(color)[3] === 0;
  const behind = (element) => {
    for (let it = element; it; it = it.parentElement) {
      const color = getComputedStyle(it).backgroundColor;
      if (!isClear(color)) return color;
    }
    return "rgb(255, 255, 255)";
  };
  const texts = [];
  for (const element of document.body.querySelectorAll("*")) {
    const says = [...element.childNodes].some((it) => it.nodeType === 3 && it.data.trim());
    if (!says || element.closest("title, style") || !element.getClientRects().length) continue;
    const style = getComputedStyle(element);
    const inPicture = element instanceof SVGElement;
    const mark = element.classList.contains("letter") && element.previousElementSibling;
    const ground = mark ? getComputedStyle(mark).fill : behind(element);
    const ratio = contrast(inPicture ? style.fill : style.color, ground);
    texts.push({ text: element.textContent.trim().slice(0, 40), ratio });
  }
  const signs = [...document.querySelectorAll(".tone > :first-child, .line, .open, .late")]
    .filter((it) => it.getClientRects().length)
    .map((it) => {
      const style = getComputedStyle(it);
      const color = style.fill === "none" ? style.stroke : style.fill;
      return { text: it.parentElement.className.baseVal || it.className.baseVal, ratio: contrast(color, behind(it)) };
    });
  const root = document.documentElement;
  const wide = [...document.body.querySelectorAll("*")]
    .filter((it) => !it.closest(".scroll, svg") && it.getBoundingClientRect().right > root.clientWidth + 1)
    .map((it) => it.outerHTML.slice(0, 80));
  const faint = [
    ...texts.filter((it) => !(it.ratio >= least.text)),
    ...signs.filter((it) => !(it.ratio >= least.sign)),
  ];
  return { texts: texts.length, faint, wide, over: root.scrollWidth - root.clientWidth };
}
