/* What a picture's bytes say that a browser does not: whether the file breaks off, which browsers show as far as it goes and the
   Python runtime refuses, and whether it moves. Unknown kinds are neither. */

/** {cut, frames}: whether the file is cut off, and how many pictures it has (0 where that cannot be told). */
export function inspect(bytes) {
  const kind = KINDS.find(({ starts }) => starts(bytes))
  if (!kind) return { cut: false, frames: 0 }
  try {
    return kind.inspect(bytes, new DataView(bytes.buffer, bytes.byteOffset, bytes.length))
  } catch (error) {
    if (error instanceof RangeError) return { cut: true, frames: 0 } // a length that points beyond the end
    throw error
  }
}

const at = (bytes, place, text) => [...text].every((letter, i) => bytes[place + i] === letter.charCodeAt(0))

const KINDS = [
  { starts: (bytes) => bytes[0] === 0xff && bytes[1] === 0xd8, inspect: jpeg },
  { starts: (bytes) => at(bytes, 1, 'PNG\r\n'), inspect: png },
  { starts: (bytes) => at(bytes, 0, 'GIF8'), inspect: gif },
  { starts: (bytes) => at(bytes, 0, 'RIFF') && at(bytes, 8, 'WEBP'), inspect: webp },
  { starts: (bytes) => at(bytes, 0, 'BM'), inspect: bmp },
  { starts: (bytes) => at(bytes, 4, 'ftyp'), inspect: boxes },
]

/** Segments with their lengths, then scans up to the marker that ends the picture (FF D9). */
function jpeg(bytes, view) {
  let place = 2
  for (;;) {
    while (bytes[place] === 0xff && bytes[place + 1] === 0xff) place++ // fill bytes
    const marker = view.getUint16(place)
    if (marker === 0xffd9) return { cut: false, frames: 1 }
    if (marker >> 8 !== 0xff) return { cut: false, frames: 1 } // damaged otherwise: the browser's own matter
    place += 2 + view.getUint16(place + 2)
    if (marker === 0xffda) place = scanEnd(bytes, place)
  }
}

/** Where the next marker is: entropy-coded bytes have none but FF 00 and restarts. */
function scanEnd(bytes, place) {
  for (; place < bytes.length - 1; place++) {
    if (bytes[place] === 0xff && bytes[place + 1] !== 0 && (bytes[place + 1] & 0xf8) !== 0xd0 && bytes[place + 1] !== 0xff) return place
  }
  throw new RangeError('cut off')
}

/** Chunks; what counts is that the last one of the picture (IDAT, fdAT) is whole, not that the end is marked. */
function png(bytes, view) {
  let [frames, begun, data] = [1, 0, false]
  for (let place = 8; place + 8 <= bytes.length;) {
    const length = view.getUint32(place)
    const kind = String.fromCharCode(...bytes.subarray(place + 4, place + 8))
    if (kind === 'acTL') frames = view.getUint32(place + 8)
    const whole = place + 8 + length <= bytes.length
    if ((kind === 'IDAT' || kind === 'fdAT') && !whole) return { cut: true, frames }
    data ||= kind === 'IDAT'
    begun += kind === 'fcTL'
    if (kind === 'IEND') break
    place += 12 + length
  }
  return { cut: !data || (frames > 1 && begun < frames), frames }
}

/** Blocks of sub-blocks; a missing trailer is forgiven, as browsers and Pillow do. */
function gif(bytes, view) {
  const table = (packed) => (packed & 0x80 ? 3 << ((packed & 7) + 1) : 0)
  let place = 13 + table(view.getUint8(10))
  let frames = 0
  const skip = () => { // sub-blocks; the 0 after the last one of the file may be missing, too
    for (let size; (size = place === bytes.length ? 0 : view.getUint8(place)); place += size + 1);
    place++
  }
  while (place < bytes.length && bytes[place] !== 0x3b) {
    if (bytes[place] === 0x21) {
      place += 2
      skip()
    } else if (bytes[place] === 0x2c) {
      place += 10 + table(view.getUint8(place + 9)) + 1
      skip()
      frames++
    } else break
  }
  return { cut: !frames, frames }
}

function webp(bytes, view) {
  const cut = view.getUint32(4, true) + 8 > bytes.length
  let frames = 0
  for (let place = 12; place + 8 <= bytes.length; place += 8 + ((view.getUint32(place + 4, true) + 1) & ~1)) {
    if (at(bytes, place, 'ANMF')) frames++
  }
  return { cut, frames: frames || 1 }
}

function bmp(bytes, view) {
  const [start, width, height, bits, packed] = [view.getUint32(10, true), view.getInt32(18, true), view.getInt32(22, true), view.getUint16(28, true), view.getUint32(30, true)]
  const needed = packed && packed !== 3 ? 0 : start + (((width * bits + 31) >> 5) << 2) * Math.abs(height)
  return { cut: needed > bytes.length, frames: 1 }
}

/** ISO base media (AVIF, HEIC): the boxes one after another must end where the file does, or before. */
function boxes(bytes, view) {
  let place = 0
  while (place + 8 <= bytes.length) {
    const short = view.getUint32(place)
    if (short === 0) return { cut: false, frames: 0 } // up to the end of the file
    place += short === 1 ? Number(view.getBigUint64(place + 8)) : Math.max(short, 8)
  }
  return { cut: place > bytes.length, frames: at(bytes, 8, 'avis') ? 2 : 0 }
}
