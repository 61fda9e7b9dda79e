// What stands around the pictures: the readout strip above and the scrubber below.

const THIN = "\u202f"; // narrow no-break space between groups of digits
const PLAY_SECONDS = 8;
const PLAY = "▶\ufe0e"; // as text, where a phone would draw a coloured picture
const PAUSE = "❚❚";

/** A number as a reader sees it: at most three significant digits, counts grouped. */
export function format(value, style) {
  if (value == null || !Number.isFinite(value)) return "–";
  if (style === "count") return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, THIN);
  if (style === "percent") return `${Number((100 * value).toPrecision(3))}${THIN}%`;
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e5 || size < 1e-3) return value.toExponential(1).replace("-", "−").replace("e+", "e");
  const digits = size >= 100 ? String(Math.round(value)) : value.toPrecision(3);
  return digits.replace("-", "−");
}

export class Strip {
  constructor(element) {
    this.root = element("header", "rnnviz-strip");
    const top = this.root.appendChild(element("div", "rnnviz-strip-top"));
    this.status = top.appendChild(element("span", "rnnviz-status"));
    this.step = top.appendChild(element("span", "rnnviz-step"));
    this.bar = top.appendChild(element("div", "rnnviz-bar"));
    this.fill = this.bar.appendChild(element("i"));
    this.speed = top.appendChild(element("span", "rnnviz-speed"));
    this.items = this.root.appendChild(element("div", "rnnviz-readouts"));
    const foot = this.root.appendChild(element("div", "rnnviz-strip-foot"));
    this.sentence = foot.appendChild(element("p", "rnnviz-sentence"));
    this.note = foot.appendChild(element("div", "rnnviz-note"));
    this.status.setAttribute("role", "status");
    this.bar.setAttribute("role", "progressbar");
    this.element = element;
  }

  update(data) {
    this.budget = data.budget;
    this.words = data.words;
    const identity = JSON.stringify([data.readouts, data.note]);
    if (identity === this.identity) return;
    this.identity = identity;
    this.slots = [];
    this.items.replaceChildren(...data.readouts.map((readout) => this.#item(readout)));
    this.note.replaceChildren(...(data.note ? [this.#item(data.note)] : []));
  }

  #item(readout) {
    const item = this.element("span", "rnnviz-readout");
    if (readout.help) {
      item.dataset.help = readout.help;
      item.tabIndex = 0;
      item.setAttribute("aria-description", readout.help);
    }
    item.dataset.key = readout.key;
    for (const part of readout.parts) {
      const isText = typeof part === "string";
      const span = item.appendChild(this.element("span", "", isText ? part : "–"));
      if (!isText) span.className = `rnnviz-value rnnviz-value-${part.format}`;
      if (!isText) this.slots.push([span, part]);
    }
    return item;
  }

  render(store, frame) {
    const { word = "ready", label = this.words.ready, sentence = "" } = store.status ?? {};
    write(this.status, label);
    this.root.dataset.status = word;
    write(this.sentence, sentence);
    const newest = store.newest ?? 0;
    const step = frame?.step ?? 0;
    write(this.step, `${this.words.step_short} ${format(step, "count")} / ${format(this.budget, "count")}`);
    this.fill.style.transform = `scaleX(${this.budget ? Math.min(newest / this.budget, 1) : 0})`;
    this.bar.setAttribute("aria-valuenow", newest);
    this.bar.setAttribute("aria-valuemax", this.budget);
    write(this.speed, store.values.speed ? `${format(store.values.speed, "number")}/s` : "");
    for (const [span, part] of this.slots) {
      const value = part.scalar === "step" ? step : (frame?.scalars[part.scalar] ?? store.values[part.scalar]);
      write(span, format(value, part.format));
    }
  }
}

// Untouched text nodes cost nothing and are not read out again by screen readers.
function write(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

export class Scrubber {
  /** `store()` gives the store on stage; `onRewind(step)` asks to go back to a checkpoint. */
  constructor(element, store, onRewind) {
    this.store = store;
    this.root = element("div", "rnnviz-scrubber");
    this.play = this.root.appendChild(element("button", "rnnviz-button rnnviz-play", PLAY));
    this.slider = this.root.appendChild(element("input", "rnnviz-slider"));
    this.label = this.root.appendChild(element("output", "rnnviz-label"));
    this.label.setAttribute("aria-live", "off"); // it changes many times a second
    this.rewind = this.root.appendChild(element("button", "rnnviz-button rnnviz-rewind"));
    this.live = this.root.appendChild(element("button", "rnnviz-button rnnviz-live"));
    Object.assign(this.slider, { type: "range", min: 0, max: 1, step: 1, value: 0 });
    for (const button of [this.play, this.rewind, this.live]) button.type = "button";
    this.slider.addEventListener("input", () => this.#stop(store().scrub(Number(this.slider.value))));
    this.slider.addEventListener("keydown", (event) => this.#key(event));
    this.slider.addEventListener("pointerdown", () => (this.dragging = true));
    this.slider.addEventListener("change", () => (this.dragging = false));
    this.slider.addEventListener("pointerup", () => (this.dragging = false));
    this.slider.addEventListener("pointercancel", () => (this.dragging = false));
    this.live.addEventListener("click", () => this.#stop(store().follow()));
    this.play.addEventListener("click", () => this.#toggle());
    this.rewind.addEventListener("click", () => this.#stop(onRewind(this.target)));
  }

  update(data) {
    this.words = data.words;
    this.slider.setAttribute("aria-label", data.words.step);
    this.play.title = data.words.play;
    this.play.setAttribute("aria-label", data.words.play);
    this.live.textContent = data.words.live;
    this.live.title = data.words.live_help;
    this.rewind.title = data.words.rewind_help;
    this.rewindable = data.rewind;
  }

  render(store, frame) {
    const step = frame?.step ?? 0;
    const text = `${this.words.step} ${format(step, "count")}`;
    write(this.label, text);
    // Under a dragging hand the ends stay put, or the thumb would run away from the pointer.
    if (!this.dragging) {
      this.slider.min = store.steps[0] ?? 0;
      this.slider.max = Math.max(store.newest ?? 0, 1);
      this.slider.value = step;
    }
    const span = this.slider.max - this.slider.min;
    this.slider.style.setProperty("--rnnviz-at", span > 0 ? (step - this.slider.min) / span : 0);
    this.slider.setAttribute("aria-valuetext", text);
    this.slider.disabled = this.play.disabled = store.steps.length < 2;
    this.live.setAttribute("aria-pressed", String(store.following));
    this.rewind.hidden = !this.rewindable;
    this.target = store.rewindTarget(); // what the button says is where it leads, whatever arrives before the click
    const there = `${this.words.rewind_to} ${format(this.target, "count")}`;
    write(this.rewind, this.target == null ? this.words.rewind : there);
    this.rewind.disabled = this.target == null;
  }

  #key(event) {
    const moves = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10 };
    const ends = { Home: -Infinity, End: Infinity };
    const by = moves[event.key];
    if (by === undefined && !(event.key in ends)) return;
    event.preventDefault();
    this.#stop();
    if (by === undefined) this.store().scrub(ends[event.key]);
    else this.store().move(by);
  }

  // Plays the recorded history once through, at the pace of the screen, from the start if it stands at the end.
  #toggle() {
    if (this.timer) return this.#stop();
    const store = this.store();
    if (store.shown()?.step === store.newest) store.scrub(store.steps[0]);
    const pause = Math.max(60, (1000 * PLAY_SECONDS) / store.steps.length);
    this.root.classList.add("rnnviz-playing");
    this.play.textContent = PAUSE;
    this.timer = setInterval(() => {
      if (this.store() !== store) return this.#stop();
      store.move(1);
      if (store.shown()?.step === store.newest) this.#stop(store.follow());
    }, pause);
  }

  #stop() {
    clearInterval(this.timer);
    this.timer = null;
    this.play.textContent = PLAY;
    this.root.classList.remove("rnnviz-playing");
  }
}
