/* ONNX files, which are protocol buffers, read and written without a library. The numbers are those of onnx.proto. */

const MODEL = { graph: 7, metadata: 14 }
const GRAPH = { node: 1, initializer: 5, input: 11, output: 12 }
const NODE = { input: 1, output: 2, operator: 4, attribute: 5 }
const ATTRIBUTE = { name: 1, float: 2, integer: 3, text: 4, integers: 8, kind: 20 }
const TENSOR = { shape: 1, kind: 2, floats: 4, integers: 5, name: 8, raw: 9 }
const FLOAT = 1
const INT8 = 3
/** How numbers of a tensor's kind stand in its raw bytes. */
const ARRAYS = { 1: Float32Array, 2: Uint8Array, 3: Int8Array, 6: Int32Array, 7: BigInt64Array }
/** What an attribute's kind is the number of. */
const VALUES = { 1: 'float', 2: 'integer', 3: 'text', 7: 'integers' }

/** The metadata of a file, as an object of strings. */
export function metadata(bytes) {
  const entries = all(fields(bytes), MODEL.metadata)
  return Object.fromEntries(entries.map((entry) => fields(entry).map(({ value }) => text(value))))
}

/** How often each operator stands in a file. */
export function operators(bytes) {
  const counts = {}
  for (const node of nodes(fields(one(fields(bytes), MODEL.graph)))) counts[node.operator] = (counts[node.operator] ?? 0) + 1
  return counts
}

/** The network of a file: `nodes` in order, each {operator, inputs, outputs, attributes}, `constants` by name, each {kind, shape, values},
    and the names of its `inputs`, constants not among them, and `outputs`. Throws where the file is otherwise. */
export function graph(bytes) {
  const found = fields(one(fields(bytes), MODEL.graph))
  const constants = new Map(all(found, GRAPH.initializer).map(fields).map((tensor) => [text(one(tensor, TENSOR.name)), constant(tensor)]))
  const names = (number) => all(found, number).map((value) => text(one(fields(value), 1)))
  const parsedNodes = all(found, GRAPH.node).map((node) => ({ ...parsed(node), attributes: attributes(node) }))
  return { nodes: parsedNodes, constants, inputs: names(GRAPH.input).filter((name) => !constants.has(name)), outputs: names(GRAPH.output) }
}

function constant(tensor) {
  const [kind, shape, raw] = [one(tensor, TENSOR.kind), integers(all(tensor, TENSOR.shape)), one(tensor, TENSOR.raw)]
  const size = shape.reduce((product, side) => product * side, 1)
  const bytes = raw ?? (kind === FLOAT && one(tensor, TENSOR.floats))
  const values = bytes ? new ARRAYS[kind](bytes.slice().buffer) : integers(all(tensor, TENSOR.integers))
  if (values.length !== size) throw new Error('a tensor without its numbers')
  return { kind, shape, values: Array.from(values, Number) }
}

function attributes(node) {
  return Object.fromEntries(all(fields(node), NODE.attribute).map(fields).map((attribute) => {
    const kind = VALUES[one(attribute, ATTRIBUTE.kind)]
    const found = all(attribute, ATTRIBUTE[kind])
    const value = { float: () => float32(found[0]), integer: () => found[0], text: () => text(found[0]), integers: () => integers(found) }[kind]
    return [text(one(attribute, ATTRIBUTE.name)), value?.()]
  }))
}

/** Integers of a field, which stand one by one or, packed, in one run of bytes. */
const integers = (found) => found.flatMap((value) => (typeof value === 'number' ? value : unpacked(value)))

function unpacked(bytes) {
  const found = []
  for (const reader = read(bytes); reader.at < bytes.length; ) found.push(reader.varint())
  return found
}

/** The file with activations that are only clipped where they were rounded to 8 bits; weights keep their 8 bits.
    WebGPU has no operator for that rounding, so each would be a way to the CPU and back. Throws where the file is otherwise. */
export function unrounded(bytes) {
  const model = fields(bytes)
  const graph = fields(one(model, MODEL.graph))
  const rounded = new Map(nodes(graph).filter(({ operator }) => operator === 'QuantizeLinear').map((node) => [node.outputs[0], node]))
  const constants = new Map(all(graph, GRAPH.initializer).map(fields).map((tensor) => [text(one(tensor, TENSOR.name)), tensor]))
  const made = graph.flatMap((field) => {
    if (field.number !== GRAPH.node) return [field]
    const { operator, inputs, outputs } = parsed(field.value)
    if (operator === 'QuantizeLinear') return []
    const source = rounded.get(inputs[0])
    if (operator === 'DequantizeLinear' && source) return clipping(source, outputs[0], constants)
    if (inputs.some((name) => rounded.has(name))) throw new Error(`${operator} takes numbers of 8 bits`)
    return [field]
  })
  return message(model.map((field) => (field.number === MODEL.graph ? { ...field, value: message(made) } : field)))
}

/** A Clip node and its two bounds: the range that the numbers of 8 bits had. */
function clipping({ inputs: [input, scale, zero] }, output, constants) {
  const step = float(constants.get(scale))
  const [middle, lowest] = byte(constants.get(zero))
  const bounds = { min: (lowest - middle) * step, max: (lowest + 255 - middle) * step }
  const names = Object.keys(bounds).map((end) => `${output}.${end}`)
  const node = [...[input, ...names].map((name) => string(NODE.input, name)), string(NODE.output, output), string(NODE.operator, 'Clip')]
  return [
    { number: GRAPH.node, value: message(node) },
    ...Object.values(bounds).map((value, i) => ({ number: GRAPH.initializer, value: scalar(names[i], value) })),
  ]
}

const float = (tensor) => float32(one(tensor, TENSOR.raw) ?? one(tensor, TENSOR.floats))
const float32 = (bytes) => new DataView(bytes.buffer, bytes.byteOffset).getFloat32(0, true)

/** The one value of a tensor of 8 bits, and the lowest that there can be. */
function byte(tensor) {
  const raw = one(tensor, TENSOR.raw)
  const [low, high = 0] = one(tensor, TENSOR.integers) ?? [] // 7 bits a byte
  const bits = raw ? raw[0] : (low & 127) + ((high & 1) << 7)
  return one(tensor, TENSOR.kind) === INT8 ? [(bits << 24) >> 24, -128] : [bits, 0]
}

function scalar(name, value) {
  const raw = new Uint8Array(Float32Array.of(value).buffer)
  return message([{ number: TENSOR.kind, value: FLOAT }, string(TENSOR.name, name), { number: TENSOR.raw, value: raw }])
}

const nodes = (graph) => all(graph, GRAPH.node).map(parsed)

function parsed(bytes) {
  const found = fields(bytes)
  const [inputs, outputs, [operator]] = [NODE.input, NODE.output, NODE.operator].map((number) => all(found, number).map(text))
  return { inputs, outputs, operator }
}

/** The fields of a message in order, as {number, value}: an integer, or the bytes of a text, an array or a message. */
function fields(bytes) {
  const found = []
  const reader = read(bytes)
  while (reader.at < bytes.length) {
    const tag = reader.varint()
    const [number, kind] = [Math.floor(tag / 8), tag & 7]
    if (kind === 0) found.push({ number, value: reader.varint() })
    else if (kind === 2 || kind === 5 || kind === 1) {
      const length = kind === 2 ? reader.varint() : kind === 5 ? 4 : 8
      found.push({ number, kind, value: bytes.subarray(reader.at, (reader.at += length)) })
    } else throw new Error('no protocol buffer')
  }
  if (reader.at > bytes.length) throw new Error('cut off')
  return found
}

function read(bytes) {
  return {
    at: 0,
    varint() {
      let value = 0
      for (let scale = 1; ; scale *= 128) {
        const byte = bytes[this.at++]
        if (byte === undefined) throw new Error('cut off')
        value += (byte & 127) * scale
        if (byte < 128) return value
      }
    },
  }
}

function message(parts) {
  const chunks = parts.flatMap(({ number, kind = 2, value }) => {
    if (typeof value === 'number') return [varint(number * 8), varint(value)]
    return kind === 2 ? [varint(number * 8 + 2), varint(value.length), value] : [varint(number * 8 + kind), value]
  })
  const out = new Uint8Array(chunks.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const chunk of chunks) {
    out.set(chunk, at)
    at += chunk.length
  }
  return out
}

function varint(value) {
  const bytes = []
  for (; value > 127; value = Math.floor(value / 128)) bytes.push((value % 128) + 128)
  return [...bytes, value]
}

const string = (number, value) => ({ number, value: new TextEncoder().encode(value) })
const text = (bytes) => new TextDecoder().decode(bytes)
const all = (found, number) => found.filter((field) => field.number === number).map(({ value }) => value)
const one = (found, number) => all(found, number)[0]
