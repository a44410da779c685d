// Puts words and colours of the chosen language and theme into the page and its charts.
(() => {
  "use strict";
  const page = JSON.parse(document.getElementById("page-data").textContent);
  const root = document.documentElement;
  const palette = {
    light: {
      text: "#1b2330", muted: "#8a94a6", grid: "rgba(120,130,150,.16)", line: "rgba(120,130,150,.45)",
      card: "#ffffff", accent: "#2457c5", accent_soft: "rgba(36,87,197,.10)", up: "#d13b34", down: "#128a57",
      q1: "#128a57", q2: "#7dbb9d", q3: "#a7adb8", q4: "#e39a90", q5: "#d13b34",
      c1: "#2f6fb7", c2: "#dd7f1f", c3: "#8659b5", c4: "#159a8c", c5: "#c24a7e", c6: "#7f8420",
    },
    dark: {
      text: "#e4e9f1", muted: "#8f9bb0", grid: "rgba(150,165,190,.14)", line: "rgba(150,165,190,.40)",
      card: "#18202b", accent: "#74a9ff", accent_soft: "rgba(116,169,255,.13)", up: "#ff6f66", down: "#3fcf8e",
      q1: "#3fcf8e", q2: "#2f8f68", q3: "#7b8596", q4: "#b8625c", q5: "#ff6f66",
      c1: "#64a3e6", c2: "#f2a04d", c3: "#b48ae0", c4: "#40c4b4", c5: "#ea7fab", c6: "#bcc153",
    },
  };
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const asked = new URLSearchParams(window.location.hash.slice(1));
  const state = {
    lang: pick(asked.get("lang"), ["zh", "en"], navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en"),
    theme: pick(asked.get("theme"), ["light", "dark"], dark.matches ? "dark" : "light"),
  };

  function pick(value, valid, fallback) {
    return valid.includes(value) ? value : fallback;
  }

  // The colour of a quantile: a part of the way through the five of the palette.
  function between(part) {
    const stops = ["q1", "q2", "q3", "q4", "q5"].map((key) => palette[state.theme][key]);
    const at = part * (stops.length - 1), low = Math.min(Math.floor(at), stops.length - 2);
    const channel = (colour, i) => parseInt(colour.slice(1 + 2 * i, 3 + 2 * i), 16);
    const mixed = [0, 1, 2].map((i) => Math.round(channel(stops[low], i) + (at - low) * (channel(stops[low + 1], i) - channel(stops[low], i))));
    return `rgb(${mixed.join(",")})`;
  }

  function filled(value) {
    if (typeof value === "string") {
      if (value.startsWith("@")) return page.words[value.slice(1)][state.lang];
      if (value.startsWith("$q:")) return between(Number(value.slice(3)));
      if (value.startsWith("$")) return palette[state.theme][value.slice(1)];
      if (value.startsWith("#") && page.dates[value.slice(1)]) return page.dates[value.slice(1)];
      return value;
    }
    if (Array.isArray(value)) {
      // Long rows of numbers hold no words; a step of a colour scale, [0.5, "$card"], does.
      const plain = (item) => typeof item === "number" || item === null;
      return plain(value[0]) && plain(value[value.length - 1]) ? value : value.map(filled);
    }
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, filled(inner)]));
    }
    return value;
  }

  function draw() {
    const paper = root.classList.contains("paper");
    for (const [id, figure] of Object.entries(page.figures)) {
      const { data, layout } = filled(figure);
      layout.font.family = getComputedStyle(document.body).fontFamily;
      const place = document.getElementById(id);
      // On a narrow screen a long legend stands in one column above the plot.
      if (paper) layout.width = place.clientWidth;
      else if (place.offsetWidth < 480 && layout.showlegend !== false && data.length > 4) layout.height += 110;
      Plotly.react(place, data, layout, { displayModeBar: false });
    }
  }

  function show() {
    root.dataset.lang = state.lang;
    root.dataset.theme = state.theme;
    root.lang = state.lang === "zh" ? "zh-CN" : "en";
    document.title = page.title[state.lang];
    draw();
  }

  function change(key, value) {
    state[key] = value;
    asked.set(key, value);
    window.history.replaceState(null, "", "#" + asked.toString());
    show();
  }

  document.getElementById("lang").addEventListener("click", () => change("lang", state.lang === "zh" ? "en" : "zh"));
  document.getElementById("theme").addEventListener("click", () => change("theme", state.theme === "dark" ? "light" : "dark"));
  dark.addEventListener("change", (event) => {
    if (!asked.get("theme")) { state.theme = event.matches ? "dark" : "light"; show(); }
  });
  // Paper is white whatever the screen is, and charts must have its width at once.
  let before = state.theme;
  window.addEventListener("beforeprint", () => {
    before = state.theme;
    state.theme = "light";
    root.classList.add("paper");
    show();
  });
  window.addEventListener("afterprint", () => { state.theme = before; root.classList.remove("paper"); show(); });
  show();
  // Follows the place itself, not the window: a font, a scroll bar or paper can change its width too.
  const follow = new ResizeObserver((entries) => entries.forEach(({ target }) => Plotly.Plots.resize(target)));
  Object.keys(page.figures).forEach((id) => follow.observe(document.getElementById(id)));
})();
