/* ONNX Runtime in this thread: which build of it, how many threads, and a session for each model. */

import wasmGlue from '../node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded.mjs?url'
import wasm from '../node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded.wasm?url'
import gpuGlue from '../node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded.asyncify.mjs?url'
import gpuWasm from '../node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded.asyncify.wasm?url'
import { Failure } from './failure.js'
import { unrounded } from './onnx.js'

const MOST_THREADS = 4 // more gain nothing at these sizes, and phones slow down on their small cores
const PROBE = { likeness: 64, time: 256 } // pixels a side of the pictures on which CPU and GPU are compared
const ALIKE = 0.02 // largest mean difference of a value in [-1, 1] for a GPU to be trusted: 2.5 of 255 levels
// Layers of 8 bits are computed in float there: WebAssembly has no instruction for them, and fused they took longer.
const CPU = { provider: 'wasm', options: { graphOptimizationLevel: 'basic' } }
const GPU = { provider: 'webgpu', options: {} }

// (func (result v128) i32.const 0 i8x16.splat): valid only where WebAssembly has SIMD
const SIMD = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 8, 1, 6, 0, 65, 0, 253, 15, 11]

/** `preference` is "auto" (GPU or CPU, whichever is measured to be faster here), "gpu" or "cpu". Throws `Failure`. */
export async function startEngine(preference) {
  if (typeof WebAssembly !== 'object' || !WebAssembly.validate(Uint8Array.from(SIMD))) throw new Failure('noSimd')
  const gpu = (await hasGpu(preference)) && preference
  const ort = await load(gpu)
  ort.env.logLevel = 'error'
  ort.env.wasm.wasmPaths = gpu ? { mjs: gpuGlue, wasm: gpuWasm } : { mjs: wasmGlue, wasm }
  ort.env.wasm.numThreads = threads()
  const sessions = new Map() // promises: two requests for one model load it once
  const opened = (model, onGpu) => {
    const session = openSession(ort, model, onGpu)
    sessions.set(model.style, session)
    session.catch(() => sessions.delete(model.style)) // the next request tries again
    return session
  }
  return {
    files: Object.values(ort.env.wasm.wasmPaths),
    threads: threads(),
    session: (model) => sessions.get(model.style) ?? opened(model, gpu),
    /** After a GPU that failed in the middle of its work: the same model on the CPU from now on. */
    withoutGpu: (model) => opened(model, false),
  }
}

async function load(gpu) {
  try {
    return gpu ? await import('onnxruntime-web/webgpu') : await import('onnxruntime-web/wasm')
  } catch {
    throw new Failure('noEngine')
  }
}

function threads() {
  return self.crossOriginIsolated ? Math.min(navigator.hardwareConcurrency || 1, MOST_THREADS) : 1
}

/** A GPU that is only a program on the CPU counts where it is asked for by name. */
async function hasGpu(preference) {
  if (preference === 'cpu') return false
  try {
    const adapter = await navigator.gpu?.requestAdapter()
    return Boolean(adapter) && (preference === 'gpu' || !(adapter.info?.isFallbackAdapter ?? adapter.isFallbackAdapter))
  } catch {
    return false
  }
}

async function openSession(ort, model, gpu) {
  const bytes = await fetchModel(model.url)
  const cpu = await open(ort, bytes, CPU)
  if (!gpu) return cpu
  try {
    return await better(cpu, await open(ort, unrounded(bytes), GPU), gpu)
  } catch {
    return cpu // a driver that cannot run this network
  }
}

async function fetchModel(url) {
  try {
    const response = await fetch(url)
    if (!response.ok) throw new Error(response.status)
    return new Uint8Array(await response.arrayBuffer())
  } catch {
    throw new Failure('noModel')
  }
}

async function open(ort, bytes, { provider, options }) {
  let session
  try {
    session = await ort.InferenceSession.create(bytes, { executionProviders: [provider], logSeverityLevel: 3, ...options })
  } catch (error) {
    throw new Failure(/wasm|WebAssembly|backend/i.test(error.message) ? 'noEngine' : 'badModel', error.message)
  }
  return {
    provider,
    /** Float32 planes [3, height, width] in [-1, 1] to the same. */
    async run(planes, height, width) {
      const photo = new ort.Tensor('float32', planes, [1, 3, height, width])
      const { anime } = await session.run({ photo })
      return anime.data
    },
  }
}

/** The GPU only where it makes the same picture and, unless asked for, in less time. */
async function better(cpu, gpu, preference) {
  const planes = waves(PROBE.likeness)
  const [onCpu, onGpu] = [await cpu.run(planes, PROBE.likeness, PROBE.likeness), await gpu.run(planes, PROBE.likeness, PROBE.likeness)]
  const difference = onCpu.reduce((sum, value, i) => sum + Math.abs(value - onGpu[i]), 0) / planes.length
  if (!(difference < ALIKE)) return cpu
  return preference === 'gpu' || (await time(gpu)) < (await time(cpu)) ? gpu : cpu
}

async function time(session) {
  const planes = waves(PROBE.time)
  await session.run(planes, PROBE.time, PROBE.time) // the first run of a size also prepares kernels
  const start = performance.now()
  await session.run(planes, PROBE.time, PROBE.time)
  return performance.now() - start
}

/** A picture of many colours, as planes [3, side, side]. */
const waves = (side) => Float32Array.from({ length: 3 * side * side }, (_, i) => Math.sin(i / 41) * Math.cos(i / side / 29))
