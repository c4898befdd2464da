/* What is done to the network's picture, pixel by pixel: `Look` of anime_model/runtime/stylizer.py and `grade` of palettes.py
   beside it. The table is printed from there (web/build/palettes.py). Pictures are RGBA bytes. */

import table from './palettes.json' with { type: 'json' }

export const PALETTES = ['none', ...Object.keys(table.palettes)]

const [RED, GREEN, BLUE] = table.luma
const LEVELS = Array.from({ length: 256 }, (_, level) => level / 255)

/** The finished picture: with `keepColour` the drawing's luma on the photo's chroma, then the palette, then mixed with the
    photo (strength 0 is the photo, 1 the picture alone). */
export function grade(anime, photo, { palette, strength, keepColour = false }) {
  const drawn = keepColour ? recoloured(anime, photo) : anime
  const grading = palette === 'none' ? null : tables(palette)
  const out = new Uint8ClampedArray(anime.length) // rounds half to even and clips, as numpy there
  for (let i = 0; i < out.length; i += 4) {
    if (grading) tint(drawn, i, grading)
    for (let channel = 0; channel < 3; channel++) {
      const made = grading ? tinted[channel] : drawn[i + channel]
      out[i + channel] = photo[i + channel] + strength * (made - photo[i + channel])
    }
    out[i + 3] = 255
  }
  return out
}

const luma = (red, green, blue) => RED * red + GREEN * green + BLUE * blue

/** Equal steps of red, green and blue are a step of luma at the same chroma. */
function recoloured(anime, photo) {
  const out = new Uint8ClampedArray(anime.length)
  for (let i = 0; i < out.length; i += 4) {
    const step = luma(anime[i], anime[i + 1], anime[i + 2]) - luma(photo[i], photo[i + 1], photo[i + 2])
    for (let channel = 0; channel < 3; channel++) out[i + channel] = photo[i + channel] + step
  }
  return out
}

const tinted = new Float64Array(3) // of the pixel at hand: an array for each would be all the time it takes

/** Curves, saturation about luma, and the tint of that luma; not clipped. */
function tint(picture, at, { curves, saturation, tones }) {
  const [red, green, blue] = curves
  tinted[0] = red[picture[at]]
  tinted[1] = green[picture[at + 1]]
  tinted[2] = blue[picture[at + 2]]
  const y = luma(tinted[0], tinted[1], tinted[2])
  const tone = 3 * Math.min(Math.max(Math.floor(y), 0), 255)
  for (let channel = 0; channel < 3; channel++) tinted[channel] = y + saturation * (tinted[channel] - y) + tones[tone + channel]
}

/** Curves of 256 levels for each channel, and a colour for each luma. */
function tables(palette) {
  const { gamma, contrast, saturation, shadows, highlights } = table.palettes[palette]
  const curve = (power) => Float64Array.from(LEVELS, (level) => 255 * clip((level ** (1 / power) - 0.5) * contrast + 0.5))
  const tone = (level) => [0, 1, 2].map((channel) => (1 - level) ** 2 * shadows[channel] + level ** 2 * highlights[channel])
  return { curves: gamma.map(curve), saturation, tones: Float64Array.from(LEVELS.flatMap(tone)) }
}

const clip = (value) => Math.min(Math.max(value, 0), 1)
