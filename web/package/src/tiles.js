/* Photo to anime around the network: the same margin, padding, scaling and rounding as anime_model/runtime/tiles.py.
   Knows nothing of ONNX Runtime: `run(planes, height, width)` is the network. Pictures are RGBA bytes. */

const MULTIPLE = 4 // the network halves the resolution twice
const MARGIN = 4 // pixels of reflected border, cut off again
const INPUT_PIXELS = 1_100_000 // of one run, which bounds the memory: a square of 1024 and its margin go in whole

export const LEVELS = Float32Array.from({ length: 256 }, (_, level) => Math.fround(Math.fround(level / 127.5) - 1))

/** The anime picture of `photo` {width, height, data}, made in tiles that overlap by `radius` (null: never tiled).
    `onTile(done, total)` is awaited after each tile and stops the work by returning false: the result is then null. */
export async function stylize(photo, radius, run, onTile) {
  const rows = reflected(photo.height)
  const columns = reflected(photo.width)
  const anime = new Uint8ClampedArray(photo.width * photo.height * 4).fill(255)
  const all = tilesOf(photo, radius)
  for (const [i, tile] of all.entries()) {
    const [top, left, bottom, right] = tile.input
    const made = await run(planes(photo, rows.subarray(top, bottom), columns.subarray(left, right)), bottom - top, right - left)
    paste(made, tile, anime, photo)
    if ((await onTile?.(i + 1, all.length)) === false) return null
  }
  return anime
}

/** Those in which a picture of a size is made. */
export const tilesOf = ({ width, height }, radius) => tiles(reflected(height).length, reflected(width).length, radius)

/** Which pixel of a line of `size` stands at each place of the padded line (numpy's "reflect": the edge is not doubled). */
export function reflected(size) {
  const after = MARGIN + modulo(-(size + 2 * MARGIN), MULTIPLE)
  const period = Math.max(2 * (size - 1), 1)
  return Int32Array.from({ length: MARGIN + size + after }, (_, i) => {
    const place = modulo(i - MARGIN, period)
    return place < size ? place : period - place
  })
}

/** Tiles of a padded picture: `core` is what each contributes, `input` what the network needs to see for it. */
export function tiles(height, width, radius, most = INPUT_PIXELS) {
  if (radius === null || height * width <= most) return [{ core: [0, 0, height, width], input: [0, 0, height, width] }]
  const overlap = up(radius)
  const side = Math.max(Math.floor(Math.sqrt(most)) - 2 * overlap, 8 * MULTIPLE)
  const cut = (size) => {
    const step = up(size / Math.ceil(size / side))
    return Array.from({ length: Math.ceil(size / step) }, (_, i) => [i * step, Math.min((i + 1) * step, size)])
  }
  return cut(height).flatMap(([top, bottom]) => cut(width).map(([left, right]) => ({
    core: [top, left, bottom, right],
    input: [Math.max(top - overlap, 0), Math.max(left - overlap, 0), Math.min(bottom + overlap, height), Math.min(right + overlap, width)],
  })))
}

function planes({ data, width }, rows, columns) {
  const size = rows.length * columns.length
  const out = new Float32Array(3 * size)
  let at = 0
  for (const row of rows) {
    for (const column of columns) {
      const pixel = 4 * (row * width + column)
      out[at] = LEVELS[data[pixel]]
      out[at + size] = LEVELS[data[pixel + 1]]
      out[at + 2 * size] = LEVELS[data[pixel + 2]]
      at++
    }
  }
  return out
}

/** Writes the core of a tile, less the margin around the picture; Uint8ClampedArray rounds half to even, as numpy. */
function paste(made, { core, input }, anime, { width, height }) {
  const [top, left, bottom, right] = core.map((place, i) => Math.min(Math.max(place - MARGIN, 0), i % 2 ? width : height))
  const inputWidth = input[3] - input[1]
  const size = (input[2] - input[0]) * inputWidth
  for (let y = top; y < bottom; y++) {
    let from = (y + MARGIN - input[0]) * inputWidth + left + MARGIN - input[1]
    let to = 4 * (y * width + left)
    for (let x = left; x < right; x++, from++, to += 4) {
      anime[to] = (made[from] + 1) * 127.5
      anime[to + 1] = (made[from + size] + 1) * 127.5
      anime[to + 2] = (made[from + 2 * size] + 1) * 127.5
    }
  }
}

const modulo = (value, by) => ((value % by) + by) % by
const up = (value) => Math.ceil(value / MULTIPLE) * MULTIPLE
