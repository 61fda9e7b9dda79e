// The live pictures of one page. Python mounts two components: `stage` (what is drawn) once, and `feed`
// (what was measured) many times a second. They meet in the store of their run. See rnnviz/ui/stage.py.

const here = new URL(import.meta.url);
const beside = (file) => import(new URL(`${file}${here.search}`, here).href); // one version for all modules
const plotlyLoading = loadPlotly(); // before anything else: it is by far the largest file
const styleLoading = loadStyle();
const [wire, stores, feeds, heat, lines, plots, chrome] = await Promise.all(
  ["wire.js", "store.js", "channels.js", "heat.js", "lines.js", "plots.js", "chrome.js"].map(beside),
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

class Stage {
  constructor(parent) {
    this.parent = parent;
    this.root = element("div", "rnnviz");
    this.strip = new chrome.Strip(element);
    this.body = element("div", "rnnviz-body");
    this.scrubber = new chrome.Scrubber(
      element,
      () => this.store,
      (step) => this.send("rewind", { run: this.store.run, step }),
    );
    this.root.append(this.strip.root, this.body, this.scrubber.root);
    this.pictures = new Map();
    this.updates = 0;
    this.wake = () => this.schedule();
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
    if (this.store?.run !== data.run) {
      this.store?.listeners.delete(this.wake);
      this.store = stores.storeOf(data.run);
      this.store.listeners.add(this.wake);
      this.channels = new feeds.Channels(this.store, wire.numbers);
    }
    this.#askForTheme(data.scheme);
    for (const [name, value] of Object.entries(data.theme)) this.root.style.setProperty(name, value);
    this.strip.update(data);
    this.scrubber.update(data);
    this.#arrange(data.sections);
    this.#expose();
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
    const picture = new plots.Picture(card, {
      Plotly: () => this.Plotly,
      channels: () => this.channels,
      frame: () => this.store.shown(),
      run: () => this.store.run,
      repaint: heat.repaint,
      replot: lines.replot,
      onTime: (t) => this.markTime(t),
      onStep: (step) => this.store.scrub(step),
    });
    this.pictures.set(card.key, picture);
    this.observer.observe(picture.root);
    return picture;
  }

  #seen(entries) {
    for (const entry of entries) {
      const picture = this.pictures.get(entry.target.dataset.key);
      if (picture?.root === entry.target) picture.visible = entry.isIntersecting;
    }
    if (entries.some((entry) => entry.isIntersecting)) this.#apply(); // at once: it is about to be looked at
  }

  markTime(t) {
    if (t === this.time) return;
    this.time = t;
    for (const picture of this.pictures.values()) if (picture.timed) picture.markTime(t);
  }

  schedule() {
    this.scheduled ??= requestAnimationFrame(() => {
      this.scheduled = null;
      this.#apply();
    });
  }

  // Everything that shows the training step changes in this one animation frame.
  #apply() {
    const begin = performance.now();
    const frame = this.store.shown();
    this.strip.render(this.store, frame);
    this.scrubber.render(this.store, frame);
    if (this.Plotly) {
      const visible = [...this.pictures.values()].filter((picture) => picture.visible);
      for (const picture of visible) {
        if (!picture.waiting) picture.render();
        else if (performance.now() - begin < DRAW_BUDGET_MS) picture.draw();
        else this.schedule();
      }
    }
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
    cancelAnimationFrame(this.scheduled);
    this.observer.disconnect();
    for (const picture of this.pictures.values()) picture.destroy();
    this.root.remove();
  }
}

function newBlock() {
  const block = element("section", "rnnviz-section");
  block.append(element("h3", "rnnviz-title"), element("div", "rnnviz-grid"));
  return block;
}

const stages = new WeakMap(); // the element Streamlit gave -> its Stage

/** Mounts or updates the stage in `parentElement`; returns what to do when it goes. */
export async function stage({ data, parentElement, setTriggerValue }) {
  await styleLoading;
  let mounted = stages.get(parentElement);
  if (!mounted) stages.set(parentElement, (mounted = new Stage(parentElement)));
  mounted.update(data, setTriggerValue);
  // Streamlit also runs the cleanup of a call that was overtaken by the next one, while the element lives on.
  return () =>
    setTimeout(() => {
      if (parentElement.isConnected || stages.get(parentElement) !== mounted) return;
      stages.delete(parentElement);
      mounted.destroy();
    });
}

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
