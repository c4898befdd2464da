/* Processor time of one-node models in WebAssembly, one thread: `node test/operators.mjs FOLDER` reads FOLDER/<i>.onnx and FOLDER/<i>.json
   (shapes of its inputs), and prints milliseconds as a JSON list. Processor time, since other programs stretch a clock's. */

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as ort from '../node_modules/onnxruntime-web/dist/ort.wasm.min.mjs'

const RUNS = 8
const folder = process.argv[2]
ort.env.wasm.numThreads = 1
ort.env.logLevel = 'error'

const count = readdirSync(folder).filter((name) => name.endsWith('.onnx')).length
const found = []
for (let i = 0; i < count; i++) {
  const session = await ort.InferenceSession.create(new Uint8Array(readFileSync(join(folder, `${i}.onnx`))), { logSeverityLevel: 3 })
  const shapes = JSON.parse(readFileSync(join(folder, `${i}.json`)))
  const feeds = Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, tensor(shape)]))
  let least = Infinity
  for (let run = 0; run < RUNS; run++) {
    const before = process.cpuUsage()
    await session.run(feeds)
    const { user, system } = process.cpuUsage(before)
    least = Math.min(least, (user + system) / 1000)
  }
  found.push(least)
  await session.release()
}
console.log(JSON.stringify(found))

function tensor(shape) {
  const size = shape.reduce((product, side) => product * side)
  return new ort.Tensor('float32', Float32Array.from({ length: size }, (_, i) => Math.sin(i)), shape)
}
