/* Lanczos resampling as Pillow's `Image.resize(..., Resampling.LANCZOS, box=...)` does it: columns first, then rows, 8 bits
   between the two. Pictures are {width, height, data: RGBA bytes}; what they hold as alpha comes out as 255. */

const LOBES = 3

/** The part `box` [left, top, right, bottom] of a picture (fractions of pixels allowed; default: all of it) at another size. */
export function resized(picture, { width, height }, box = [0, 0, picture.width, picture.height]) {
  const rows = taps(picture.height, box[1], box[3], height)
  const first = rows.starts[0]
  const last = rows.starts[height - 1] + rows.counts[height - 1]
  const narrow = alongRows(picture, taps(picture.width, box[0], box[2], width), width, first, last)
  return { width, height, data: alongColumns(narrow, rows, width, height, first) }
}

/** For each of `size` places: the first pixel that counts, how many, and their weights, which add up to 1. */
function taps(length, from, to, size) {
  const scale = (to - from) / size
  const wide = Math.max(scale, 1)
  const reach = LOBES * wide
  const most = Math.ceil(reach) * 2 + 1
  const starts = new Int32Array(size)
  const counts = new Int32Array(size)
  const weights = new Float64Array(size * most)
  for (let i = 0; i < size; i++) {
    const middle = from + (i + 0.5) * scale
    const start = Math.max(Math.trunc(middle - reach + 0.5), 0)
    const count = Math.min(Math.trunc(middle + reach + 0.5), length) - start
    let sum = 0
    for (let k = 0; k < count; k++) sum += weights[i * most + k] = lanczos((start + k - middle + 0.5) / wide)
    for (let k = 0; k < count; k++) weights[i * most + k] /= sum
    starts[i] = start
    counts[i] = count
  }
  return { starts, counts, weights, most }
}

function lanczos(x) {
  if (x === 0) return 1
  const angle = Math.PI * x
  return Math.abs(x) < LOBES ? (LOBES * Math.sin(angle) * Math.sin(angle / LOBES)) / (angle * angle) : 0
}

function alongRows({ width: length, data }, { starts, counts, weights, most }, width, first, last) {
  const out = new Uint8ClampedArray((last - first) * width * 4) // rounds and clips
  for (let y = first, to = 0; y < last; y++) {
    for (let x = 0; x < width; x++, to += 4) {
      let [red, green, blue] = [0, 0, 0]
      for (let k = 0, at = 4 * (y * length + starts[x]); k < counts[x]; k++, at += 4) {
        const weight = weights[x * most + k]
        red += weight * data[at]
        green += weight * data[at + 1]
        blue += weight * data[at + 2]
      }
      out[to] = red
      out[to + 1] = green
      out[to + 2] = blue
    }
  }
  return out
}

function alongColumns(data, { starts, counts, weights, most }, width, height, first) {
  const out = new Uint8ClampedArray(height * width * 4).fill(255)
  const sums = new Float64Array(width * 4)
  for (let y = 0; y < height; y++) {
    sums.fill(0)
    for (let k = 0; k < counts[y]; k++) {
      const weight = weights[y * most + k]
      const from = (starts[y] + k - first) * width * 4
      for (let i = 0; i < sums.length; i++) sums[i] += weight * data[from + i]
    }
    for (let i = 0, to = y * width * 4; i < sums.length; i++) if ((i & 3) !== 3) out[to + i] = sums[i]
  }
  return out
}
