// New values for a heat map without Plotly's full redraw of axes and labels (6 ms become less than 1).
// Plotly draws an evenly spaced heat map as a picture of one pixel per cell; this swaps that picture, in the same way,
// and leaves the new values where Plotly looks for them at the next hover, zoom or resize.

const XLINK = "http://www.w3.org/1999/xlink";
const SHADES = 1024;
const canvas = document.createElement("canvas");
const scales = new Map(); // colour scale as text -> SHADES packed rgba values

function rgb(colour) {
  const context = canvas.getContext("2d");
  context.fillStyle = colour;
  const hex = Number.parseInt(context.fillStyle.slice(1), 16); // canvas gives #rrggbb for every opaque colour
  return [hex >> 16, (hex >> 8) & 255, hex & 255];
}

function shadesOf(colorscale) {
  const name = JSON.stringify(colorscale);
  if (scales.has(name)) return scales.get(name);
  const stops = colorscale.map(([at, colour]) => [at, rgb(colour)]);
  const bytes = new Uint8ClampedArray(4 * SHADES);
  let right = 1;
  for (let i = 0; i < SHADES; i++) {
    const at = i / (SHADES - 1);
    while (right < stops.length - 1 && stops[right][0] < at) right++;
    const [[from, low], [to, high]] = [stops[right - 1], stops[right]];
    const share = to > from ? Math.min(Math.max((at - from) / (to - from), 0), 1) : 1;
    for (let k = 0; k < 3; k++) bytes[4 * i + k] = Math.round(low[k] + share * (high[k] - low[k]));
    bytes[4 * i + 3] = 255;
  }
  const shades = new Uint32Array(bytes.buffer);
  scales.set(name, shades);
  return shades;
}

function drawnImage(gd, calc) {
  for (const group of gd.querySelectorAll(".heatmaplayer .hm")) {
    if (group.__data__ === calc) return group.querySelector("image");
  }
  return null;
}

/** Shows `z` in heat map trace `index`; false where only Plotly itself can (another shape, smoothing, gaps, Safari). */
export function repaint(gd, index, z) {
  const calc = gd.calcdata?.[index];
  const trace = calc?.[0].trace;
  if (trace?.type !== "heatmap" || trace.visible !== true) return false;
  if (trace.zauto || trace.coloraxis || trace.texttemplate) return false;
  const old = calc[0].z;
  const image = drawnImage(gd, calc);
  const even = trace._islinear && !trace.zsmooth && !trace.xgap && !trace.ygap;
  if (!even || !image?.style.imageRendering || old.length !== z.length || old[0].length !== z[0].length) return false;

  const rows = z.length;
  const columns = z[0].length;
  const stops = trace.colorscale;
  const shades = shadesOf(trace.reversescale ? stops.map(([at, colour]) => [1 - at, colour]).reverse() : stops);
  const slope = (SHADES - 1) / (trace.zmax - trace.zmin);
  const { _plots } = gd._fullLayout;
  const { xaxis, yaxis } = _plots[trace.xaxis + trace.yaxis];
  const leftwards = xaxis.c2p(calc[0].x[0]) > xaxis.c2p(calc[0].x[columns]);
  const upwards = yaxis.c2p(calc[0].y[0]) > yaxis.c2p(calc[0].y[rows]);

  canvas.width = columns;
  canvas.height = rows;
  const context = canvas.getContext("2d");
  const picture = context.createImageData(columns, rows);
  const pixels = new Uint32Array(picture.data.buffer);
  for (let r = 0; r < rows; r++) {
    const start = columns * (upwards ? rows - 1 - r : r);
    for (let c = 0; c < columns; c++) {
      const value = z[r][c];
      if (!Number.isFinite(value)) continue; // transparent: the panel's own colour shows
      const shade = Math.min(Math.max(Math.round((value - trace.zmin) * slope), 0), SHADES - 1);
      pixels[start + (leftwards ? columns - 1 - c : c)] = shades[shade];
    }
  }
  context.putImageData(picture, 0, 0);
  image.setAttributeNS(XLINK, "xlink:href", canvas.toDataURL());
  gd.data[index].z = trace.z = calc[0].z = z;
  return true;
}
