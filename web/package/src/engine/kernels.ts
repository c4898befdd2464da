/* The arithmetic of the networks, in AssemblyScript for WebAssembly SIMD. Each exported kernel makes the rows from `first` to `last`
   of a map; what it works on stands in a `Step` in memory, written by ../planning.js, whose list of fields has the order of these.

   A map is float32, rows of pixels of channels; the number of channels is padded with zeros (../planning.js says to what), and a frame
   of zero pixels stands for the padding of the convolutions that read it. Addresses and pitches are in bytes. */

@unmanaged class Step {
  input: usize // the first tap of the first output
  inputPitch: usize // from row to row
  inputStep: usize // from pixel to pixel
  stride: usize
  output: usize
  outputPitch: usize
  width: usize // of the output, pixels
  height: usize
  channels: usize // of the output
  frame: usize // zero pixels on the four sides of the output: top, left, bottom and right, a byte each
  // convolution
  rows: usize // of the kernel
  taps: usize // numbers of one row of the kernel: pixels times channels
  weights: usize
  bias: usize
  least: f32 // 0 after Relu
  factors: usize // of each channel, before rounding to integers; 0: no rounding
  low: f32 // of these integers
  high: f32
  dots: usize // its weights of 8 bits; 0: it is computed in floats
  dotBias: usize // in whole numbers
  dotShift: f32 // what turns the integers of the input into signed bytes
  // depthwise convolution before it
  depthwise: usize // its weights; 0: there is none
  depthwiseSide: usize // of its kernel, pixels
  depthwiseBias: usize
  depthwiseLeast: f32
  depthwiseFactors: usize
  depthwiseLow: f32
  depthwiseHigh: f32
  // sum with a map of the output's size
  other: usize // 0: there is none
  otherPitch: usize
  scale: f32 // of the integers above
  otherScale: f32
  sumScale: f32 // 0: the sum is not rounded
  sumLow: f32
  sumHigh: f32
  // picture
  gated: usize
  bounded: usize // by tanh
  planePitch: usize // from colour to colour, of the picture and of the photo
}

const TILE: usize = 12 // pixels that go through all of a step together, so that they stay in the first cache
const BLOCK: usize = 6 // pixels by 8 channels are summed in registers: 12 of the 15 that engines leave free, 2 for weights, 1 for a pixel

@inline function madd(a: v128, b: v128, sum: v128): v128 {
  return ASC_FEATURE_RELAXED_SIMD ? f32x4.relaxed_madd(a, b, sum) : f32x4.add(f32x4.mul(a, b), sum)
}

// pmax and pmin are one instruction each; max and min, which see to what is no number, are eight.

/** Convolutions, with what precedes and follows them. `scratch` holds a tile. */
export function convolution(at: usize, first: usize, last: usize, scratch: usize): void {
  const step = changetype<Step>(at)
  const width = step.width
  const pixel = step.channels << 2
  const inputStep = step.inputStep * step.stride
  for (let y = first; y < last; y++) {
    for (let x: usize = 0; x < width; ) {
      let count = min(TILE, width - x)
      if (count < BLOCK && width >= BLOCK) {
        x = width - BLOCK // some pixels once more, which are written again before anybody reads them
        count = BLOCK
      }
      const input = step.input + y * step.stride * step.inputPitch + x * inputStep
      const output = step.output + y * step.outputPitch + x * pixel
      if (step.depthwise) {
        depthwise(step, input, scratch, count)
        summed(step, scratch, step.taps << 2, output, pixel, count, scratch)
      } else {
        summed(step, input, inputStep, output, pixel, count, scratch)
      }
      const end = output + count * pixel
      if (step.factors) round(output, end, pixel, step.factors, step.low, step.high)
      if (step.other) add(step, output, end, step.other + y * step.otherPitch + x * pixel)
      x += count
    }
  }
  clearFrame(step, first, last)
}

/** All channels of `count` pixels of a convolution that sums over channels, in whichever way its step says. */
@inline function summed(step: Step, input: usize, inputStep: usize, output: usize, outputStep: usize, count: usize, scratch: usize): void {
  if (ASC_FEATURE_RELAXED_SIMD && step.dots && count >= BLOCK) {
    const bytes = scratch + TILE * (step.taps << 2) // after a tile of floats
    pack(step, input, inputStep, count, bytes)
    denseDots(step, bytes, output, outputStep, count)
  } else {
    dense(step, input, inputStep, output, outputStep, count)
  }
}

/** In floats, whatever the numbers are. */
function dense(step: Step, input: usize, inputStep: usize, output: usize, outputStep: usize, count: usize): void {
  const channels = step.channels
  const size = (step.rows * step.taps) << 5
  let weights = step.weights
  for (let channel: usize = 0; channel < channels; ) {
    if (channel + 8 > channels) channel = channels - 8 // some channels once more
    const to = output + (channel << 2)
    const bias = step.bias + (channel << 2)
    if (count < BLOCK) {
      for (let i: usize = 0; i < count; i++) single(step, input + i * inputStep, to + i * outputStep, weights, bias)
    } else {
      for (let i: usize = 0; i < count; ) {
        if (i + BLOCK > count) i = count - BLOCK
        block(step, input + i * inputStep, inputStep, to + i * outputStep, outputStep, weights, bias)
        i += BLOCK
      }
    }
    weights += size
    channel += 8
  }
}

/** 6 pixels by 8 channels. The loop is not unrolled: V8 would then load more ahead than there are registers for. */
function block(step: Step, input: usize, inputStep: usize, output: usize, outputStep: usize, weights: usize, bias: usize): void {
  let a0 = v128.load(bias), b0 = v128.load(bias, 16)
  let a1 = a0, b1 = b0, a2 = a0, b2 = b0, a3 = a0, b3 = b0, a4 = a0, b4 = b0, a5 = a0, b5 = b0
  const rows = step.rows, taps = step.taps, pitch = step.inputPitch
  for (let row: usize = 0; row < rows; row++) {
    let p0 = input + row * pitch
    let p1 = p0 + inputStep, p2 = p1 + inputStep, p3 = p2 + inputStep, p4 = p3 + inputStep, p5 = p4 + inputStep
    for (const end = p0 + (taps << 2); p0 < end; ) {
      const w = v128.load(weights), v = v128.load(weights, 16)
      const x0 = v128.load32_splat(p0); a0 = madd(x0, w, a0); b0 = madd(x0, v, b0)
      const x1 = v128.load32_splat(p1); a1 = madd(x1, w, a1); b1 = madd(x1, v, b1)
      const x2 = v128.load32_splat(p2); a2 = madd(x2, w, a2); b2 = madd(x2, v, b2)
      const x3 = v128.load32_splat(p3); a3 = madd(x3, w, a3); b3 = madd(x3, v, b3)
      const x4 = v128.load32_splat(p4); a4 = madd(x4, w, a4); b4 = madd(x4, v, b4)
      const x5 = v128.load32_splat(p5); a5 = madd(x5, w, a5); b5 = madd(x5, v, b5)
      weights += 32
      p0 += 4; p1 += 4; p2 += 4; p3 += 4; p4 += 4; p5 += 4
    }
  }
  storeBlock(step, output, outputStep, a0, b0, a1, b1, a2, b2, a3, b3, a4, b4, a5, b5)
}

/** One pixel by 8 channels: pictures that are narrower than a block. */
function single(step: Step, input: usize, output: usize, weights: usize, bias: usize): void {
  let a = v128.load(bias), b = v128.load(bias, 16)
  const taps = step.taps
  for (let row: usize = 0; row < step.rows; row++) {
    const from = input + row * step.inputPitch
    for (let p = from; p < from + (taps << 2); p += 4, weights += 32) {
      const x = v128.load32_splat(p)
      a = madd(x, v128.load(weights), a)
      b = madd(x, v128.load(weights, 16), b)
    }
  }
  store8(output, a, b, f32x4.splat(step.least))
}

/* Between layers of 8 bits whole numbers are summed four at a time: signed bytes of the input by weights of 7 bits, which are 64 too large so that
   they have no sign. 64 times the sum of a pixel's bytes is taken off again. All sums are exact, here and in floats. */

/** Integers of `count` pixels as signed bytes; behind each pixel's what its bytes add too much. */
function pack(step: Step, input: usize, inputStep: usize, count: usize, to: usize): void {
  if (!ASC_FEATURE_RELAXED_SIMD) return
  const shift = f32x4.splat(step.dotShift), ones = i8x16.splat(1)
  const taps = step.taps << 2
  for (let i: usize = 0; i < count; i++, input += inputStep) {
    let sum = i32x4.splat(0)
    for (let at = input; at < input + taps; at += 64, to += 16) {
      const bytes = i8x16.narrow_i16x8_s(
        i16x8.narrow_i32x4_s(whole(at, shift), whole(at + 16, shift)), i16x8.narrow_i32x4_s(whole(at + 32, shift), whole(at + 48, shift)))
      v128.store(to, bytes)
      sum = i32x4.relaxed_dot_i8x16_i7x16_add_s(bytes, ones, sum)
    }
    const pairs = i32x4.add(sum, v128.shuffle<i32>(sum, sum, 2, 3, 0, 1))
    v128.store(to, i32x4.shl(i32x4.add(pairs, v128.shuffle<i32>(pairs, pairs, 1, 0, 3, 2)), 6))
    to += 16
  }
}

@inline function whole(at: usize, shift: v128): v128 {
  return i32x4.trunc_sat_f32x4_s(f32x4.add(v128.load(at), shift))
}

function denseDots(step: Step, input: usize, output: usize, outputStep: usize, count: usize): void {
  const channels = step.channels
  let weights = step.dots
  for (let channel: usize = 0; channel < channels; channel += 8, weights += step.taps << 3) {
    const to = output + (channel << 2)
    for (let i: usize = 0; i < count; i += BLOCK) {
      if (i + BLOCK > count) i = count - BLOCK
      blockDots(step, input + i * (step.taps + 16), to + i * outputStep, outputStep, weights, step.dotBias + (channel << 2))
    }
  }
}

/** 6 pixels by 8 channels, as `block`. */
function blockDots(step: Step, input: usize, output: usize, outputStep: usize, weights: usize, bias: usize): void {
  if (!ASC_FEATURE_RELAXED_SIMD) return
  const taps = step.taps, inputStep = taps + 16
  let p0 = input
  let p1 = p0 + inputStep, p2 = p1 + inputStep, p3 = p2 + inputStep, p4 = p3 + inputStep, p5 = p4 + inputStep
  const a = v128.load(bias), b = v128.load(bias, 16)
  let more = v128.load(p0 + taps); let a0 = i32x4.sub(a, more), b0 = i32x4.sub(b, more)
  more = v128.load(p1 + taps); let a1 = i32x4.sub(a, more), b1 = i32x4.sub(b, more)
  more = v128.load(p2 + taps); let a2 = i32x4.sub(a, more), b2 = i32x4.sub(b, more)
  more = v128.load(p3 + taps); let a3 = i32x4.sub(a, more), b3 = i32x4.sub(b, more)
  more = v128.load(p4 + taps); let a4 = i32x4.sub(a, more), b4 = i32x4.sub(b, more)
  more = v128.load(p5 + taps); let a5 = i32x4.sub(a, more), b5 = i32x4.sub(b, more)
  for (const end = p0 + taps; p0 < end; ) {
    const w = v128.load(weights), v = v128.load(weights, 16)
    const x0 = v128.load32_splat(p0); a0 = dot(x0, w, a0); b0 = dot(x0, v, b0)
    const x1 = v128.load32_splat(p1); a1 = dot(x1, w, a1); b1 = dot(x1, v, b1)
    const x2 = v128.load32_splat(p2); a2 = dot(x2, w, a2); b2 = dot(x2, v, b2)
    const x3 = v128.load32_splat(p3); a3 = dot(x3, w, a3); b3 = dot(x3, v, b3)
    const x4 = v128.load32_splat(p4); a4 = dot(x4, w, a4); b4 = dot(x4, v, b4)
    const x5 = v128.load32_splat(p5); a5 = dot(x5, w, a5); b5 = dot(x5, v, b5)
    weights += 32
    p0 += 4; p1 += 4; p2 += 4; p3 += 4; p4 += 4; p5 += 4
  }
  storeBlock(step, output, outputStep, floats(a0), floats(b0), floats(a1), floats(b1), floats(a2), floats(b2),
    floats(a3), floats(b3), floats(a4), floats(b4), floats(a5), floats(b5))
}

@inline function dot(bytes: v128, weights: v128, sum: v128): v128 { return i32x4.relaxed_dot_i8x16_i7x16_add_s(bytes, weights, sum) }
@inline function floats(sum: v128): v128 { return f32x4.convert_i32x4_s(sum) }

/** Four products of bytes as this machine sums them: 129,540 where one instruction does, 65,534 where a sum of two is cut off on its way, -508
    where the second byte has a sign. Elsewhere the answer is always 0. */
export function dotsHere(): i32 {
  if (!ASC_FEATURE_RELAXED_SIMD) return 0
  return i32x4.extract_lane(i32x4.relaxed_dot_i8x16_i7x16_add_s(i8x16.splat(127), i8x16.splat(-1), i32x4.splat(0)), 0)
}

@inline function storeBlock(step: Step, output: usize, outputStep: usize, a0: v128, b0: v128, a1: v128, b1: v128, a2: v128, b2: v128,
  a3: v128, b3: v128, a4: v128, b4: v128, a5: v128, b5: v128): void {
  const least = f32x4.splat(step.least)
  let to = output
  store8(to, a0, b0, least)
  store8(to += outputStep, a1, b1, least)
  store8(to += outputStep, a2, b2, least)
  store8(to += outputStep, a3, b3, least)
  store8(to += outputStep, a4, b4, least)
  store8(to + outputStep, a5, b5, least)
}

@inline function store8(to: usize, a: v128, b: v128, least: v128): void {
  v128.store(to, f32x4.pmax(a, least))
  v128.store(to, f32x4.pmax(b, least), 16)
}

/** A depthwise convolution of `count` pixels, into `output` without gaps. */
function depthwise(step: Step, input: usize, output: usize, count: usize): void {
  const pixel = step.taps << 2
  const across = step.inputStep, move = step.stride * across
  const together = step.stride == 1 && count >= 4
  const side = step.depthwiseSide
  let weights = step.depthwise
  for (let channel: usize = 0; channel < pixel; channel += 16, weights += (side * side) << 4) {
    const from = input + channel, to = output + channel, bias = step.depthwiseBias + channel
    for (let i: usize = 0; i < count; ) {
      if (together) {
        if (i + 4 > count) i = count - 4
        if (side == 3) neighbours(step, from + i * across, to + i * pixel, pixel, weights, bias)
        else wideNeighbours(step, from + i * across, to + i * pixel, pixel, weights, bias)
        i += 4
      } else {
        alone(step, from + i * move, to + i * pixel, weights, bias)
        i++
      }
    }
  }
  if (step.depthwiseFactors) round(output, output + count * pixel, pixel, step.depthwiseFactors, step.depthwiseLow, step.depthwiseHigh)
}

/** 4 channels of 4 pixels side by side, which share what they read. */
@inline function neighbours(step: Step, input: usize, output: usize, pixel: usize, weights: usize, bias: usize): void {
  const across = step.inputStep, pitch = step.inputPitch
  let a = v128.load(bias), b = a, c = a, d = a
  for (const end = weights + 144; weights < end; weights += 48, input += pitch) {
    const u = v128.load(weights), v = v128.load(weights, 16), w = v128.load(weights, 32)
    let at = input
    const x0 = v128.load(at), x1 = v128.load(at += across), x2 = v128.load(at += across)
    const x3 = v128.load(at += across), x4 = v128.load(at += across), x5 = v128.load(at + across)
    a = madd(x2, w, madd(x1, v, madd(x0, u, a)))
    b = madd(x3, w, madd(x2, v, madd(x1, u, b)))
    c = madd(x4, w, madd(x3, v, madd(x2, u, c)))
    d = madd(x5, w, madd(x4, v, madd(x3, u, d)))
  }
  storeFour(step, output, pixel, a, b, c, d)
}

/** The same for kernels of any side: of a row, four pixels stay in registers and the next one moves in. */
function wideNeighbours(step: Step, input: usize, output: usize, pixel: usize, weights: usize, bias: usize): void {
  const across = step.inputStep, pitch = step.inputPitch, row = step.depthwiseSide << 4
  let a = v128.load(bias), b = a, c = a, d = a
  for (const end = weights + row * step.depthwiseSide; weights < end; input += pitch) {
    let at = input
    let x0 = v128.load(at), x1 = v128.load(at += across), x2 = v128.load(at += across)
    for (const last = weights + row; weights < last; weights += 16) {
      const w = v128.load(weights), x3 = v128.load(at += across)
      a = madd(x0, w, a)
      b = madd(x1, w, b)
      c = madd(x2, w, c)
      d = madd(x3, w, d)
      x0 = x1
      x1 = x2
      x2 = x3
    }
  }
  storeFour(step, output, pixel, a, b, c, d)
}

@inline function storeFour(step: Step, output: usize, pixel: usize, a: v128, b: v128, c: v128, d: v128): void {
  const least = f32x4.splat(step.depthwiseLeast)
  v128.store(output, f32x4.pmax(a, least))
  v128.store(output += pixel, f32x4.pmax(b, least))
  v128.store(output += pixel, f32x4.pmax(c, least))
  v128.store(output + pixel, f32x4.pmax(d, least))
}

/** 4 channels of one pixel: strides, and pictures that are narrower than four. */
@inline function alone(step: Step, input: usize, output: usize, weights: usize, bias: usize): void {
  const across = step.inputStep, pitch = step.inputPitch, row = step.depthwiseSide << 4
  let sum = v128.load(bias)
  for (const end = weights + row * step.depthwiseSide; weights < end; input += pitch) {
    let at = input
    for (const last = weights + row; weights < last; weights += 16, at += across) sum = madd(v128.load(at), v128.load(weights), sum)
  }
  v128.store(output, f32x4.pmax(sum, f32x4.splat(step.depthwiseLeast)))
}

/** Pixels in place to the integers of a layer of 8 bits, less its zero point; halves go to the even one, as in ONNX. */
function round(from: usize, end: usize, pixel: usize, factors: usize, low: f32, high: f32): void {
  const least = f32x4.splat(low), most = f32x4.splat(high)
  for (; from < end; from += pixel) {
    for (let channel: usize = 0; channel < pixel; channel += 16) {
      const whole = f32x4.nearest(f32x4.mul(v128.load(from + channel), v128.load(factors + channel)))
      v128.store(from + channel, f32x4.pmin(f32x4.pmax(whole, least), most))
    }
  }
}

function add(step: Step, from: usize, end: usize, other: usize): void {
  const scale = f32x4.splat(step.scale), otherScale = f32x4.splat(step.otherScale), sumScale = f32x4.splat(step.sumScale)
  const least = f32x4.splat(step.sumLow), most = f32x4.splat(step.sumHigh)
  const rounded = step.sumScale != 0
  for (; from < end; from += 16, other += 16) {
    let sum = f32x4.add(f32x4.mul(v128.load(from), scale), f32x4.mul(v128.load(other), otherScale))
    if (rounded) sum = f32x4.pmin(f32x4.pmax(f32x4.nearest(f32x4.div(sum, sumScale)), least), most)
    v128.store(from, sum)
  }
}

/** The zero pixels around the rows that were made. */
function clearFrame(step: Step, first: usize, last: usize): void {
  const pixel = step.channels << 2
  const top = step.frame & 255, left = (step.frame >> 8) & 255, bottom = (step.frame >> 16) & 255, right = step.frame >> 24
  const line = (left + step.width + right) * pixel
  for (let y = first; y < last; y++) {
    const row = step.output + y * step.outputPitch
    memory.fill(row - left * pixel, 0, left * pixel)
    memory.fill(row + step.width * pixel, 0, right * pixel)
  }
  const corner = step.output - left * pixel
  if (first == 0) for (let y: usize = 1; y <= top; y++) memory.fill(corner - y * step.outputPitch, 0, line)
  if (last == step.height) for (let y: usize = 0; y < bottom; y++) memory.fill(corner + (last + y) * step.outputPitch, 0, line)
}

/** Planes of a photo as a map. */
export function interleave(at: usize, first: usize, last: usize, scratch: usize): void {
  const step = changetype<Step>(at)
  const plane = step.planePitch
  for (let y = first; y < last; y++) {
    let from = step.input + y * step.inputPitch
    let to = step.output + y * step.outputPitch
    for (let x: usize = 0; x < step.width; x++, from += 4, to += 12) {
      store<f32>(to, load<f32>(from))
      store<f32>(to, load<f32>(from + plane), 4)
      store<f32>(to, load<f32>(from + 2 * plane), 8)
    }
  }
  clearFrame(step, first, last)
}

/** Twice as many rows and columns, bilinear, between half-pixel centres: an output lies at a quarter of the way between two inputs. */
export function double(at: usize, first: usize, last: usize, scratch: usize): void {
  const step = changetype<Step>(at)
  const pixel = step.channels << 2
  const bottom = step.height / 2 - 1, right = step.width / 2 - 1
  const near = f32x4.splat(0.75), far = f32x4.splat(0.25)
  for (let y = first; y < last; y++) {
    const here = step.input + (y >> 1) * step.inputPitch
    const there = step.input + neighbour(y, bottom) * step.inputPitch
    let to = step.output + y * step.outputPitch
    for (let x: usize = 0; x < step.width; x++, to += pixel) {
      const column = (x >> 1) * pixel, beside = neighbour(x, right) * pixel
      for (let channel: usize = 0; channel < pixel; channel += 16) {
        const upper = f32x4.add(f32x4.mul(v128.load(here + column + channel), near), f32x4.mul(v128.load(here + beside + channel), far))
        const lower = f32x4.add(f32x4.mul(v128.load(there + column + channel), near), f32x4.mul(v128.load(there + beside + channel), far))
        v128.store(to + channel, f32x4.add(f32x4.mul(upper, near), f32x4.mul(lower, far)))
      }
    }
  }
  clearFrame(step, first, last)
}

/** The input on the other side of an output from the one that it lies in, at the edge that one itself. */
@inline function neighbour(place: usize, last: usize): usize {
  const half = place >> 1
  return place & 1 ? min(half + 1, last) : half - select<usize>(1, 0, half > 0)
}

/** Channels to planes of twice as many rows and columns (depth to space), 3 colours; `gated`: a fourth says how much of the photo is added. */
export function picture(at: usize, first: usize, last: usize, scratch: usize): void {
  const step = changetype<Step>(at)
  const plane = step.planePitch, pitch = step.outputPitch
  const gated = step.gated, bounded = step.bounded
  for (let y = first; y < last; y++) {
    let from = step.input + y * step.inputPitch
    let to = step.output + 2 * y * pitch
    let photo = step.other + 2 * y * pitch
    for (let x: usize = 0; x < step.width; x += 2) {
      const next = from + step.inputStep
      const gateUpper = upper(v128.load(from, 48), v128.load(next, 48)), gateLower = lower(v128.load(from, 48), v128.load(next, 48))
      for (let colour: usize = 0; colour < 3; colour++) {
        const one = v128.load(from + (colour << 4)), two = v128.load(next + (colour << 4))
        const place = colour * plane
        let up = upper(one, two), low = lower(one, two)
        if (gated) {
          up = f32x4.add(up, f32x4.mul(gateUpper, v128.load(photo + place)))
          low = f32x4.add(low, f32x4.mul(gateLower, v128.load(photo + place + pitch)))
        }
        v128.store(to + place, bounded ? tanh(up) : up)
        v128.store(to + place + pitch, bounded ? tanh(low) : low)
      }
      from = next + step.inputStep
      to += 16
      photo += 16
    }
  }
}

/** Channels to planes of four times as many rows and columns, 3 colours. */
export function large(at: usize, first: usize, last: usize, scratch: usize): void {
  const step = changetype<Step>(at)
  const pitch = step.outputPitch
  for (let y = first; y < last; y++) {
    let from = step.input + y * step.inputPitch
    for (let x: usize = 0; x < step.width; x++) {
      for (let colour: usize = 0; colour < 3; colour++) {
        const to = step.output + colour * step.planePitch + 4 * y * pitch + (x << 4)
        const pixels = from + (colour << 6)
        for (let row: usize = 0; row < 4; row++) v128.store(to + row * pitch, v128.load(pixels + (row << 4)))
      }
      from += step.inputStep
    }
  }
}

@inline function upper(one: v128, two: v128): v128 { return v128.shuffle<f32>(one, two, 0, 1, 4, 5) }
@inline function lower(one: v128, two: v128): v128 { return v128.shuffle<f32>(one, two, 2, 3, 6, 7) }

/** The rational approximation of Eigen, which ONNX Runtime has, too. */
function tanh(value: v128): v128 {
  const x = f32x4.pmin(f32x4.pmax(value, f32x4.splat(-9)), f32x4.splat(9))
  const square = f32x4.mul(x, x)
  let above = madd(square, f32x4.splat(-2.76076847742355e-16), f32x4.splat(2.00018790482477e-13))
  above = madd(square, above, f32x4.splat(-8.60467152213735e-11))
  above = madd(square, above, f32x4.splat(5.12229709037114e-08))
  above = madd(square, above, f32x4.splat(1.48572235717979e-05))
  above = madd(square, above, f32x4.splat(6.37261928875436e-04))
  above = madd(square, above, f32x4.splat(4.89352455891786e-03))
  let below = madd(square, f32x4.splat(1.19825839466702e-06), f32x4.splat(1.18534705686654e-04))
  below = madd(square, below, f32x4.splat(2.26843463243900e-03))
  below = madd(square, below, f32x4.splat(4.89352518554385e-03))
  return f32x4.div(f32x4.mul(x, above), below)
}
