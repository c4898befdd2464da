/* How large live pictures are and how many come in a second: from what has been measured. */

export const SIDES = [256, 384] // pixels of the short side
const SEEN = 5 // pictures by which a size is judged
const QUICK = 100 // milliseconds: the larger size is taken where a picture of it would take no longer
const SLOW = 140 // and left where it does take longer than that: between the two nothing changes
const SPAN = 2000 // milliseconds over which the rate is counted

/** {side, add(ms)}: the short side to draw at, changed as the times of its pictures say. `fixed` holds it. */
export function startPace() {
  let times = []
  const pace = { side: SIDES[0], fixed: false, add }
  function add(ms) {
    times.push(ms)
    if (times.length < SEEN || pace.fixed) return
    const side = better(pace.side, median(times))
    if (side !== pace.side) pace.side = side
    times = []
  }
  return pace
}

/** The side that pictures of `ms` milliseconds at `side` allow; time grows with the number of pixels. */
export function better(side, ms) {
  const [small, large] = SIDES
  if (side === small) return ms * (large / small) ** 2 <= QUICK ? large : small
  return ms > SLOW ? small : large
}

/** Counts what happens: `add(now)` returns how often in a second, over the last two. */
export function startRate() {
  let times = []
  return {
    add(now) {
      times = [...times.filter((time) => now - time <= SPAN), now]
      return times.length < 2 ? 0 : (1000 * (times.length - 1)) / (now - times[0])
    },
    reset() { times = [] },
  }
}

/** Width and height with a short side of `side`, even (video codecs want that); never more than the frame has. */
export function frameSize({ width, height }, side) {
  const scale = Math.min(side / Math.min(width, height), 1)
  const even = (length) => Math.max(2 * Math.round((length * scale) / 2), 2)
  return { width: even(width), height: even(height) }
}

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1]
