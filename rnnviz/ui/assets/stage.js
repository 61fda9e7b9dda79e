// The pictures of one page. Python mounts `board` (pictures at rest) as often as it likes, or two components that meet in
// the store of a run: `stage` (what is drawn) once, and `feed` (what was measured) many times a second. See
// rnnviz/ui/stage.py.

const here = new URL(import.meta.url);
const beside = (file) => import(new URL(`${file}${here.search}`, here).href); // one version for all modules
const plotlyLoading = loadPlotly(); // before anything else: it is by far the largest file
const styleLoading = loadStyle();
const [wire, stores, feeds, heat, lines, plots, chrome, sliders] = await Promise.all(
  ["wire.js", "store.js", "channels.js", "heat.js", "lines.js", "plots.js", "chrome.js", "slider.js"].map(beside),
);
const { element } = plots;

const DRAW_BUDGET_MS = 60; // whole pictures drawn per animation frame: the page stays answerable while it fills
const RESYNC_PAUSE_MS = 800;

// The server sends neither validators nor a lifetime with component files. The version in the address is all the
// freshness there is, so a cached copy is always right and a reload must not fetch five megabytes again.
async function loadPlotly() {
  if (window.Plotly) return window.Plotly;
  const version = here.searchParams.get("plotly");
  const url = new URL(`../${here.searchParams.get("package")}/plotly.min.js?v=${version}`, here);
  const response = await fetch(url, { cache: "force-cache" });
  if (!response.ok) throw new Error(`plotly.min.js: ${response.status}`);
  const script = Object.assign(document.createElement("script"), { src: URL.createObjectURL(await response.blob()) });
  await settled(script);
  URL.revokeObjectURL(script.src);
  return window.Plotly;
}

function loadStyle() {
  const link = document.createElement("link");
  return settled(Object.assign(link, { rel: "stylesheet", href: new URL(`stage.css${here.search}`, here).href }));
}

function settled(loading) {
  return new Promise((resolve, reject) => {
    loading.onload = resolve;
    loading.onerror = () => reject(new Error(`could not load ${loading.src || loading.href}`));
    document.head.append(loading);
  });
}

const NO_FEED = { resolve: () => undefined, version: () => null };

/** Cards in sections, each with a picture that is never remounted. At rest: what is drawn came with the figures. */
class Board {
  constructor(parent) {
    this.parent = parent;
    this.root = element("div", "rnnviz rnnviz-board");
    this.body = this.root.appendChild(element("div", "rnnviz-body"));
    this.pictures = new Map();
    this.observer = new IntersectionObserver((entries) => this.#seen(entries), { rootMargin: "300px 0px" });
    this.time = null;
    parent.append(this.root);
    plotlyLoading.then((Plotly) => {
      this.Plotly = Plotly;
      this.schedule();
    });
  }

  /** Called on every script rerun and theme change with the same element: changes what differs, rebuilds nothing. */
  update(data, send) {
    this.send = send;
    this.data = data;
    this.#askForTheme(data.scheme);
    for (const [name, value] of Object.entries(data.theme)) this.root.style.setProperty(name, value);
    this.#arrange(data.sections);
    this.schedule();
  }

  // The figures carry their colours, so a page that turned dark needs others. Streamlit calls us when its theme
  // changes, but runs the script again only for some of the ways to change it.
  #askForTheme(drawnFor) {
    const scheme = getComputedStyle(this.parent).colorScheme;
    if (scheme === drawnFor || !["light", "dark"].includes(scheme)) this.asked = null;
    else if (this.asked !== scheme) this.send("theme", (this.asked = scheme));
  }

  // Cards that stay keep their node: moving a node would lose nothing but time, making one would lose the zoom.
  #arrange(sections) {
    const keys = new Set(sections.flatMap((section) => section.cards.map((card) => card.key)));
    for (const [key, picture] of this.pictures) {
      if (keys.has(key)) continue;
      this.observer.unobserve(picture.root);
      picture.destroy();
      this.pictures.delete(key);
    }
    while (this.body.children.length > sections.length) this.body.lastChild.remove();
    sections.forEach((section, index) => {
      const block = this.body.children[index] ?? this.body.appendChild(newBlock());
      const [title, grid] = block.children;
      title.textContent = section.title;
      title.hidden = !section.title;
      title.style.setProperty("--rnnviz-lane", section.mark);
      title.classList.toggle("rnnviz-marked", Boolean(section.mark));
      block.classList.toggle("rnnviz-sticky", section.sticky);
      grid.style.setProperty("--rnnviz-columns", section.columns);
      section.cards.forEach((card, place) => {
        const picture = this.#picture(card);
        if (grid.children[place] !== picture.root) grid.insertBefore(picture.root, grid.children[place] ?? null);
      });
    });
  }

  #picture(card) {
    const known = this.pictures.get(card.key);
    if (known) {
      known.update(card);
      return known;
    }
    const picture = new plots.Picture(card, { ...this.source(), ...this.shared() });
    this.pictures.set(card.key, picture);
    this.observer.observe(picture.root);
    return picture;
  }

  shared() {
    return {
      Plotly: () => this.Plotly,
      repaint: heat.repaint,
      replot: lines.replot,
      onTime: (t) => this.markTime(t),
      onPoint: (card, about) => this.data.pointed && this.send("point", { card, about }),
    };
  }

  /** Where the pictures' numbers come from, beyond the figures themselves. */
  source() {
    return { channels: () => NO_FEED, frame: () => null, run: () => "", onStep: () => {} };
  }

  #seen(entries) {
    for (const entry of entries) {
      const picture = this.pictures.get(entry.target.dataset.key);
      if (picture?.root === entry.target) picture.visible = entry.isIntersecting;
    }
    if (entries.some((entry) => entry.isIntersecting)) this.apply(); // at once: it is about to be looked at
  }

  markTime(t) {
    if (t === this.time) return;
    this.time = t;
    for (const picture of this.pictures.values()) if (picture.timed) picture.markTime(t);
  }

  schedule() {
    this.scheduled ??= requestAnimationFrame(() => {
      this.scheduled = null;
      this.apply();
    });
  }

  apply(begin = performance.now()) {
    if (!this.Plotly) return;
    for (const picture of this.pictures.values()) {
      if (!picture.visible) continue;
      if (!picture.waiting) picture.render();
      else if (performance.now() - begin < DRAW_BUDGET_MS) picture.draw();
      else this.schedule();
    }
  }

  destroy() {
    cancelAnimationFrame(this.scheduled);
    this.observer.disconnect();
    for (const picture of this.pictures.values()) picture.destroy();
    this.root.remove();
  }
}

/** A board that shows a run: readouts above, the scrubber below, and pictures fed from the run's store. */
class Stage extends Board {
  constructor(parent) {
    super(parent);
    this.root.classList.remove("rnnviz-board");
    this.strip = new chrome.Strip(element);
    this.scrubber = new chrome.Scrubber(
      element,
      () => this.store,
      (step) => this.send("rewind", { run: this.store.run, step }),
    );
    this.root.prepend(this.strip.root);
    this.root.append(this.scrubber.root);
    this.updates = 0;
    this.wake = () => this.schedule();
  }

  update(data, send) {
    if (this.store?.run !== data.run) {
      this.store?.listeners.delete(this.wake);
      this.store = stores.storeOf(data.run);
      this.store.listeners.add(this.wake);
      this.channels = new feeds.Channels(this.store, wire.numbers);
    }
    this.strip.update(data);
    this.scrubber.update(data);
    super.update(data, send);
    this.#expose();
  }

  source() {
    return {
      channels: () => this.channels,
      frame: () => this.store.shown(),
      run: () => this.store.run,
      onStep: (step) => this.store.scrub(step),
    };
  }

  // Everything that shows the training step changes in this one animation frame.
  apply() {
    const begin = performance.now();
    const frame = this.store.shown();
    this.strip.render(this.store, frame);
    this.scrubber.render(this.store, frame);
    super.apply(begin);
    this.cost = performance.now() - begin;
    if (frame && frame !== this.last) this.updates += 1;
    this.last = frame;
  }

  #expose() {
    const stage = this;
    window.rnnviz = {
      get store() { return stage.store; },
      get updates() { return stage.updates; },
      get cost() { return stage.cost; },
      pictures: stage.pictures,
      shownStep: () => stage.store.shown()?.step ?? null,
    };
  }

  destroy() {
    this.store.listeners.delete(this.wake);
    super.destroy();
  }
}

function newBlock() {
  const block = element("section", "rnnviz-section");
  block.append(element("h3", "rnnviz-title"), element("div", "rnnviz-grid"));
  return block;
}

const mounted = new WeakMap(); // the element Streamlit gave -> what stands in it

/** Mounts or updates one in `parentElement`; returns what to do when it goes. */
async function mount(Kind, { data, parentElement, setTriggerValue }) {
  await styleLoading;
  let made = mounted.get(parentElement);
  if (!made) mounted.set(parentElement, (made = new Kind(parentElement, element)));
  made.update(data, setTriggerValue);
  // Streamlit also runs the cleanup of a call that was overtaken by the next one, while the element lives on.
  return () =>
    setTimeout(() => {
      if (parentElement.isConnected || mounted.get(parentElement) !== made) return;
      mounted.delete(parentElement);
      made.destroy();
    });
}

export const stage = (call) => mount(Stage, call);
export const board = (call) => mount(Board, call);
export const slider = (call) => mount(sliders.Slider, call);

const asked = new Map(); // run -> {at, size}: the last resync and how much was missing then

/** Takes one message of measurements in, and asks for what is missing. */
export function feed({ data, setTriggerValue }) {
  if (!data?.length) return;
  const message = wire.decode(data);
  const store = stores.storeOf(message.run);
  store.accept(message);
  const lacks = store.lacks();
  if (!lacks) return void asked.delete(message.run);
  const last = asked.get(message.run);
  const size = lacks.frames + lacks.series;
  const arriving = last && size < last.size && message.answer; // a long answer comes in pieces: ask on at once
  if (last && !arriving && performance.now() - last.at < RESYNC_PAUSE_MS) return;
  asked.set(message.run, { at: performance.now(), size });
  setTriggerValue("resync", { run: message.run, steps: store.steps, series: store.seriesLength });
}
