/* Colour grading of RGBA bytes by the table in palettes.json, whose `about` states the formula. */

import table from './palettes.json' with { type: 'json' }

export const PALETTES = Object.keys(table.palettes)

const LUMA = [0.2126, 0.7152, 0.0722] // Rec. 709

/** The anime picture in the palette's colours, mixed with the photo: strength 0 is the photo, 1 the picture alone. */
export function grade(anime, photo, palette, strength) {
  const { saturation, shadows, highlights, ...curve } = table.palettes[palette]
  const [red, green, blue] = [0, 1, 2].map((channel) => levels(curve, channel))
  const out = new Uint8ClampedArray(anime.length)
  const rest = 1 - strength
  const plain = palette === 'none'
  for (let i = 0; i < anime.length; i += 4) {
    const [r, g, b] = plain ? [anime[i], anime[i + 1], anime[i + 2]] : [red[anime[i]], green[anime[i + 1]], blue[anime[i + 2]]]
    const y = LUMA[0] * r + LUMA[1] * g + LUMA[2] * b
    const light = (y * y) / 255
    const dark = ((255 - y) * (255 - y)) / 255
    const tinted = (v, c) => byte(y + saturation * (v - y) + shadows[c] * dark + highlights[c] * light)
    out[i] = strength * tinted(r, 0) + rest * photo[i]
    out[i + 1] = strength * tinted(g, 1) + rest * photo[i + 1]
    out[i + 2] = strength * tinted(b, 2) + rest * photo[i + 2]
    out[i + 3] = 255
  }
  return out
}

/** Steps 1 and 2 of the formula for the 256 values of one channel, on the scale of bytes. */
function levels({ lift, gamma, gain, contrast }, channel) {
  return Float64Array.from({ length: 256 }, (_, level) => {
    const value = level / 255
    const lifted = clip(gain[channel] * (value + lift[channel] * (1 - value)))
    return 255 * clip(0.5 + contrast * (lifted ** (1 / gamma[channel]) - 0.5))
  })
}

const clip = (value) => Math.min(Math.max(value, 0), 1)
const byte = (value) => Math.round(Math.min(Math.max(value, 0), 255))
