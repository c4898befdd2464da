/* A model's bytes as {provider, runtime, threads, radius, stroke, strokeMost, run}: on the CPU by kernels of our own, or by ONNX Runtime where these cannot make a network;
   on the GPU, by ONNX Runtime, where that makes the same picture. Which build of it is the caller's choice: `ort()` is a promise of
   its namespace, asked for where it is needed only. */

import { openNetwork } from './engine/running.js'
import { Failure } from './failure.js'
import { metadata, unrounded } from './onnx.js'

const PROBE = { likeness: 64, time: 256 } // pixels a side of the pictures on which CPU and GPU are compared
const ALIKE = 0.02 // largest mean difference of a value in [-1, 1] for a GPU to be trusted: 2.5 of 255 levels
const MOST_THREADS = 4 // more gain nothing at these sizes, and phones slow down on their small cores
// Layers of 8 bits are computed in float there: WebAssembly has no instruction for them, and fused they took longer.
const CPU = { provider: 'wasm', options: { graphOptimizationLevel: 'basic' } }
const GPU = { provider: 'webgpu', options: {} }

/** Threads that a network gets: several need shared memory, and so a page that is cross-origin isolated. */
export function threadsHere(wanted = MOST_THREADS) {
  return globalThis.crossOriginIsolated ? Math.max(1, Math.min(globalThis.navigator.hardwareConcurrency || 1, wanted)) : 1
}

/** `gpu`: "auto" (whichever is measured to be faster here), "gpu" or false. A CPU that makes a small picture within `enough` milliseconds
    is not compared. Throws `Failure`. */
export async function openModel(bytes, { ort, gpu = false, threads = threadsHere(), enough = 0 }) {
  const wishes = wishesOf(bytes)
  const own = await openNetwork(bytes, threads).catch(() => null) // a browser that does not compile the kernels
  const cpu = own ? { provider: 'wasm', runtime: 'WebAssembly', ...wishes, ...own } : await open(await ort(), bytes, { ...CPU, ...wishes, threads })
  if (!gpu || (gpu === 'auto' && enough && (await time(cpu)) < enough)) return cpu
  let onGpu
  let taken = cpu
  try {
    onGpu = await open(await ort(), unrounded(bytes), { ...GPU, ...wishes, threads })
    taken = await better(cpu, onGpu, gpu)
  } catch {
    // a driver that cannot run this network
  }
  ;(taken === cpu ? onGpu : cpu)?.close().catch(() => {}) // not waited for: a driver may never answer
  return taken
}

/** The bytes of a model's file. Throws `Failure`. */
export async function fetchModel(url) {
  try {
    const response = await fetch(url)
    if (!response.ok) throw new Error(response.status)
    return new Uint8Array(await response.arrayBuffer())
  } catch {
    throw new Failure('noModel')
  }
}

/** What a model's file says of itself: `radius`, pixels by which tiles must overlap (null: this model cannot be tiled), `stroke`, the
    short side in pixels at which it wants larger pictures drawn, and `strokeMost`, the largest that is worth a trial (null where it does not say). */
function wishesOf(bytes) {
  try {
    const said = metadata(bytes)
    const whole = (note) => (/^\d+$/.test(said[note]) ? Number(said[note]) : null)
    return { radius: Number(said.receptive_radius) || null, stroke: whole('stroke'), strokeMost: whole('stroke_most') }
  } catch (error) {
    throw new Failure('badModel', error.message)
  }
}

async function open(ort, bytes, { provider, options, threads, ...wishes }) {
  let session
  try {
    session = await ort.InferenceSession.create(bytes, { executionProviders: [provider], logSeverityLevel: 3, ...options })
  } catch (error) {
    throw new Failure(/wasm|WebAssembly|backend/i.test(error.message) ? 'noEngine' : 'badModel', error.message)
  }
  let released // a promise: a session is released once
  return {
    provider,
    runtime: 'ONNX Runtime Web',
    threads,
    ...wishes,
    /** Float32 planes [3, height, width] in [-1, 1] to the same. */
    async run(planes, height, width) {
      const photo = new ort.Tensor('float32', planes, [1, 3, height, width])
      const { anime } = await session.run({ photo })
      return anime.data
    },
    close: () => (released ??= session.release()),
  }
}

/** The GPU only where it makes the same picture and, unless asked for, in less time. */
async function better(cpu, gpu, preference) {
  const planes = waves(PROBE.likeness)
  const [onCpu, onGpu] = [await cpu.run(planes, PROBE.likeness, PROBE.likeness), await gpu.run(planes, PROBE.likeness, PROBE.likeness)]
  const difference = onCpu.reduce((sum, value, i) => sum + Math.abs(value - onGpu[i]), 0) / onCpu.length
  if (!(difference < ALIKE)) return cpu
  return preference === 'gpu' || (await time(gpu)) < (await time(cpu)) ? gpu : cpu
}

async function time(network) {
  const planes = waves(PROBE.time)
  await network.run(planes, PROBE.time, PROBE.time) // the first run of a size also prepares kernels
  const start = performance.now()
  await network.run(planes, PROBE.time, PROBE.time)
  return performance.now() - start
}

/** A picture of many colours, as planes [3, side, side]. */
const waves = (side) => Float32Array.from({ length: 3 * side * side }, (_, i) => Math.sin(i / 41) * Math.cos(i / side / 29))
