const METADATA_PROPS = 14 // the field of onnx.ModelProto (onnx/onnx.proto)

/** The metadata of an ONNX file as an object of strings, read off its protocol buffer without a library. */
export function metadata(bytes) {
  const entries = fields(bytes).filter(([number]) => number === METADATA_PROPS)
  return Object.fromEntries(entries.map(([, entry]) => fields(entry).map(([, text]) => new TextDecoder().decode(text))))
}

/** [number, bytes] of the length-delimited fields of one message, in order; numbers are passed over. */
function fields(bytes) {
  const found = []
  let at = 0
  const varint = () => {
    let value = 0
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at++]
      value += (byte & 127) * scale
      if (byte < 128 || byte === undefined) return value
    }
  }
  while (at < bytes.length) {
    const tag = varint()
    const kind = tag & 7
    if (kind === 0) varint()
    else if (kind === 2) {
      const length = varint()
      found.push([Math.floor(tag / 8), bytes.subarray(at, at + length)])
      at += length
    } else at += kind === 1 ? 8 : 4
  }
  return found
}
