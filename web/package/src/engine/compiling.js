/* A network of ONNX as layers for the kernels: convolutions, each with all that can be done at its side while its pixels are in the
   cache (a depthwise one before it, Relu, rounding to 8 bits, a sum), doublings, and the picture at the end.

   A value between layers is {name, channels, scale, from}. One that is rounded to 8 bits is held as integers less their zero point, `from` the
   least of them, and `scale` is what they count; else it is 1. */

import { graph, operators } from '../onnx.js'

const OPERATORS = ['Add', 'Cast', 'Concat', 'Conv', 'ConvTranspose', 'DepthToSpace', 'DequantizeLinear', 'Mul', 'QuantizeLinear', 'Relu', 'Resize', 'Shape', 'Slice', 'Tanh']
const FLOAT = 1
const UINT8 = 2
const COLOURS = 3
const LARGE = 4 // times as many rows and columns, of an enlarger
const FRAME = 255 // pixels of padding that a step has room to name

/** {layers, photo} of an ONNX file's bytes; null where a network has anything else, or is broken. */
export function compiled(bytes) {
  try {
    const known = Object.keys(operators(bytes)).every((name) => OPERATORS.includes(name)) // asked first: a foreign file may be large
    return known ? layersOf(split(graph(bytes))) : null
  } catch {
    return null // ONNX Runtime has the words for it
  }
}

/** The graph whose every Slice has one axis, rows and columns before channels: exports cut along several at once. */
function split({ nodes, constants, ...ends }) {
  const makers = new Map(nodes.map((node) => [node.outputs[0], node]))
  const made = new Map() // by what is cut, and how
  const parts = new Set() // Concats of ends, which nothing reads any more
  const plain = nodes.flatMap((node) => {
    const axes = node.operator === 'Slice' && node.inputs.length === 4 ? constants.get(node.inputs[3])?.values : null
    const starts = axes?.length > 1 && constants.get(node.inputs[1])?.values
    const joined = makers.get(node.inputs[2])
    const known = constants.get(node.inputs[2])?.values
    if (!starts || !(known || joined?.operator === 'Concat')) return [node]
    if (joined) parts.add(joined)
    const name = (part, axis, value) => {
      const key = `${node.outputs[0]}.${part}${axis}`
      constants.set(key, { values: [value], shape: [1] })
      return key
    }
    const order = Array.from(axes, (axis, i) => ({ axis: Number(axis), i })).sort((a, b) => (b.axis > 1) - (a.axis > 1) || a.axis - b.axis)
    const added = []
    order.reduce((from, { axis, i }, place) => {
      const end = joined ? joined.inputs[i] : name('end', axis, known[i])
      const key = [from, axis, starts[i], end].join()
      const last = place === order.length - 1
      if (!last && made.has(key)) return made.get(key)
      const to = last ? node.outputs[0] : `${node.outputs[0]}.${axis}`
      added.push({ operator: 'Slice', inputs: [from, name('start', axis, starts[i]), end, name('axis', axis, axis)], outputs: [to], attributes: {} })
      made.set(key, to)
      return to
    }, node.inputs[0])
    return added
  })
  return { nodes: plain.filter((node) => !parts.has(node)), constants, ...ends }
}

function layersOf({ nodes, constants, inputs: [photo], outputs: [output] }) {
  const values = new Map([[photo, { name: photo, channels: COLOURS, scale: 1 }]])
  const layers = []
  const left = new Set(nodes)
  const readers = (name) => nodes.filter(({ inputs }) => inputs.includes(name))

  for (const node of nodes) if (node.inputs.every((name) => constants.has(name)) && fold(node)) left.delete(node)
  for (const node of nodes) if (left.delete(node) && !take(node)) return null
  return layers.at(-1)?.factor && layers.at(-1).name === output ? { layers, photo } : null

  function take(node) {
    const { operator, inputs } = node
    if (operator === 'Shape') return inputs[0] === photo
    const layer = { Conv: convolution, Resize: doubling, DepthToSpace: picture, ConvTranspose: picture }[operator]?.(node)
    if (!layer) return false
    layers.push(layer)
    const { factor, name, channels, scale, from } = layer
    if (!factor) values.set(name, { name, channels, scale, from }) // no layer reads planes
    return true
  }

  /** The node that is the only one to read a value, if its operator is that; it then counts as taken. */
  function next(name, operator) {
    const [reader, another] = readers(name)
    if (another || name === output || reader?.operator !== operator) return null
    left.delete(reader)
    return reader
  }

  /** Weights of 8 bits become floats; those of a layer of 8 bits stay integers, with the scales of their channels. */
  function fold({ operator, inputs, outputs: [name], attributes: { to, axis = 1 } }) {
    const [weights, scales, zeros] = inputs.map((each) => constants.get(each))
    if (operator === 'Cast' && to === FLOAT) return constants.set(name, weights)
    const perChannel = scales?.values.length === weights.shape[0] && scales.shape[0] === weights.shape[0] && !zeros?.values.some(Boolean)
    if (operator === 'Mul' && perChannel && scales.shape.length === weights.shape.length) return constants.set(name, { ...weights, values: scaled(weights.values, scales.values) })
    return operator === 'DequantizeLinear' && perChannel && axis === 0 && constants.set(name, { ...weights, scales: scales.values })
  }

  function convolution(node) {
    const input = values.get(node.inputs[0])
    const first = kernel(node, input)
    if (first?.depthwise && input.name === photo) return null // its channels are not padded
    if (!first?.depthwise) return first && summed({ kind: 'convolution', input: input.name, ...first })
    const pointwise = next(first.name, 'Conv')
    const second = pointwise && kernel(pointwise, first)
    if (!second || second.depthwise || second.size.some((side) => side > 1) || second.stride > 1 || second.pads.some(Boolean)) return null
    const { stride, size, pads } = first
    return summed({ kind: 'convolution', input: input.name, ...second, stride, size, pads, before: first })
  }

  /** A convolution with Relu and rounding after it, as numbers for the kernels; null where they cannot make it. */
  function kernel({ inputs: [, weight, bias], outputs: [name], attributes }, input) {
    const { group = 1, strides = [1, 1], pads = [0, 0, 0, 0], dilations = [1, 1], auto_pad: automatic = 'NOTSET' } = attributes
    const [weights, biases] = [constants.get(weight), constants.get(bias)]
    const [channels, inputs, ...size] = weights?.shape ?? []
    const depthwise = group > 1
    const separate = group === channels && inputs === 1 && size[0] === size[1] && size[0] % 2 === 1 && size[0] > 1
    if (inputs * group !== input?.channels || (depthwise && !separate) || (bias && !biases) || automatic !== 'NOTSET') return null
    if (strides[0] !== strides[1] || dilations.some((step) => step > 1) || pads.some((pixels) => pixels > FRAME)) return null
    const relu = next(name, 'Relu')
    const rounded = rounding(relu ? relu.outputs[0] : name)
    const made = { channels, depthwise, size, pads, stride: strides[0], least: relu ? 0 : -Infinity, scale: 1, from: rounded?.low }
    return { ...made, ...numbers(weights, biases, input, rounded), name: rounded?.name ?? relu?.outputs[0] ?? name }
  }

  /** What QuantizeLinear and DequantizeLinear after a value do to it; null where there are none. */
  function rounding(name) {
    const down = next(name, 'QuantizeLinear')
    if (!down) return null
    const [scale, zero] = down.inputs.slice(1).map((each) => constants.get(each))
    const up = next(down.outputs[0], 'DequantizeLinear')
    if (up?.inputs.slice(1).join() !== down.inputs.slice(1).join() || scale.values.length > 1) throw new Error('numbers of 8 bits that stay so')
    const least = zero.kind === UINT8 ? 0 : -128
    return { name: up.outputs[0], scale: scale.values[0], low: least - zero.values[0], high: least + 255 - zero.values[0] }
  }

  function summed(layer) {
    const node = next(layer.name, 'Add')
    if (!node) return layer
    const other = values.get(node.inputs.find((name) => name !== layer.name))
    if (other?.channels !== layer.channels || other.name === photo) {
      left.add(node) // the other convolution takes it
      return layer
    }
    const rounded = rounding(node.outputs[0])
    const sum = { other: other.name, scale: layer.scale, otherScale: other.scale, rounded }
    return { ...layer, name: rounded?.name ?? node.outputs[0], scale: rounded?.scale ?? 1, from: rounded?.low, sum }
  }

  function doubling({ inputs, outputs: [name], attributes }) {
    const input = values.get(inputs[0])
    const scales = constants.get(inputs[2])?.values.join()
    const { mode, coordinate_transformation_mode: centres, antialias } = attributes
    if (scales !== '1,1,2,2' || mode !== 'linear' || centres !== 'half_pixel' || antialias || !input || input.name === photo) return null
    return { kind: 'double', input: input.name, name, channels: input.channels, scale: input.scale }
  }

  /** Depth to space, and what the networks do after it: cut to the photo's size, the gate, tanh. */
  function picture(node) {
    const { inputs, outputs: [made] } = node
    const input = values.get(inputs[0])
    const factor = input?.scale === 1 ? shuffled(node, input) : 0
    if (!factor) return null
    const rows = cutTo(made, 2)
    const cut = cutTo(rows, 3)
    const sum = gate(cut)
    const colours = input.channels / factor ** 2 - (sum ? 1 : 0)
    const tanh = next(sum ?? cut, 'Tanh')
    if (factor === LARGE && (sum || tanh)) return null // the kernel makes colours alone
    const layer = { kind: factor === LARGE ? 'large' : 'picture', factor, input: input.name, channels: colours, scale: 1, gated: Boolean(sum), bounded: Boolean(tanh), cut: cut !== made }
    return colours === COLOURS ? { ...layer, name: tanh?.outputs[0] ?? sum ?? cut } : null
  }

  /** 2 or 4 where a node is depth to space by it, as DepthToSpace or as the transposed convolution of ones and zeros that does the same; else 0. */
  function shuffled({ operator, inputs: [, kernel, bias], attributes }, input) {
    const { strides = [], ...others } = attributes
    const factor = operator === 'DepthToSpace' ? attributes.blocksize : strides[0]
    if (factor !== 2 && factor !== LARGE) return 0
    if (operator === 'DepthToSpace') return attributes.mode === 'CRD' ? factor : 0
    const { shape, values: weights } = constants.get(kernel) ?? {}
    const together = input.channels / (others.group ?? 1) // channels of a group
    const sized = !bias && shape?.join() === [input.channels, together / factor ** 2, factor, factor].join() && strides.join() === `${factor},${factor}`
    const known = sized && Object.keys(others).every((name) => name === 'kernel_shape' || name === 'group')
    const plain = known && weights.every((weight, i) => weight === Number(i % together === Math.floor(i / together) % together))
    return plain ? factor : 0
  }

  /** The value after a Slice that keeps as much of an axis as the photo has. */
  function cutTo(name, axis) {
    const [node] = readers(name)
    const length = node?.operator === 'Slice' && nodes.find(({ outputs }) => outputs[0] === node.inputs[2])
    if (!length || length.operator !== 'Shape' || length.attributes.start !== axis || !sliced(node, [0, null, axis, 1])) return name
    return next(name, 'Slice').outputs[0]
  }

  /** Whether start, end, axis and step of a Slice are those numbers (null: any); a step may be left out. */
  function sliced({ inputs: [, ...given] }, numbers) {
    return numbers.every((number, i) => number === null || (i === 3 && !given[i]) || constants.get(given[i])?.values.join() === String(number))
  }

  /** The name of the first three channels + the fourth * the photo; null where that is not what becomes of them. */
  function gate(name) {
    const slices = readers(name)
    if (slices.length !== 2) return null
    const colours = slices.find((node) => node.operator === 'Slice' && sliced(node, [0, COLOURS, 1, 1]))
    const share = slices.find((node) => node.operator === 'Slice' && sliced(node, [COLOURS, null, 1, 1]))
    const product = share && next(share.outputs[0], 'Mul')
    const sum = product && next(product.outputs[0], 'Add')
    if (!sum?.inputs.includes(colours?.outputs[0]) || !product.inputs.includes(photo)) return null
    for (const slice of slices) left.delete(slice)
    return sum.outputs[0]
  }
}

/** Weights, bias and factors of a convolution. Between numbers of 8 bits it sums integers, which floats hold exactly, and its
    result is scaled as ONNX Runtime does; else all scales are in the weights. */
function numbers({ values, scales, shape }, biases, { scale: inputScale, from: integersFrom }, rounded) {
  const channels = shape[0]
  const of = (numbers, channel) => numbers?.[channel] ?? 1
  const bias = (channel) => (biases ? biases.values[channel] * of(biases.scales, channel) : 0)
  const each = (number) => Float32Array.from({ length: channels }, (_, channel) => number(channel))
  const bounds = rounded && { low: rounded.low, high: rounded.high, scale: rounded.scale }
  if (inputScale !== 1 && scales && rounded) {
    const unit = (channel) => Math.fround(inputScale * scales[channel])
    const factors = each((channel) => unit(channel) / rounded.scale)
    return { weights: values, bias: each((channel) => Math.round(bias(channel) / unit(channel))), factors, integersFrom, ...bounds }
  }
  const weights = scaled(values, each((channel) => inputScale * of(scales, channel)))
  return { weights, bias: each(bias), factors: rounded && each(() => 1 / rounded.scale), ...bounds }
}

/** `values`, whose first axis is that of `scales`, times these. */
function scaled(values, scales) {
  const size = values.length / scales.length
  return values.map((value, i) => Math.fround(value * scales[Math.floor(i / size)]))
}
