// A slider that speaks while it is being moved. Streamlit's own waits until it is let go.

const ANSWER_MS = 4000; // an answer that takes longer may have been lost
const IDLE_FRAMES = 3;

export class Slider {
  constructor(parent, element) {
    this.root = element("div", "rnnviz rnnviz-live-slider");
    this.label = this.root.appendChild(element("span", "rnnviz-readout"));
    this.label.tabIndex = 0;
    this.text = this.root.appendChild(element("output", "rnnviz-slider-text"));
    this.input = this.root.appendChild(element("input", "rnnviz-slider"));
    Object.assign(this.input, { type: "range", min: 0, step: 1 });
    this.input.addEventListener("input", () => {
      this.wanted = Number(this.input.value);
      this.#show();
      this.#ask();
    });
    parent.append(this.root);
  }

  update(data, send) {
    this.send = send;
    this.data = data;
    for (const [name, value] of Object.entries(data.theme)) this.root.style.setProperty(name, value);
    this.label.textContent = data.label;
    this.label.dataset.help = data.help;
    this.input.setAttribute("aria-label", data.label);
    if (this.turn != null && this.turn !== data.turn) return this.#show();
    this.turn = null;
    if (Number(this.input.max) !== data.texts.length - 1) this.wanted = null; // other places: what was wanted is not there
    this.input.max = data.texts.length - 1;
    if (this.wanted === this.asked) this.wanted = null;
    if (this.wanted == null) this.input.value = data.at;
    this.#show();
  }

  // One question at a time, and not before the page has taken in the last answer: what its other controls still showed of
  // the time before it would be read as somebody's wish.
  #ask() {
    this.looking ??= requestAnimationFrame(() => {
      this.looking = null;
      if (this.wanted == null || !this.root.isConnected) return;
      const waiting = this.turn != null && performance.now() - this.since < ANSWER_MS;
      this.idle = waiting || this.#running() ? 0 : (this.idle ?? 0) + 1;
      if (this.idle < IDLE_FRAMES) return this.#ask();
      this.idle = 0;
      this.asked = this.wanted;
      this.turn = this.data.turn + 1;
      this.since = performance.now();
      this.send("slide", { at: this.asked, turn: this.turn });
      this.#ask(); // it may be moved on, or the answer be lost
    });
  }

  #running() {
    const app = document.querySelector('[data-testid="stApp"]');
    return app?.dataset.testScriptState === "running";
  }

  #show() {
    const at = Number(this.input.value);
    this.text.textContent = this.data.texts[at] ?? "";
    this.input.setAttribute("aria-valuetext", this.text.textContent);
    this.input.style.setProperty("--rnnviz-at", this.input.max > 0 ? at / this.input.max : 0);
  }

  destroy() {
    this.root.remove();
  }
}
