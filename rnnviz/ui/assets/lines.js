// New values for curves and points on axes that stay as they are, without Plotly's redraw of those axes.
// These are the two of Plotly's own steps that such a change needs: calculate the traces, plot them.

const FIXED_LENGTH = { scatter: ["x", "y"], ohlc: ["x", "open", "high", "low", "close"] };

/** Takes `changes` (trace index -> {attribute: array}) into a drawing; false where it needs a full restyle. */
export function replot(gd, changes) {
  const { _plots, _basePlotModules } = gd._fullLayout;
  const cartesian = _basePlotModules?.find((module) => module.name === "cartesian");
  if (!cartesian || !gd.calcdata) return false;
  for (const [index, values] of changes) {
    const trace = gd._fullData[index];
    const needed = FIXED_LENGTH[trace?.type];
    if (!needed || trace.index !== index || trace.visible !== true || trace.stackgroup) return false;
    if (Object.keys(values).some((attribute) => !needed.includes(attribute))) return false;
    // New candles would need their style, a new range its axis: both are a restyle's work.
    if (trace.type === "ohlc" && Object.values(values).some((array) => array.length !== trace._length)) return false;
    const { xaxis, yaxis } = _plots[trace.xaxis + trace.yaxis];
    if ([xaxis, yaxis].some((axis) => axis.autorange !== false || !["linear", "log"].includes(axis.type))) return false;
  }
  for (const [index, values] of changes) {
    const trace = gd._fullData[index];
    Object.assign(trace, values);
    Object.assign(gd.data[index], values);
    trace._length = Math.min(...FIXED_LENGTH[trace.type].map((attribute) => trace[attribute].length));
    const calculated = trace._length ? trace._module.calc(gd, trace) : [];
    calculated[0] ??= { x: undefined, y: undefined }; // as Plotly has it: a curve without points, after a rewind
    calculated[0].t ??= {};
    calculated[0].trace = trace;
    gd.calcdata[index] = calculated;
  }
  cartesian.plot(gd);
  return true;
}
