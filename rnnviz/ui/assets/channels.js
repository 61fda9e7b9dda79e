// What a trace asks for by `meta.feed`, answered from the store as arrays Plotly takes.

const MOST_POINTS = 1500;

const OPS = {
  pow10: (v) => map(v, (x) => 10 ** x),
  row: (v, k) => v[k],
  // Not a typed array: Plotly takes the numbers of one unseen, and writes NaN into the paths of an ohlc trace.
  col: (v, k) => v.map((row) => row[k]),
  // Of numbers; where there is none, something that cannot be seen: Plotly loses count of points without a text.
  names: (v, list) => Array.from(v, (k) => list.split("|")[k] ?? "\u200b"),
};

const map = (v, f) => (typeof v[0] === "object" ? v.map((row) => row.map(f)) : v.map(f));

function operate(value, ops) {
  for (const op of ops) {
    const at = op.indexOf(":");
    value = at < 0 ? OPS[op](value) : OPS[op.slice(0, at)](value, op.slice(at + 1));
  }
  return value;
}

/** Float64 while powers of ten are taken: 10 ** -40 is not a float32. */
const widen = (array, ops) => (ops.includes("pow10") ? Float64Array.from(array) : array);

function shaped(values, shape) {
  if (shape.length < 2) return values;
  const [rows, columns] = shape;
  return Array.from({ length: rows }, (_, r) => values.subarray(r * columns, (r + 1) * columns));
}

// Which points of a long series to draw: the lowest and the highest of every bucket, and both ends.
function picked(values, length) {
  if (length <= MOST_POINTS) return null;
  const buckets = MOST_POINTS / 2;
  const picks = [0];
  for (let b = 0; b < buckets; b++) {
    const begin = Math.floor((b * length) / buckets);
    const end = Math.floor(((b + 1) * length) / buckets);
    let low = begin;
    let high = begin;
    for (let i = begin; i < end; i++) {
      if (values[i] < values[low]) low = i;
      if (values[i] > values[high]) high = i;
    }
    for (const i of low <= high ? [low, high] : [high, low]) if (i > picks[picks.length - 1]) picks.push(i);
  }
  if (picks[picks.length - 1] < length - 1) picks.push(length - 1);
  return picks;
}

/** Answers feeds from one store; `numbers` widens packed arrays. */
export class Channels {
  constructor(store, numbers) {
    this.store = store;
    this.numbers = numbers;
    this.picks = new Map(); // series name -> {length, picks}: x and y of one curve are thinned alike
  }

  /** Changes exactly when the answer would. */
  version([kind], frame) {
    const { epoch, historyVersion, seriesLength } = this.store;
    if (kind === "frame") return frame ? `${epoch}:${frame.step}` : null;
    return kind === "rows" || kind === "steps" ? `${historyVersion}` : `${epoch}:${seriesLength}`;
  }

  /** The array asked for, or undefined while it is not there (the picture keeps what it has). */
  resolve([kind, channel, ...ops], frame) {
    if (kind === "frame") {
      const array = frame?.channels.get(channel);
      return array && operate(shaped(widen(this.numbers(array), ops), array.shape), ops);
    }
    if (kind === "steps") return this.store.steps.length ? Float64Array.from(this.store.steps) : undefined;
    if (kind === "rows") {
      const arrays = this.store.steps.map((step) => this.store.frames.get(step).channels.get(channel));
      const rows = arrays.filter(Boolean).map((array) => widen(this.numbers(array), ops));
      return rows.length === arrays.length && rows.length ? operate(rows, ops) : undefined;
    }
    return this.#series(kind, channel, ops);
  }

  #series(kind, channel, ops) {
    const values = this.store.series.get(channel);
    const length = this.store.seriesLength;
    if (!values) return undefined;
    const picks = this.#picks(channel, values, length);
    if (kind === "series_steps") {
      const steps = picks ? Float64Array.from(picks, (i) => i + 1) : Float64Array.from({ length }, (_, i) => i + 1);
      return operate(steps, ops);
    }
    const taken = picks ? Float32Array.from(picks, (i) => values[i]) : values.slice(0, length);
    return operate(widen(taken, ops), ops);
  }

  #picks(channel, values, length) {
    const version = this.version(["series"], null);
    const cached = this.picks.get(channel);
    if (cached?.version === version) return cached.picks;
    const picks = picked(values, length);
    this.picks.set(channel, { version, picks });
    return picks;
  }
}
