/* A zip file of files that are compressed already: APPNOTE 6.3, method 0 (stored), names in UTF-8. */

const [LOCAL, CENTRAL, END] = [0x04034b50, 0x02014b50, 0x06054b50]
const UTF8 = 1 << 11
const VERSION = 20
const MOST = 0xffffffff // bytes; larger ones would need zip64

const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let bit = 0; bit < 8; bit++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1
  return n
})

/** A zip as a blob of [{name, blob}]. Throws `RangeError` beyond 4 GB. */
export async function zip(files, now = new Date()) {
  const parts = []
  const directory = []
  let at = 0
  for (const { name, blob } of files) {
    const bytes = new Uint8Array(await blob.arrayBuffer())
    const title = new TextEncoder().encode(name)
    const entry = { title, size: bytes.length, sum: crc(bytes), at, ...dosTime(now) }
    const head = header(entry)
    parts.push(head, title, blob)
    directory.push(central(entry), title)
    at += head.byteLength + title.length + bytes.length
    if (at > MOST) throw new RangeError('zip: more than 4 GB')
  }
  const size = directory.reduce((sum, part) => sum + part.byteLength, 0)
  return new Blob([...parts, ...directory, end(files.length, size, at)], { type: 'application/zip' })
}

export function crc(bytes) {
  let value = 0xffffffff
  for (const byte of bytes) value = TABLE[(value ^ byte) & 255] ^ (value >>> 8)
  return (value ^ 0xffffffff) >>> 0
}

const header = (entry) => numbers([LOCAL, 4], [VERSION, 2], ...common(entry), [0, 2])

const central = (entry) => numbers([CENTRAL, 4], [VERSION, 2], [VERSION, 2], ...common(entry), [0, 2], [0, 2], [0, 2], [0, 2], [0, 4], [entry.at, 4])

const end = (count, size, at) => numbers([END, 4], [0, 2], [0, 2], [count, 2], [count, 2], [size, 4], [at, 4], [0, 2])

const common = ({ title, size, sum, time, date }) => [[UTF8, 2], [0, 2], [time, 2], [date, 2], [sum, 4], [size, 4], [size, 4], [title.length, 2]]

/** Little-endian numbers of 2 or 4 bytes. */
function numbers(...fields) {
  const view = new DataView(new ArrayBuffer(fields.reduce((sum, [, size]) => sum + size, 0)))
  let at = 0
  for (const [value, size] of fields) {
    if (size === 2) view.setUint16(at, value, true)
    else view.setUint32(at, value, true)
    at += size
  }
  return view
}

function dosTime(now) {
  return {
    time: (now.getHours() << 11) | (now.getMinutes() << 5) | (now.getSeconds() >> 1),
    date: ((now.getFullYear() - 1980) << 9) | ((now.getMonth() + 1) << 5) | now.getDate(),
  }
}
