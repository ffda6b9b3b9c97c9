"use strict";
// Draws plots: `drawPlot(place, plot)` puts one into an element. The data are what `plot_json` of
// `etude.report.page.figures` makes of a `Plot`. It needs `plot.css`, no other file and no network.
const drawPlot = (() => {
  const INCH = 860 / 7.2, POINT = 1.35, LETTER = 8.2, TURN = 35, WIDEST = 1120, WIDE_FROM = 600, PLAIN = "#4b4b4b", INK = "#1b1f24";
  const SHAPES = [
    "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0 -10 0",
    "M-5 -5h10v10h-10z",
    "M0 -6l6 11h-12z",
    "M0 -6l6 6l-6 6l-6 -6z",
    "M0 6l6 -11h-12z",
    "M-5 -2h3v-3h4v3h3v4h-3v3h-4v-3h-3z",
    "M-5 -5l10 10M-5 5l10 -10M-5 -5z",
    "M0 -6l2 4h4l-3 3l1 5l-4 -3l-4 3l1 -5l-3 -3h4z",
  ];
  const OPEN = 6; // the shape made of lines alone
  const HATCHES = [
    "", "M0 8L8 0M-2 2L2 -2M6 10L10 6", "M3 4a1 1 0 1 0 2 0a1 1 0 1 0 -2 0", "M0 0L8 8M0 8L8 0",
    "M0 0L8 8M-2 6L2 10M6 -2L10 2", "M4 0V8M0 4H8", "M2 4a2 2 0 1 0 4 0a2 2 0 1 0 -4 0", "M0 4H8",
  ];
  const DASHES = ["", "8 5", "2 3", "9 3 2 3", "4 4"];
  const dashes = (number = 0) => DASHES[number < 2 ? number : 1 + (number - 1) % (DASHES.length - 1)];

  const holder = document.createElement("div");
  holder.innerHTML = "<svg></svg>";
  const space = holder.firstChild.namespaceURI;
  const make = (name, attributes = {}, ...children) => {
    const element = document.createElementNS(space, name);
    for (const [key, value] of Object.entries(attributes)) {
      if (value !== undefined && value !== null && value !== "") element.setAttribute(key, value);
    }
    element.append(...children.flat().filter((child) => child !== null && child !== undefined));
    return element;
  };
  const html = (name, attributes, ...children) => {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...children);
    return element;
  };
  const at = (number) => Math.round(number * 10) / 10;
  const line = (x1, y1, x2, y2, css, more = {}) =>
    make("line", { x1: at(x1), y1: at(y1), x2: at(x2), y2: at(y2), class: css, ...more });
  const words = (x, y, text, anchor, css, turn = 0) => {
    const place = turn ? { transform: `translate(${at(x)} ${at(y)}) rotate(${-turn})` } : { x: at(x), y: at(y) };
    return make("text", { ...place, "text-anchor": anchor, class: css }, text);
  };
  const widest = (texts) => Math.max(0, ...texts.map((text) => text.length * LETTER));

  const share = (scale, value) => {
    const of = scale.logarithmic ? (number) => Math.log10(Math.max(number, 1e-300)) : (number) => number;
    return (of(value) - of(scale.low)) / (of(scale.high) - of(scale.low));
  };
  const tickTexts = (scale) => scale.ticks.map(([, text]) => text);

  // Where each panel stands in the picture.
  const framesOf = (plot, width) => {
    const each = width / plot.columns, frames = [];
    const beside = (panel) => panel.y.bare ? 6
      : widest(tickTexts(panel.y)) + (panel.y.label || plot.columns === 1 ? 34 : 14);
    const below = (panel) => {
      if (panel.x.bare) return panel.marks.some((mark) => mark.turned) ? 62 : 6;
      return 24 + (panel.x.label ? 18 : 0) + turnedRoom(panel.x);
    };
    let top = 4;
    plot.heights.forEach((inches, row) => {
      const tall = inches * INCH * (plot.columns === 1 ? 0.92 : 1);
      plot.panels.slice(row * plot.columns, (row + 1) * plot.columns).forEach((panel, column) => {
        const others = plot.panels.filter((_, index) => index % plot.columns === column);
        const left = each * column + Math.max(...others.map(beside)), upper = top + (panel.title ? 24 : 10);
        let right = each * (column + 1) - 14, bottom = top + tall - below(panel);
        if (panel.square) {
          const side = Math.min(right - left, bottom - upper);
          [right, bottom] = [left + side, upper + side];
        }
        frames.push({
          panel, left, right, top: upper, bottom,
          x: (value) => left + share(panel.x, value) * (right - left),
          y: (value) => bottom - share(panel.y, value) * (bottom - upper),
        });
      });
      top += tall;
    });
    return [frames, top + 2];
  };
  const turnedRoom = (scale) => scale.turned ? widest(tickTexts(scale)) * Math.sin(TURN * Math.PI / 180) * 0.85 : 0;

  const across = ({ panel, left, right, top, bottom, x }) => {
    if (panel.x.bare) return [];
    const ticks = panel.x.ticks.map(([value, text]) => [x(value), text]);
    const label = bottom + 37 + turnedRoom(panel.x);
    return [
      ...(panel.grid.includes("x") ? ticks.map(([place]) => line(place, top, place, bottom, "grid")) : []),
      line(left, bottom, right, bottom, "rule"),
      ...ticks.map(([place, text]) => panel.x.turned
        ? words(place + 4, bottom + 14, text, "end", "", TURN)
        : words(place, bottom + 17, text, "middle")),
      panel.x.label ? words((left + right) / 2, label, panel.x.label, "middle", "axis") : null,
    ];
  };
  const up = ({ panel, left, right, top, bottom, y }) => {
    if (panel.y.bare) return [];
    const ticks = panel.y.ticks.map(([value, text]) => [y(value), text]);
    const aside = left - widest(tickTexts(panel.y)) - 18;
    return [
      ...(panel.grid.includes("y") ? ticks.map(([place]) => line(left, place, right, place, "grid")) : []),
      line(left, top, left, bottom, "rule"),
      ...ticks.map(([place, text]) => words(left - 6, place + 4, text, "end")),
      panel.y.label ? words(aside, (top + bottom) / 2, panel.y.label, "middle", "axis", 90) : null,
    ];
  };

  // A shape that tells its tip when it is pointed at or reached.
  const telling = (tip, shape, css = "mark") =>
    tip ? make("g", { class: css, tabindex: -1, role: "img", "aria-label": tip, "data-tip": tip }, shape) : shape;
  const solid = (opacity) => opacity === undefined || opacity === 1 ? undefined : opacity;

  const drawers = {
    line: (mark, { x, y }) => mark.points.length && [telling(mark.tip, make("path", {
      d: `M${mark.points.map((point) => `${at(x(point[0]))} ${at(y(point[1]))}`).join("L")}`, fill: "none",
      stroke: mark.ink, "stroke-width": (mark.width ?? 2) * POINT, "stroke-opacity": solid(mark.opacity),
      "stroke-dasharray": dashes(mark.dash), "stroke-linejoin": "round",
    }), "mark line")],
    area: (mark, { x, y }) => {
      const there = mark.points.map(([place, low]) => `${at(x(place))} ${at(y(low))}`);
      const back = mark.points.map(([place, , high]) => `${at(x(place))} ${at(y(high))}`).reverse();
      return [make("path", { d: `M${[...there, ...back].join("L")}Z`, fill: mark.ink, "fill-opacity": 0.2 })];
    },
    dots: (mark, { x, y }) => mark.dots.map(([across, above, ink, tip]) => telling(tip, make("path", {
      d: SHAPES[(mark.shape ?? 0) % SHAPES.length],
      transform: `translate(${at(x(across))} ${at(y(above))}) scale(${((mark.size ?? 5) * POINT / 11).toFixed(2)})`,
      "stroke-width": 2, fill: mark.hollow ? "#ffffff" : ink, stroke: mark.hollow || mark.shape === OPEN ? ink : "#ffffff",
      opacity: solid(mark.opacity),
    }))),
    boxes: (mark, { x, y }, hatched) => mark.boxes.map(([from, to, low, high, tip, ink]) => {
      const [left, right] = [x(from), x(to)].sort((a, b) => a - b), [top, bottom] = [y(low), y(high)].sort((a, b) => a - b);
      return telling(tip, make("rect", {
        x: at(left), y: at(top), width: at(Math.max(0.3, right - left)), height: at(bottom - top),
        fill: ink || hatched(mark.ink, mark.hatch), "fill-opacity": solid(mark.opacity),
        stroke: mark.apart ? "#ffffff" : null, "stroke-width": mark.apart ? 0.6 : null,
      }));
    }),
    rule: ({ value, text, level = true }, { panel, left, right, top, bottom, x, y }) => {
      const dashed = { "stroke-dasharray": dashes(1) };
      if (level) {
        const place = y(value);
        return [line(left, place, right, place, "baseline", dashed),
          text ? words(right - 3, place + (place < top + 22 ? 15 : -5), text, "end", "value faint") : null];
      }
      const place = x(value), begins = share(panel.x, value) < 0.6;
      return [line(place, top, place, bottom, "baseline", dashed),
        text ? words(place + (begins ? 5 : -5), top + 13, text, begins ? "start" : "end", "value faint") : null];
    },
    whisker: ({ low, high, at: place, level = true, ink = INK }, { x, y }) => {
      const [from, to, middle] = level ? [x(low), x(high), y(place)] : [y(low), y(high), x(place)];
      const drawn = (a, b, c, d) => level ? line(a, b, c, d, "whisker", { stroke: ink }) : line(b, a, d, c, "whisker", { stroke: ink });
      return [drawn(from, middle, to, middle), ...[from, to].map((end) => drawn(end, middle - 4, end, middle + 4))];
    },
    words: (mark, { x, y }) => {
      const across = x(mark.x) + (mark.aside ?? 0) * POINT, above = y(mark.y) - (mark.above ?? 0) * POINT;
      const css = [mark.ink ? "" : "value", mark.strong ? "axis" : "", mark.faint ? "faint" : ""].join(" ").trim();
      const text = words(across, above + (mark.turned ? 8 : 4), mark.text, mark.anchor ?? "start", css, mark.turned ? TURN : 0);
      if (mark.ink) text.style.fill = mark.ink;
      return [text];
    },
  };

  let made = 0;
  // A fill with the pattern that tells a series apart where colour does not; each is defined once in a picture.
  const hatcher = (defs) => {
    const names = new Map();
    return (ink, hatch = 0) => {
      const path = HATCHES[hatch % HATCHES.length];
      if (!path) return ink;
      const key = `${ink} ${hatch}`;
      if (!names.has(key)) {
        names.set(key, `plot-hatch-${made += 1}`);
        defs.append(make("pattern", { id: names.get(key), width: 8, height: 8, patternUnits: "userSpaceOnUse" },
          make("rect", { width: 8, height: 8, fill: ink }),
          make("path", { d: path, fill: "none", stroke: "#ffffff", "stroke-width": 1.3 })));
      }
      return `url(#${names.get(key)})`;
    };
  };

  const panelGroup = (frame, plot, defs, hatched) => {
    const { panel, left, right, top, bottom } = frame, clip = `plot-clip-${made += 1}`;
    defs.append(make("clipPath", { id: clip }, make("rect", { x: left, y: top, width: right - left, height: bottom - top })));
    const marks = panel.marks.map((mark) => {
      const series = plot.legend.indexOf(mark.name), cut = ["line", "area", "boxes"].includes(mark.kind);
      return make("g", {
        class: series < 0 ? null : "series", "data-series": series < 0 ? null : series, "clip-path": cut ? `url(#${clip})` : null,
      }, drawers[mark.kind](mark, frame, hatched) || []);
    });
    const title = panel.title ? words(left, top - 9, panel.title, "start", "axis") : null;
    return make("g", {}, title, across(frame), up(frame), marks);
  };

  // A line of the legend: what all marks of a name look like, on a button that hides and shows them.
  const legendOf = (plot, place) => {
    const buttons = plot.legend.map((name, series) => {
      const marks = plot.panels.flatMap((panel) => panel.marks).filter((mark) => mark.name === name);
      const lines = marks.filter((mark) => mark.kind === "line").sort((a, b) => (b.width ?? 2) - (a.width ?? 2));
      const dots = marks.find((mark) => mark.kind === "dots"), area = marks.find((mark) => ["boxes", "area"].includes(mark.kind));
      const sample = make("svg", { width: 26, height: 14, "aria-hidden": "true" });
      if (lines.length) sample.append(make("path", {
        d: "M0 7h26", stroke: lines[0].ink, "stroke-width": (lines[0].width ?? 2) * POINT, "stroke-dasharray": dashes(lines[0].dash),
      }));
      if (dots) {
        const ink = dots.dots.length ? dots.dots[0][2] : PLAIN;
        sample.append(make("path", {
          d: SHAPES[(dots.shape ?? 0) % SHAPES.length], transform: "translate(13 7)", fill: dots.hollow ? "#ffffff" : ink, stroke: ink,
        }));
      }
      if (area && !lines.length && !dots) {
        const defs = make("defs");
        sample.append(defs, make("rect", {
          x: 2, y: 1, width: 22, height: 12, fill: hatcher(defs)(area.ink, area.hatch),
          "fill-opacity": area.kind === "area" ? 0.2 : solid(area.opacity),
        }));
      }
      const button = html("button", { type: "button", class: "legend", "aria-pressed": "true" }, sample, name);
      button.addEventListener("click", () => {
        const on = button.getAttribute("aria-pressed") !== "true";
        button.setAttribute("aria-pressed", String(on));
        for (const group of place.querySelectorAll(`g.series[data-series="${series}"]`)) group.classList.toggle("off", !on);
      });
      return button;
    });
    return html("div", { class: "legends", role: "group", "aria-label": "Shown" }, ...buttons);
  };

  const keyOf = ({ label, low, high, steps }) => {
    const cells = steps.map((ink, index) => make("rect", { x: index * 20, y: 2, width: 20.5, height: 10, fill: ink }));
    const strip = make("svg", { width: 160, height: 14, "aria-hidden": "true" }, cells);
    return html("p", { class: "key" }, `${label}: ${low} `, strip, ` ${high}`);
  };

  // One stop of the Tab key for a picture; from there the arrows go from mark to mark.
  const walk = (svg) => {
    const marks = Array.from(svg.querySelectorAll("[data-tip]"));
    if (marks.length) marks[0].setAttribute("tabindex", 0);
    svg.addEventListener("keydown", (event) => {
      const shown = marks.filter((mark) => !mark.closest(".off")), here = shown.indexOf(document.activeElement);
      const places = { ArrowRight: here + 1, ArrowDown: here + 1, ArrowLeft: here - 1, ArrowUp: here - 1, Home: 0, End: shown.length - 1 };
      const next = shown[places[event.key]];
      if (here < 0 || !next) return;
      event.preventDefault();
      shown[here].setAttribute("tabindex", -1);
      next.setAttribute("tabindex", 0);
      next.focus();
    });
    return marks.length;
  };

  // What a mark tells, beside the pointer or the mark itself: for all marks of the page.
  const tip = html("div", { id: "tip", "aria-hidden": "true", hidden: "" });
  const show = (mark, x, y) => {
    if (!tip.isConnected) document.body.append(tip);
    tip.textContent = mark.dataset.tip;
    tip.hidden = false;
    const box = tip.getBoundingClientRect();
    tip.style.left = `${Math.max(4, Math.min(x + 14, innerWidth - box.width - 8))}px`;
    tip.style.top = `${y - box.height - 12 > 4 ? y - box.height - 12 : y + 18}px`;
  };
  const hide = () => { tip.hidden = true; };
  const marked = (event) => (event.target instanceof Element ? event.target.closest("[data-tip]") : null);
  document.addEventListener("pointermove", (event) => {
    const mark = marked(event);
    if (mark) show(mark, event.clientX, event.clientY); else if (!document.activeElement?.dataset?.tip) hide();
  });
  document.addEventListener("focusin", (event) => {
    const mark = marked(event);
    if (!mark) { hide(); return; }
    const box = mark.getBoundingClientRect();
    show(mark, box.right, box.top);
  });
  document.addEventListener("focusout", hide);
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });

  return (place, plot) => {
    const width = Math.min(WIDEST, Math.round(plot.width * INCH));
    const [frames, height] = framesOf(plot, width);
    const defs = make("defs"), hatched = hatcher(defs);
    const svg = make("svg", {
      viewBox: `0 0 ${width} ${Math.round(height)}`, width, height: Math.round(height), class: width > WIDE_FROM ? "wide" : null,
    }, defs, frames.map((frame) => panelGroup(frame, plot, defs, hatched)));
    const reached = walk(svg);
    svg.setAttribute("role", reached ? "group" : "img");
    svg.setAttribute("aria-label", reached > 1 ? `${plot.title}; arrow keys go from mark to mark` : plot.title);
    const scroll = html("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": `${plot.title}, scrolls` }, svg);
    const above = [plot.legend.length ? legendOf(plot, place) : null, plot.key ? keyOf(plot.key) : null].filter(Boolean);
    place.replaceChildren(...(above.length ? [html("div", { class: "keys" }, ...above)] : []), scroll);
  };
})();
