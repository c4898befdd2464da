/* At which working size a network that changes shapes, such as eyes, does so most, as anime_model/runtime/shapes.py: it knows faces
   of a certain size in pixels, and nobody knows how large they are in a photo. So a few sizes are drawn. */

const STEP = Math.SQRT2 // between two working sizes
export const WORTH = 1.1 // times the change of a smaller drawing, which takes half the time, that a larger one has to reach
export const GIVEN_UP = 0.8 // of the kept drawing's change: below it, larger ones are not tried
const CELL = 8 // pixels of the sides of what counts as a shape at least
const AROUND = 7 // cells to each side in which a tint is no shape
const LEVELS = 3 * 127.5 * CELL ** 2 // of a cell's sum of channels, for each unit of a network's range

/** Working sizes in steps of the root of two, from `first` to `most`, those below a picture's `short` side. */
export function strokes(first, most, short) {
  const found = []
  for (let stroke = first; stroke <= Math.max(first, most) && stroke < short; stroke = Math.round(first * STEP ** found.length)) found.push(stroke)
  return found
}

/** How much of a picture has got other shapes, of photo and drawing {width, height} with RGBA bytes: 0 where none. */
export function changedShapes({ width, height, data: photo }, made) {
  const columns = 2 * Math.floor(width / (2 * CELL))
  const rows = 2 * Math.floor(height / (2 * CELL))
  const cells = new Int32Array(rows * columns)
  for (let y = 0; y < rows * CELL; y++) {
    const start = Math.floor(y / CELL) * columns
    for (let x = 0, at = 4 * y * width; x < columns * CELL; x++, at += 4) {
      cells[start + Math.floor(x / CELL)] += made[at] + made[at + 1] + made[at + 2] - photo[at] - photo[at + 1] - photo[at + 2]
    }
  }
  const sums = sumsAround(cells, rows, columns)
  const counts = sumsAround(new Int32Array(cells.length).fill(1), rows, columns)
  const moved = Float64Array.from(cells, (cell, i) => ((cell - sums[i] / counts[i]) / LEVELS) ** 2)
  let total = 0
  for (let y = 0; y < rows; y += 2) {
    for (let at = y * columns; at < (y + 1) * columns; at += 2) {
      total += ((moved[at] + moved[at + 1] + moved[at + columns] + moved[at + columns + 1]) / 4) ** 2
    }
  }
  return (4 * total) / (rows * columns)
}

/** Sums over `AROUND` cells to each side; there are none beyond the border. Integers, so that no order matters. */
function sumsAround(cells, rows, columns) {
  const along = spread(cells, rows, columns, columns, 1)
  return spread(along, columns, rows, 1, columns)
}

function spread(cells, lines, length, next, step) {
  const out = new Int32Array(cells.length)
  for (let line = 0; line < lines; line++) {
    let sum = 0
    for (let i = -AROUND; i < length; i++) {
      if (i + AROUND < length) sum += cells[line * next + (i + AROUND) * step]
      if (i > AROUND) sum -= cells[line * next + (i - AROUND - 1) * step]
      if (i >= 0) out[line * next + i * step] = sum
    }
  }
  return out
}
