/* Networks on the kernels, in this thread or in several. All networks share the kernels and their memory, which holds
   the steps of the run at hand, the numbers of its network, and its maps. With several threads this one only waits, for a page's own may not be
   blocked. */

import { compiled } from './compiling.js'
import * as builds from './kernels.js'
import { packed, planned, STEP, writeStep } from './planning.js'
import { runSteps, SYNC } from './steps.js'

const PAGE = 65536 // bytes
const MOST_PAGES = 16384 // 1 GiB: phones refuse to set more aside, and the largest tile takes a fifth of it
const MOST_STEPS = 256
const CUT_OFF = 65534 // of `dotsHere`, on x86 without VNNI
const NUMBERS = SYNC + MOST_STEPS * STEP // where they begin

const teams = new Map() // those at work, by what they are asked for: {networks, team}, `team` a promise

/** {threads, dots, run, close} of an ONNX file's bytes, `run` as in ../sessions.js; null where the kernels cannot make it. `build` is "relaxed" or
    "plain", the better one unless told; `dots`: whole numbers may be summed by fours, and in the result, whether they are. */
export async function openNetwork(bytes, threads, build, dots = true) {
  const network = compiled(bytes)
  if (!network || network.layers.length >= MOST_STEPS) return null
  const own = { network, ...packed(network) }
  const { team, leave } = await joined(threads, build ?? (await bestBuild()), dots)
  await team.queued(() => checkDots(team, own))
  let left // a promise: a network that is closed twice leaves once
  const close = () => (left ??= team.queued(leave))
  return { threads: team.threads, dots: team.dots, run: (planes, height, width) => team.queued(() => run(team, own, planes, height, width)), close }
}

/** Sums of whole numbers are exact, by fours or in floats: where they differ by a bit (V8 11.3 had such a fault) floats are used. */
async function checkDots(team, own) {
  if (!team.dots || team.checked || own.places.every(({ dots }) => dots === undefined)) return
  const [height, width] = [8, 48] // a block of pixels goes into a quarter of the width
  const planes = Float32Array.from({ length: 3 * height * width }, (_, i) => Math.sin(i * i))
  const made = await run(team, own, planes, height, width)
  team.dots = false
  const floats = await run(team, own, planes, height, width)
  team.checked = team.dots = made.every((value, i) => value === floats[i])
}

let best // a promise of it: what a browser can does not change

/** The build for this browser: relaxed SIMD has a fused multiply-add. */
export const bestBuild = () => (best ??= inflated(builds.relaxed).then((bytes) => (WebAssembly.validate(bytes) ? 'relaxed' : 'plain')))

/** The bytes of a build of the kernels, which travel compressed. */
async function inflated(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate-raw'))).arrayBuffer()
}

async function run(team, { network, numbers, places }, planes, height, width) {
  const { memory, threads, dots } = team
  const plan = planned(network, places, { height, width, threads, dots, numbers: NUMBERS, base: NUMBERS + numbers.byteLength })
  const missing = plan.end - memory.buffer.byteLength
  if (missing > 0) memory.grow(Math.ceil(missing / PAGE))
  if (team.numbers !== numbers) new Float32Array(memory.buffer, NUMBERS, numbers.length).set(numbers)
  team.numbers = numbers
  const steps = plan.steps.map(({ kernel, rows, fields }, i) => {
    const at = SYNC + i * STEP
    writeStep(memory.buffer, at, fields)
    return { kernel, rows, at }
  })
  const floats = new Float32Array(memory.buffer)
  eachRow(3, height, (plane, y) => floats.set(planes.subarray((plane * height + y) * width, (plane * height + y + 1) * width), plan.row(plan.planes, plane, y)))
  await team.work(steps, plan.scratch)
  const made = plan.made
  const anime = new Float32Array(3 * made.height * made.width)
  eachRow(3, made.height, (plane, y) => {
    const from = plan.row(made.at, plane, y)
    anime.set(floats.subarray(from, from + made.width), (plane * made.height + y) * made.width)
  })
  return anime
}

function eachRow(planes, height, work) {
  for (let plane = 0; plane < planes; plane++) for (let y = 0; y < height; y++) work(plane, y)
}

/** A team starts with its first network and ends with its last. */
async function joined(threads, build, dots) {
  const key = `${threads} ${build} ${dots}`
  const entry = teams.get(key) ?? { networks: 0, team: startTeam(threads, build, dots) }
  teams.set(key, entry)
  entry.networks++
  const leave = async () => {
    if (--entry.networks) return
    if (teams.get(key) === entry) teams.delete(key)
    ;(await entry.team).end()
  }
  try {
    return { team: await entry.team, leave }
  } catch (error) {
    teams.delete(key)
    throw error
  }
}

async function startTeam(threads, build, dots) {
  const module = await WebAssembly.compile(await inflated(builds[build]))
  const memory = new WebAssembly.Memory({ initial: 1, maximum: MOST_PAGES, shared: true })
  const { exports } = await WebAssembly.instantiate(module, { env: { memory } })
  const workers = threads > 1 ? await startWorkers(threads, { module, memory }) : []
  let last = Promise.resolve()
  return {
    memory,
    threads: Math.max(workers.length, 1),
    dots: dots && build === 'relaxed' && quickDots(exports.dotsHere()),
    work: workers.length ? together(workers) : alone(exports, memory),
    /** Work one after the other, whoever asks for it. */
    queued: (work) => (last = last.then(work, work)),
    end() {
      this.work = () => Promise.reject(new Error('the network is closed'))
      for (const worker of workers) worker.terminate()
    },
  }
}

/** Whether sums of whole numbers are quicker here than sums of floats: not where they take three instructions. */
const quickDots = (sum) => sum !== CUT_OFF

function alone(exports, memory) {
  return async (steps, [scratch]) => runSteps(exports, memory, steps, scratch, 1)
}

const together = (workers) => (steps, scratch) =>
  Promise.all(workers.map((worker, i) => answer(worker, { steps, scratch: scratch[i], threads: workers.length })))

/** None where a page cannot have them, because of its policy for one. */
async function startWorkers(threads, parts) {
  const workers = []
  try {
    for (let i = 0; i < threads; i++) workers.push(new Worker(new URL('./thread.js', import.meta.url), { type: 'module' }))
    await Promise.all(workers.map((worker) => answer(worker, parts)))
    return workers
  } catch {
    for (const worker of workers) worker.terminate()
    return []
  }
}

function answer(worker, message) {
  return new Promise((resolve, reject) => {
    worker.onmessage = resolve
    worker.onerror = (event) => reject(new Error(event.message || 'a thread that ended'))
    worker.postMessage(message)
  })
}
