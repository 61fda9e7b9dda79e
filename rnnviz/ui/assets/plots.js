// One picture: a card around a Plotly drawing that is fed from the store and never remounted.

const CONFIG = { displayModeBar: false, scrollZoom: false, doubleClick: "reset", responsive: false, showTips: false };

export function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

const feedsOf = (trace) => Object.entries(trace.meta?.feed ?? {});

function assign(target, path, value) {
  const [head, ...rest] = path.split(".");
  if (!rest.length) target[head] = value;
  else assign((target[head] = { ...target[head] }), rest.join("."), value);
}

export class Picture {
  /** `stage` is what a picture needs of the page: see `Board.shared` and `source`. */
  constructor(card, stage) {
    this.stage = stage;
    this.root = element("section", "rnnviz-card");
    this.question = this.root.appendChild(element("h4", "rnnviz-question"));
    this.legend = this.root.appendChild(element("div", "rnnviz-key"));
    this.plot = this.root.appendChild(element("div", "rnnviz-plot"));
    this.lookFor = this.root.appendChild(element("p", "rnnviz-look"));
    this.empty = this.plot.appendChild(element("p", "rnnviz-empty"));
    this.gd = this.plot.appendChild(element("div", "rnnviz-gd"));
    this.marks = this.plot.appendChild(element("div", "rnnviz-marks"));
    this.lines = { t: [], step: [] };
    this.drawn = false;
    this.visible = false;
    this.versions = new Map();
    this.marked = { t: null, step: null };
    this.cost = 0;
    this.updates = 0;
    this.resizer = new ResizeObserver(() => this.resize());
    this.resizer.observe(this.plot);
    this.#listen();
    this.update(card);
  }

  /** New card data: texts at once, the figure at the next draw. */
  update(card) {
    this.key = card.key;
    this.question.textContent = card.question;
    if (this.card?.legend !== card.legend) this.legend.innerHTML = card.legend;
    this.card = card;
    this.lookFor.textContent = card.look_for;
    this.empty.textContent = card.empty;
    this.root.classList.toggle("rnnviz-wide", card.span > 1);
    this.root.dataset.key = card.key;
    this.plot.style.height = `${card.height}px`;
    const identity = `${this.stage.run()}\n${JSON.stringify(card.figure)}`;
    if (identity === this.identity) return;
    this.identity = identity;
    this.pending = card.figure;
    const meta = card.figure.layout?.meta ?? {};
    this.timed = Boolean(meta.time_axis);
    this.trained = meta.training_axis ?? null;
  }

  get waiting() {
    return Boolean(this.pending) || !this.drawn;
  }

  /** Draws the whole figure, with what the store knows already in it. In place, zoom kept within a run. */
  draw() {
    const { Plotly, channels } = this.stage;
    const begin = performance.now();
    const frame = this.stage.frame();
    const figure = this.pending;
    this.versions.clear();
    const data = figure.data.map((trace, index) => {
      const copy = { ...trace };
      for (const [attribute, feed] of feedsOf(trace)) {
        const value = channels().resolve(feed, frame);
        if (value === undefined) continue;
        assign(copy, attribute, value);
        this.versions.set(`${index}.${attribute}`, channels().version(feed, frame));
      }
      return copy;
    });
    const { clientWidth: width, clientHeight: height } = this.plot;
    const layout = { ...figure.layout, width, height, autosize: false };
    layout.uirevision = `${this.stage.run()} ${layout.uirevision}`; // another run, another view
    // A finger on a picture scrolls the page, unless there is a view to turn; dragging to zoom is for pointers that can
    // also scroll.
    if (matchMedia("(pointer: coarse)").matches && !layout.scene) layout.dragmode = false;
    this.#rememberCamera();
    Plotly().react(this.gd, data, layout, CONFIG);
    if (!this.drawn) {
      this.gd.on("plotly_relayout", () => this.place());
      this.gd.on("plotly_click", ({ points: [point] }) => this.stage.onPoint(this.key, point?.customdata ?? null));
    }
    this.feeds = figure.data.flatMap((trace, index) => feedsOf(trace).map(([name, feed]) => [index, name, feed]));
    this.drawn = true;
    this.pending = null;
    this.size = `${width}x${height}`;
    this.root.classList.add("rnnviz-drawn");
    this.step = frame?.step ?? null;
    this.place();
    this.cost = performance.now() - begin;
  }

  /** Brings the fed attributes to the frame shown; touches Plotly only where an answer changed. */
  render() {
    const frame = this.stage.frame();
    const channels = this.stage.channels();
    const changes = new Map(); // trace index -> {attribute: value}
    for (const [index, attribute, feed] of this.feeds) {
      const slot = `${index}.${attribute}`;
      const version = channels.version(feed, frame);
      if (version === null || version === this.versions.get(slot)) continue;
      const value = channels.resolve(feed, frame);
      if (value === undefined) continue;
      this.versions.set(slot, version);
      changes.set(index, { ...changes.get(index), [attribute]: value });
    }
    this.step = frame?.step ?? null;
    this.marked.step = this.step;
    if (!changes.size) return this.place();
    const begin = performance.now();
    this.#push(changes);
    this.place();
    this.cost = performance.now() - begin;
    this.updates += 1;
  }

  #push(changes) {
    for (const [index, values] of changes) {
      const [[attribute, value], ...others] = Object.entries(values);
      if (attribute !== "z" || others.length) continue;
      if (this.stage.repaint(this.gd, index, value)) changes.delete(index);
    }
    if (!changes.size || this.stage.replot(this.gd, changes)) return;
    const traces = [...changes.keys()];
    const update = {};
    for (const [position, values] of [...changes.values()].entries()) {
      for (const [attribute, value] of Object.entries(values)) {
        update[attribute] ??= new Array(traces.length).fill(undefined); // undefined: leave that trace's alone
        update[attribute][position] = value;
      }
    }
    this.stage.Plotly().restyle(this.gd, update, traces);
  }

  // Plotly notices that a view was turned when the button is let go over it, and not when that happens elsewhere.
  #rememberCamera() {
    const full = this.gd._fullLayout;
    for (const id of full?._subplots?.gl3d ?? []) full[id]._scene?.saveLayout(this.gd.layout);
  }

  resize() {
    const { clientWidth: width, clientHeight: height } = this.plot;
    if (!this.drawn || !width || this.size === `${width}x${height}`) return;
    this.size = `${width}x${height}`;
    this.stage.Plotly().relayout(this.gd, { width, height });
    this.place();
  }

  /** Marks sequence time `t` (null: none). */
  markTime(t) {
    this.marked.t = t;
    if (this.drawn) this.place();
  }

  // The marks are plain divs over the drawing: moving one costs nothing, a relayout would cost a redraw.
  place() {
    const plots = Object.values(this.gd._fullLayout?._plots ?? {});
    this.marked.step = this.step ?? null;
    this.#line("t", this.timed ? plots : [], "x", this.marked.t);
    this.#line("step", this.trained ? plots : [], this.trained, this.marked.step);
  }

  #line(kind, plots, direction, value) {
    const lines = this.lines[kind];
    while (lines.length < plots.length) {
      lines.push(this.marks.appendChild(element("i", `rnnviz-mark rnnviz-mark-${kind}`)));
    }
    lines.forEach((line, index) => {
      const plot = plots[index];
      const at = plot && value != null ? plot[`${direction}axis`].d2p(value) : NaN;
      const inside = plot && at >= -1 && at <= plot[`${direction}axis`]._length + 1;
      line.hidden = !inside;
      if (!inside) return;
      const { xaxis, yaxis } = plot;
      line.style.transform =
        direction === "x"
          ? `translate(${xaxis._offset + at}px, ${yaxis._offset}px)`
          : `translate(${xaxis._offset}px, ${yaxis._offset + at}px)`;
      line.style.width = direction === "x" ? "0" : `${xaxis._length}px`;
      line.style.height = direction === "x" ? `${yaxis._length}px` : "0";
    });
  }

  // The subplot under a pointer event, and where in it.
  #under(event) {
    const box = this.gd.getBoundingClientRect();
    for (const { xaxis, yaxis } of Object.values(this.gd._fullLayout?._plots ?? {})) {
      const x = event.clientX - box.left - xaxis._offset;
      const y = event.clientY - box.top - yaxis._offset;
      if (x >= 0 && x <= xaxis._length && y >= 0 && y <= yaxis._length) return { xaxis, yaxis, x, y };
    }
    return null;
  }

  #listen() {
    this.plot.addEventListener("pointermove", (event) => {
      if (!this.timed) return;
      const hit = this.#under(event);
      this.stage.onTime(hit ? Math.round(hit.xaxis.p2d(hit.x)) : null);
    });
    this.plot.addEventListener("pointerleave", () => this.timed && this.stage.onTime(null));
    // Plotly lays a sheet over the page while the button is down, so the release is heard at the window.
    this.plot.addEventListener("pointerdown", (down) => {
      if (!this.trained || down.button) return;
      const release = (up) => {
        if (Math.hypot(up.clientX - down.clientX, up.clientY - down.clientY) > 4) return;
        const hit = this.#under(up);
        if (hit) this.stage.onStep(this.trained === "x" ? hit.xaxis.p2d(hit.x) : hit.yaxis.p2d(hit.y));
      };
      window.addEventListener("pointerup", release, { once: true });
    });
  }

  destroy() {
    this.resizer.disconnect();
    if (this.drawn) this.stage.Plotly().purge(this.gd);
    this.root.remove();
  }
}
