/* A drawing at a working size brought to a picture's own, as anime_model/runtime/enlarging.py: lines stay crisp and as thick a
   share of the picture. Very small networks enlarge the drawing twice or four times, as often as needed; what is between a power
   of two and the wanted size, an exact reduction does. Parts are computed by themselves, from as much around them as they depend on. */

import { resized } from './resampling.js'
import { LEVELS } from './tiles.js'

export const STROKE = 720 // pixels of the short side of a drawing
const STRETCH = 1.1 // by which an enlarged drawing is stretched at most, rather than doubled once more and reduced
const PART = 768 // pixels of the sides of a part, which bounds the memory
const SUPPORT = 4 // pixels of the enlarged drawing around a place that the last step looks at

/** The size at which a picture is drawn, null where that is its own: its short side is no longer than `stroke` (0: never). */
export function strokeSize({ width, height }, stroke) {
  const short = Math.min(width, height)
  if (!stroke || short <= stroke) return null
  const side = (length) => Math.max(1, halfToEven((length * stroke) / short))
  return { width: side(width), height: side(height) }
}

/** `drawing` as the picture of `size`; `enlarger(factor)` gives {run, radius}, a network that enlarges planes that many times.
    `onPart` is awaited after each part and ends the work by returning false: the result is then null. */
export async function enlarged(drawing, size, enlarger, onPart) {
  const steps = []
  for (const factor of factors(Math.max(size.width / drawing.width, size.height / drawing.height))) {
    const { run, radius } = await enlarger(factor)
    steps.push({ factor, run, radius })
  }
  const out = new Uint8ClampedArray(size.width * size.height * 4)
  for (const box of parts(size)) {
    const made = await part(drawing, size, box, steps)
    const [left, top] = box
    for (let y = 0; y < made.height; y++) {
      out.set(made.data.subarray(y * made.width * 4, (y + 1) * made.width * 4), 4 * ((top + y) * size.width + left))
    }
    if ((await onPart?.()) === false) return null
  }
  return out
}

/** How many times larger each network in turn makes a drawing that has to grow that much: 2 at first or not at all, then 4s. */
export function factors(growth) {
  const doublings = Math.max(0, Math.ceil(Math.log2(growth / STRETCH)))
  return [...Array(doublings % 2).fill(2), ...Array(doublings >> 1).fill(4)]
}

const growthOf = (steps) => steps.reduce((product, { factor }) => product * factor, 1)

/** Left, top, right and bottom of every part. */
export function parts({ width, height }) {
  const cut = (length) => Array.from({ length: Math.ceil(length / PART) }, (_, i) => [i * PART, Math.min((i + 1) * PART, length)])
  return cut(height).flatMap(([top, bottom]) => cut(width).map(([left, right]) => [left, top, right, bottom]))
}

async function part(drawing, size, box, steps) {
  const span = (axis, length, wanted) => {
    const large = length * growthOf(steps)
    const ratio = large / wanted
    const [first, last] = [box[axis] * ratio, box[axis + 2] * ratio]
    const reach = Math.ceil(SUPPORT * Math.max(1, ratio))
    const from = Math.max(0, Math.trunc(first) - reach)
    const to = Math.min(large, Math.ceil(last) + reach)
    return { from, to, exact: [first - from, Math.min(last - from, to - from)] }
  }
  const across = span(0, drawing.width, size.width)
  const down = span(1, drawing.height, size.height)
  const large = picture(await level(drawing, steps, [down.from, down.to], [across.from, across.to]))
  const wanted = { width: box[2] - box[0], height: box[3] - box[1] }
  return resized(large, wanted, [across.exact[0], down.exact[0], across.exact[1], down.exact[1]])
}

/** Planes {data: Float32Array [3, height, width] in [-1, 1], height, width}: rows and columns of the drawing after these steps. */
async function level(drawing, steps, rows, columns) {
  if (!steps.length) return planesOf(drawing, rows, columns)
  const earlier = steps.slice(0, -1)
  const { factor, run, radius } = steps.at(-1)
  const inner = [[rows, drawing.height], [columns, drawing.width]].map(([[first, last], length]) => {
    const start = Math.floor(first / factor) - radius
    const stop = Math.ceil(last / factor) + radius
    const inside = [Math.max(0, start), Math.min(length * growthOf(earlier), stop)]
    return { start, stop, inside, cut: first - factor * start }
  })
  const before = await level(drawing, earlier, inner[0].inside, inner[1].inside)
  const padded = reflectedPlanes(before, inner)
  const made = await run(padded.data, padded.height, padded.width)
  return cutOut(made, factor * padded.height, factor * padded.width, inner[0].cut, inner[1].cut, rows[1] - rows[0], columns[1] - columns[0])
}

function planesOf({ width: length, data }, [top, bottom], [left, right]) {
  const [height, width] = [bottom - top, right - left]
  const size = height * width
  const out = new Float32Array(3 * size)
  for (let y = 0, to = 0; y < height; y++) {
    for (let x = 0, at = 4 * ((top + y) * length + left); x < width; x++, at += 4, to++) {
      for (let channel = 0; channel < 3; channel++) out[to + channel * size] = LEVELS[data[at + channel]]
    }
  }
  return { data: out, height, width }
}

/** Planes with what is missing around them filled in by reflection (numpy's "reflect": the edge is not doubled). */
function reflectedPlanes({ data, height, width }, [down, across]) {
  const rows = places(down, height)
  const columns = places(across, width)
  if (rows.length === height && columns.length === width) return { data, height, width }
  const out = new Float32Array(3 * rows.length * columns.length)
  let to = 0
  for (let channel = 0; channel < 3; channel++) {
    for (const row of rows) for (const column of columns) out[to++] = data[(channel * height + row) * width + column]
  }
  return { data: out, height: rows.length, width: columns.length }
}

function places({ start, stop, inside }, length) {
  const period = Math.max(2 * (length - 1), 1)
  return Int32Array.from({ length: stop - start }, (_, i) => {
    const place = (((start + i - inside[0]) % period) + period) % period
    return place < length ? place : period - place
  })
}

function cutOut(data, fullHeight, fullWidth, top, left, height, width) {
  const out = new Float32Array(3 * height * width)
  let to = 0
  for (let channel = 0; channel < 3; channel++) {
    for (let y = 0; y < height; y++) {
      const from = (channel * fullHeight + top + y) * fullWidth + left
      for (let x = 0; x < width; x++) out[to++] = Math.min(Math.max(data[from + x], -1), 1)
    }
  }
  return { data: out, height, width }
}

function picture({ data, height, width }) {
  const size = height * width
  const out = new Uint8ClampedArray(4 * size).fill(255) // rounds half to even, as numpy
  for (let i = 0; i < size; i++) {
    for (let channel = 0; channel < 3; channel++) out[4 * i + channel] = (data[i + channel * size] + 1) * 127.5
  }
  return { width, height, data: out }
}

function halfToEven(value) {
  const low = Math.floor(value)
  return value - low === 0.5 ? low + (low % 2) : Math.round(value)
}
