/* Networks of ONNX on the kernels, in this thread or in several. All networks of a page share the kernels and their memory: the
   numbers of the network at work, then its maps. */

import { compiled } from './compiling.js'
import * as builds from './kernels.js'
import { packed, planned, STEP, writeStep } from './planning.js'
import { runSteps, SYNC } from './thread.js'

const PAGE = 65536 // bytes
const MOST_PAGES = 65536
const STEPS = 256 // that there is room for
const NUMBERS = SYNC + STEPS * STEP

let kernels = new Map() // promises of kernels by their number of threads

/** {run(planes, height, width), close()} for the bytes of an ONNX file, `run` as in ../sessions.js; null where the kernels cannot make it. */
export async function openNetwork(bytes, threads = 1, build = best()) {
  const network = compiled(bytes)
  if (!network || network.layers.length >= STEPS) return null
  const { numbers, places } = packed(network)
  const started = await start(threads, build)
  return {
    run: (planes, height, width) => started.queued(() => run(started, network, { numbers, places }, planes, height, width)),
    close: () => started.release()
  }
}
