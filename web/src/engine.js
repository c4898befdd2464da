/* The networks in this thread: a session for each model, and which build of ONNX Runtime where one is needed. */

import wasmGlue from '../node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded.mjs?url'
import wasm from '../node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded.wasm?url'
import gpuGlue from '../node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded.asyncify.mjs?url'
import gpuWasm from '../node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded.asyncify.wasm?url'
import { Failure } from '../package/src/failure.js'
import { fetchModel, openModel, threadsHere } from '../package/src/sessions.js'
import { keepingEngine } from './engine_store.js'

const ENOUGH = 150 // milliseconds for a small picture in which a CPU is so fast that a GPU is not worth 27 MB

// (func (result v128) i32.const 0 i8x16.splat): valid only where WebAssembly has SIMD
const SIMD = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 8, 1, 6, 0, 65, 0, 253, 15, 11]

/** `preference` is "auto" (the CPU, or where that is slow the faster of both), "gpu" or "cpu". Throws `Failure`. */
export async function startEngine(preference) {
  if (typeof WebAssembly !== 'object' || !WebAssembly.validate(Uint8Array.from(SIMD))) throw new Failure('noSimd')
  const gpu = (await hasGpu(preference)) && preference
  const files = []
  let kept = async () => {}
  let loading // a promise of ONNX Runtime
  const ort = () => (loading ??= load(gpu).then((runtime) => {
    runtime.env.logLevel = 'error'
    runtime.env.wasm.wasmPaths = gpu ? { mjs: gpuGlue, wasm: gpuWasm } : { mjs: wasmGlue, wasm }
    runtime.env.wasm.numThreads = threadsHere()
    files.push(...Object.values(runtime.env.wasm.wasmPaths))
    kept = keepingEngine(runtime.env.wasm.wasmPaths.wasm)
    return runtime
  }).catch((error) => {
    loading = null // the next request tries again
    throw error
  }))
  const sessions = new Map() // promises: two requests for one model load it once
  const opened = (model, onGpu) => {
    const session = fetchModel(model.url).then((bytes) => openModel(bytes, { ort, gpu: onGpu, enough: ENOUGH }))
    sessions.set(model.url, session)
    session.catch(() => sessions.delete(model.url)) // the next request tries again
    return session
  }
  return {
    files, // of ONNX Runtime, where it was needed
    kept: () => kept(),
    session: (model) => sessions.get(model.url) ?? opened(model, gpu),
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
