// Decoding of one feed message: 4-byte little-endian header length, JSON header, padding to 8 bytes, arrays.
// Every array is copied out of the message: its bytes are not aligned in memory, and a view would keep the
// whole websocket message alive for as long as one frame of it is remembered.

const TYPES = {
  float16: Uint16Array, // kept packed: half the memory; widened when drawn
  float32: Float32Array,
  float64: Float64Array,
  uint8: Uint8Array,
  int32: Int32Array,
};

let halves; // the 65,536 values a float16 can have

function halfTable() {
  const table = new Float32Array(65536);
  for (let bits = 0; bits < 65536; bits++) {
    const sign = bits & 0x8000 ? -1 : 1;
    const exponent = (bits >> 10) & 0x1f;
    const fraction = bits & 0x3ff;
    if (exponent === 0) table[bits] = sign * fraction * 2 ** -24;
    else if (exponent === 31) table[bits] = fraction ? NaN : sign * Infinity;
    else table[bits] = sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  }
  return table;
}

/** The values of a decoded array as numbers; float16 is looked up, every other type is already numeric. */
export function numbers(array) {
  if (array.dtype !== "float16") return array.data;
  halves ??= halfTable();
  const out = new Float32Array(array.data.length);
  for (let i = 0; i < out.length; i++) out[i] = halves[array.data[i]];
  return out;
}

function takeArray(bytes, start, spec) {
  const Type = TYPES[spec.dtype];
  if (!Type) throw new Error(`unknown dtype ${spec.dtype} of ${spec.name}`);
  const count = spec.shape.reduce((a, b) => a * b, 1);
  const begin = start + spec.offset;
  const copy = bytes.slice(begin, begin + count * Type.BYTES_PER_ELEMENT);
  return { dtype: spec.dtype, shape: spec.shape, data: new Type(copy.buffer) };
}

const takeArrays = (bytes, start, specs) =>
  new Map(specs.map((spec) => [spec.name, takeArray(bytes, start, spec)]));

/** One message: the JSON header, with the arrays of its frames and of its series decoded in place. */
export function decode(bytes) {
  const length = new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  const start = Math.ceil((4 + length) / 8) * 8;
  return {
    ...header,
    frames: header.frames.map((frame) => ({
      step: frame.step,
      scalars: frame.scalars,
      channels: takeArrays(bytes, start, frame.arrays),
    })),
    series: { ...header.series, arrays: takeArrays(bytes, start, header.series.arrays) },
  };
}
