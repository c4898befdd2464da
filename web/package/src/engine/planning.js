/* Layers and a picture's size as steps for the kernels, and where in their memory everything is.

   A map's rows are pixels of channels, their number padded with zeros so that kernels need no remainders. Memory of a map is
   used again after the last layer that reads it. */

const FIELDS = [ // of Step in kernels.ts, in its order
  'input', 'inputPitch', 'inputStep', 'stride', 'output', 'outputPitch', 'width', 'height', 'channels', 'frame',
  'rows', 'taps', 'weights', 'bias', 'least', 'factors', 'low', 'high', 'dots', 'dotBias', 'dotShift',
  'depthwise', 'depthwiseSide', 'depthwiseBias', 'depthwiseLeast', 'depthwiseFactors', 'depthwiseLow', 'depthwiseHigh',
  'other', 'otherPitch', 'scale', 'otherScale', 'sumScale', 'sumLow', 'sumHigh',
  'gated', 'bounded', 'planePitch',
]
const FLOATS = new Set(['least', 'low', 'high', 'dotShift', 'depthwiseLeast', 'depthwiseLow', 'depthwiseHigh', 'scale', 'otherScale', 'sumScale', 'sumLow', 'sumHigh'])
export const STEP = 4 * FIELDS.length // bytes
const GROUP = 8 // output channels that the kernels make together
const COLOURS = 3
const TILE = 12 // pixels, as in kernels.ts
const ALIGNED = 64 // bytes: a line of the cache

const up = (value, to) => Math.ceil(value / to) * to
const padded = (channels) => Math.max(GROUP, up(channels, 4))

/** Writes the fields of a step. */
export function writeStep(buffer, at, step) {
  const [whole, real] = [new Uint32Array(buffer, at, FIELDS.length), new Float32Array(buffer, at, FIELDS.length)]
  FIELDS.forEach((name, i) => { (FLOATS.has(name) ? real : whole)[i] = step[name] ?? 0 })
}

/** The numbers of all layers as one Float32Array, and `places`: of each layer, at what byte of it each kind of them begins. */
export function packed({ layers, photo }) {
  const parts = []
  let at = 0
  const put = (numbers) => {
    if (!numbers) return null
    parts.push(numbers)
    const place = at
    at += up(numbers.length, ALIGNED / 4)
    return 4 * place
  }
  const places = layers.map((layer) => {
    if (layer.kind !== 'convolution') return {}
    const { before } = layer
    return {
      ...(before && { depthwise: put(spread(before)), depthwiseBias: put(filled(before.bias)), depthwiseFactors: put(filled(before.factors)) }),
      weights: put(grouped(layer, layer.input === photo ? COLOURS : padded(channelsOf(layer)))),
      bias: put(filled(layer.bias)),
      factors: put(filled(layer.factors)),
      ...(dottable(layer) && { dots: put(new Float32Array(inFours(layer).buffer)), dotBias: put(new Float32Array(biasOfDots(layer).buffer)), dotShift: SIGNED - layer.integersFrom }),
    }
  })
  const numbers = new Float32Array(at)
  at = 0
  for (const part of parts) {
    numbers.set(part, at)
    at += up(part.length, ALIGNED / 4)
  }
  return { numbers, places }
}

/** Input channels of a convolution; those of the one that sums over them, where there are two. */
const channelsOf = ({ weights, channels, size, before }) => weights.length / channels / (before ? 1 : size[0] * size[1])

/** One number for each padded channel. */
function filled(numbers) {
  if (!numbers) return null
  const out = new Float32Array(padded(numbers.length))
  out.set(numbers)
  return out
}

/** Weights [channel, 1, side, side] as groups of four channels by their taps. */
function spread({ weights, channels, size }) {
  const taps = size[0] * size[1]
  const out = new Float32Array(taps * padded(channels))
  for (let i = 0; i < weights.length; i++) {
    const [channel, tap] = [Math.floor(i / taps), i % taps]
    out[(Math.floor(channel / 4) * taps + tap) * 4 + (channel % 4)] = weights[i]
  }
  return out
}

const SIGNED = -128 // the smallest byte with a sign
const UNSIGNED = 64 // more than the smallest weight of 7 bits is below zero

/** Whether a layer sums whole numbers that the kernels can take four at a time. */
function dottable(layer) {
  const { integersFrom, weights, channels, size, before } = layer
  const pointwise = before || size.every((side) => side === 1)
  return pointwise && integersFrom !== undefined && channelsOf(layer) % 16 === 0 && channels % GROUP === 0 && weights.every((weight) => weight >= -UNSIGNED && weight < UNSIGNED)
}

/** Weights [output, input] as bytes without a sign: groups of eight outputs by fours of inputs, those of an output side by side. */
function inFours(layer) {
  const { weights, channels } = layer
  const inputs = channelsOf(layer)
  const out = new Uint8Array(channels * inputs)
  for (let channel = 0; channel < channels; channel++) {
    for (let input = 0; input < inputs; input++) {
      const group = Math.floor(channel / GROUP) * inputs + 4 * Math.floor(input / 4)
      out[group * GROUP + 4 * (channel % GROUP) + (input % 4)] = weights[channel * inputs + input] + UNSIGNED
    }
  }
  return out
}

/** Biases with what it adds that the kernels take an input for less than it is. */
function biasOfDots(layer) {
  const { weights, bias, channels, integersFrom } = layer
  const inputs = channelsOf(layer)
  return Int32Array.from({ length: channels }, (_, channel) => {
    const sum = weights.slice(channel * inputs, (channel + 1) * inputs).reduce((a, b) => a + b, 0)
    return bias[channel] + (integersFrom - SIGNED) * sum
  })
}

/** Numbers of one row of a map that a pixel is made from. */
const tapsOf = (size, { channels }, before) => (before ? channels : size[1] * channels)

/** Weights [output, input, row, column] as groups of eight outputs by rows by taps; the last group ends with the channels. */
function grouped({ weights, channels, size, before }, across) {
  const [rows, columns] = before ? [1, 1] : size
  const inputs = channelsOf({ weights, channels, size, before })
  const taps = tapsOf(size, { channels: across }, before)
  const firsts = firstsOf(padded(channels))
  const out = new Float32Array(firsts.length * rows * taps * GROUP)
  firsts.forEach((first, group) => {
    for (let channel = first; channel < Math.min(first + GROUP, channels); channel++) {
      for (let input = 0; input < inputs; input++) {
        for (let row = 0; row < rows; row++) {
          for (let column = 0; column < columns; column++) {
            const to = ((group * rows + row) * taps + column * across + input) * GROUP + channel - first
            out[to] = weights[((channel * inputs + input) * rows + row) * columns + column]
          }
        }
      }
    }
  })
  return out
}

const firstsOf = (channels) => Array.from({ length: Math.ceil(channels / GROUP) }, (_, i) => Math.min(i * GROUP, channels - GROUP))

/** What the kernels do for a photo of a size: `steps`, each {kernel, rows, fields}; `planes`, where they expect the photo, and what is
    `made` where; `row(at, colour, y)`, the number of its first float; `scratch`, a place for each thread; where the memory `end`s. `numbers` is where those of
    the layers are, `places` what `packed` says of them; everything else comes after `base`. */
export function planned({ layers, photo }, places, { height, width, numbers, base, threads, dots }) {
  const maps = mapsOf(layers, photo, height, width)
  const last = maps.get(layers.at(-1).name)
  if (layers.at(-1).cut && (last.height < height || last.width < width)) throw new Error('the picture is smaller than its photo')
  const pitch = 4 * up(Math.max(last.width, width), 4)
  const plane = pitch * Math.max(last.height, height)
  const heap = arena(base)
  const scratch = Array.from({ length: threads }, () => heap.take(scratchOf(layers)))
  const planes = heap.take(3 * plane)
  const steps = []
  const add = (kernel, rows, fields) => steps.push({ kernel, rows, fields })

  locate(maps.get(photo), heap)
  add('interleave', height, { input: planes, inputPitch: pitch, planePitch: plane, ...written(maps.get(photo)) })
  layers.forEach((layer, i) => {
    const [from, to, other] = [layer.input, layer.name, layer.sum?.other].map((name) => maps.get(name))
    if (layer.factor) {
      last.at = heap.take(3 * plane)
      const { kind, gated, bounded } = layer
      add(kind, from.height, { ...read(from), output: last.at, outputPitch: pitch, planePitch: plane, width: from.width, other: planes, gated, bounded })
    } else {
      locate(to, heap)
      const fields = layer.kind === 'double' ? {} : convolution(layer, from, other, dots ? places[i] : { ...places[i], dots: null }, numbers)
      add(layer.kind, to.height, { ...read(from, layer.pads), ...written(to), ...fields })
    }
    for (const map of maps.values()) if (map.readUntil === i) heap.free(map)
  })
  const made = { at: last.at, height: layers.at(-1).cut ? height : last.height, width: layers.at(-1).cut ? width : last.width }
  const row = (at, colour, y) => (at + colour * plane + y * pitch) / 4
  return { steps, scratch, planes, made, row, end: heap.end }
}

function convolution({ size, stride, least, low, high, before, sum, kind }, from, other, place, numbers) {
  const at = (offset) => (offset === null || offset === undefined ? 0 : numbers + offset)
  return {
    stride, least, low, high,
    rows: before ? 1 : size[0],
    taps: tapsOf(size, from, before),
    weights: at(place.weights),
    bias: at(place.bias),
    factors: at(place.factors),
    dots: at(place.dots), dotBias: at(place.dotBias), dotShift: place.dotShift,
    ...(before && {
      depthwise: at(place.depthwise), depthwiseSide: before.size[0], depthwiseBias: at(place.depthwiseBias), depthwiseFactors: at(place.depthwiseFactors),
      depthwiseLeast: before.least, depthwiseLow: before.low, depthwiseHigh: before.high,
    }),
    ...(sum && {
      other: other.at, otherPitch: other.pitch, scale: sum.scale, otherScale: sum.otherScale,
      sumScale: sum.rounded?.scale, sumLow: sum.rounded?.low, sumHigh: sum.rounded?.high,
    }),
  }
}

/** Every value as a map: size, frame, and the last layer that reads it. */
function mapsOf(layers, photo, height, width) {
  const maps = new Map([[photo, map(height, width, COLOURS)]])
  layers.forEach((layer, i) => {
    const from = maps.get(layer.input)
    const larger = (length) => (layer.factor ?? 2) * length
    const [rows, columns] = layer.kind === 'convolution' ? outputOf(layer, from) : [larger(from.height), larger(from.width)]
    if (!(rows > 0 && columns > 0)) throw new Error('a picture too small for the network')
    if (layer.kind === 'convolution') widen(from, layer, rows, columns)
    const other = maps.get(layer.sum?.other)
    if (other && (other.height !== rows || other.width !== columns)) throw new Error('a sum of maps of different sizes')
    for (const read of [from, other]) if (read) read.readUntil = i
    maps.set(layer.name, map(rows, columns, padded(layer.channels)))
  })
  return maps
}

const map = (height, width, channels) => ({ height, width, channels, frame: [0, 0, 0, 0] })

const outputOf = ({ size, stride, pads }, { height, width }) => [
  Math.floor((height + pads[0] + pads[2] - size[0]) / stride) + 1,
  Math.floor((width + pads[1] + pads[3] - size[1]) / stride) + 1,
]

/** A frame of zeros as wide as a convolution reads around a map. */
function widen(map, { size, stride, pads }, rows, columns) {
  const bottom = (rows - 1) * stride + size[0] - pads[0] - map.height
  const right = (columns - 1) * stride + size[1] - pads[1] - map.width
  map.frame = [pads[0], pads[1], bottom, right].map((pixels, i) => Math.max(pixels, map.frame[i]))
}

function locate(map, heap) {
  const [top, left, bottom, right] = map.frame
  map.step = 4 * map.channels
  map.pitch = (left + map.width + right) * map.step
  map.bytes = (top + map.height + bottom) * map.pitch
  map.start = heap.take(map.bytes)
  map.at = map.start + top * map.pitch + left * map.step
}

const read = ({ at, pitch, step }, [top, left] = [0, 0]) => ({ input: at - top * pitch - left * step, inputPitch: pitch, inputStep: step })

function written({ at, pitch, width, height, channels, frame: [top, left, bottom, right] }) {
  return { output: at, outputPitch: pitch, width, height, channels, frame: top | (left << 8) | (bottom << 16) | (right << 24) }
}

/** A tile of floats, and of bytes with a sum behind each pixel's. */
const scratchOf = (layers) => TILE * (5 * Math.max(GROUP, ...layers.map((layer) => (layer.kind === 'convolution' ? padded(channelsOf(layer)) : 0))) + 16)

/** Memory from `base` on, given out and taken back; `end` is how far it ever came. */
function arena(base) {
  const holes = [{ start: base, bytes: Infinity }] // by place
  return {
    end: base,
    take(wanted) {
      const bytes = up(wanted + ALIGNED, ALIGNED) // kernels read a little more than there is
      const hole = holes.find((each) => each.bytes >= bytes)
      const { start } = hole
      hole.start += bytes
      hole.bytes -= bytes
      this.end = Math.max(this.end, hole.start)
      return start
    },
    free({ start, bytes: wanted }) {
      if (start === undefined) return
      const bytes = up(wanted + ALIGNED, ALIGNED)
      const i = holes.findIndex((each) => each.start > start)
      holes.splice(i, 0, { start, bytes })
      for (const j of [i, i - 1]) {
        const [one, two] = [holes[j], holes[j + 1]]
        if (one && two && one.start + one.bytes === two.start) holes.splice(j, 2, { start: one.start, bytes: one.bytes + two.bytes })
      }
    },
  }
}
