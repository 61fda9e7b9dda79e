// What the browser remembers of one run: every recorded frame, the per-step series, and which step is shown.

const REMEMBERED_RUNS = 6;

/** Index of the element of an ascending array closest to a value; -1 in an empty array. */
export function nearest(sorted, value) {
  if (!sorted.length) return -1;
  let low = 0;
  let high = sorted.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low > 0 && value - sorted[low - 1] <= sorted[low] - value ? low - 1 : low;
}

export class Store {
  constructor(run) {
    this.run = run;
    this.listeners = new Set();
    this.forget();
  }

  forget() {
    this.frames = new Map(); // step -> {step, scalars, channels}
    this.kept = []; // the steps the server has
    this.rewindable = []; // the steps of its checkpoints
    this.steps = []; // those of them that are here, ascending
    this.series = new Map(); // name -> {values, length}
    this.seriesLength = 0;
    this.serverLength = 0;
    this.status = null;
    this.values = {};
    this.boot = null;
    this.epoch = 0;
    this.revision = -1;
    this.historyVersion = 0; // moves when the set of frames does
    this.following = true;
    this.pinned = 0;
  }

  /** Takes one message in. Old news still brings frames, but does not turn back status or history. */
  accept(message) {
    if (message.boot !== this.boot) {
      this.boot = message.boot; // a restarted server counts its revisions from the start
      this.revision = -1;
    }
    const news = message.revision >= this.revision;
    if (!news && message.epoch !== this.epoch) return;
    if (message.epoch !== this.epoch) this.#branch(message);
    let changed = false;
    for (const frame of message.frames) {
      changed ||= !this.frames.has(frame.step);
      this.frames.set(frame.step, frame);
    }
    if (news) {
      this.revision = message.revision;
      this.kept = message.kept;
      this.rewindable = message.rewindable;
      this.status = message.status;
      this.values = message.values;
      this.serverLength = message.series.length;
    }
    const kept = new Set(this.kept);
    for (const step of this.frames.keys()) {
      if (!kept.has(step)) changed = this.frames.delete(step) || changed;
    }
    this.steps = this.kept.filter((step) => this.frames.has(step));
    if (changed) this.historyVersion += 1;
    this.#extend(message.series);
    this.notify();
  }

  // A rewind: everything after `epoch_from` is another future now, even where steps coincide.
  #branch(message) {
    const from = message.epoch === this.epoch + 1 ? message.epoch_from : -1;
    for (const step of [...this.frames.keys()]) if (step > from) this.frames.delete(step);
    this.seriesLength = Math.min(this.seriesLength, Math.max(from, 0));
    this.epoch = message.epoch;
    this.historyVersion += 1;
    this.following = true;
  }

  #extend(series) {
    if (series.from > this.seriesLength) return; // a gap: the feed asks again
    let reached = this.seriesLength;
    for (const [name, array] of series.arrays) {
      const end = series.from + array.data.length;
      let kept = this.series.get(name);
      if (!kept || kept.length < end) {
        const grown = new Float32Array(Math.max(1024, 2 * end));
        if (kept) grown.set(kept.subarray(0, this.seriesLength));
        this.series.set(name, (kept = grown));
      }
      kept.set(array.data, series.from);
      reached = Math.max(reached, end);
    }
    this.seriesLength = reached;
  }

  /** What the server has and this store has not, or null. */
  lacks() {
    const frames = this.kept.length - this.steps.length;
    const series = this.serverLength - this.seriesLength;
    return frames > 0 || series > 0 ? { frames, series } : null;
  }

  get newest() {
    return this.steps.length ? this.steps[this.steps.length - 1] : null;
  }

  /** The frame shown: the newest while following, else the recorded one closest to where the reader stopped. */
  shown() {
    const step = this.following ? this.newest : this.steps[nearest(this.steps, this.pinned)];
    return step == null ? null : this.frames.get(step);
  }

  /** Where a rewind from the step shown leads: the newest checkpoint at or before it; null where that goes nowhere. */
  rewindTarget() {
    const step = this.following ? null : this.shown()?.step;
    const target = this.rewindable.findLast((checkpoint) => checkpoint <= step);
    return step == null || target == null || target >= this.newest ? null : target;
  }

  scrub(step) {
    const index = nearest(this.steps, step);
    if (index < 0) return;
    this.following = false;
    this.pinned = this.steps[index];
    this.notify();
  }

  /** One recorded frame further (or back). */
  move(by) {
    const here = nearest(this.steps, this.shown()?.step ?? 0);
    this.scrub(this.steps[Math.min(Math.max(here + by, 0), this.steps.length - 1)]);
  }

  follow() {
    this.following = true;
    this.notify();
  }

  notify() {
    for (const listener of this.listeners) listener();
  }
}

const stores = new Map();

/** The store of a run: the one place where its feed and its stage meet. */
export function storeOf(run) {
  let store = stores.get(run);
  if (!store) stores.set(run, (store = new Store(run)));
  for (const [name, old] of stores) {
    if (stores.size <= REMEMBERED_RUNS) break;
    if (name !== run && !old.listeners.size) stores.delete(name);
  }
  return store;
}
