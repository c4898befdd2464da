/* Steps of a plan through the kernels, by one thread or by several together: all take rows of a step until there are none left, and wait for
   each other before the next. */

export const SYNC = 64 // bytes at the beginning of the memory, for the three numbers below
const [NEXT, ARRIVED, ROUND] = [0, 1, 2] // next row to take, threads that are done with a step, steps that are done
const TURNS = 8 // in which each thread takes its share of a step: cores are not equally fast, or have other work

export function runSteps(kernels, memory, steps, scratch, threads) {
  const sync = new Int32Array(memory.buffer, 0, 3)
  for (const { kernel, at, rows } of steps) {
    if (threads === 1) kernels[kernel](at, 0, rows, scratch)
    else takeRows(sync, Math.ceil(rows / threads / TURNS), rows, (first, last) => kernels[kernel](at, first, last, scratch))
    if (threads > 1) meet(sync, threads)
  }
}

function takeRows(sync, some, rows, work) {
  for (let first; (first = Atomics.add(sync, NEXT, some)) < rows; ) work(first, Math.min(first + some, rows))
}

function meet(sync, threads) {
  const round = Atomics.load(sync, ROUND)
  if (Atomics.add(sync, ARRIVED, 1) === threads - 1) {
    Atomics.store(sync, ARRIVED, 0)
    Atomics.store(sync, NEXT, 0)
    Atomics.add(sync, ROUND, 1)
    Atomics.notify(sync, ROUND)
  } else {
    while (Atomics.load(sync, ROUND) === round) Atomics.wait(sync, ROUND, round)
  }
}
