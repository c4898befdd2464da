/* One of several threads, a worker. In: {module, memory} once, then {steps, scratch, threads}. Out: an empty message after each. */

import { runSteps } from './steps.js'

let kernels, memory

self.onmessage = async ({ data }) => {
  if (data.module) {
    memory = data.memory
    kernels = (await WebAssembly.instantiate(data.module, { env: { memory } })).exports
  } else {
    runSteps(kernels, memory, data.steps, data.scratch, data.threads)
  }
  self.postMessage({})
}
