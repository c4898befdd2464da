/* What files are called. */

const SUFFIXES = { 'image/png': 'png', 'image/jpeg': 'jpg', 'video/mp4': 'mp4', 'video/webm': 'webm' }

/** "beach.JPG" drawn in style hayao with palette dusk, as PNG: "beach-hayao-dusk.png". */
export function resultName(source, { style, size = 'lite', palette = 'none' }, type) {
  const stem = source.replace(/\.[^.]*$/, '') || 'photo'
  return `${[stem, style, size === 'lite' ? null : size, palette === 'none' ? null : palette].filter(Boolean).join('-')}.${SUFFIXES[type.split(';')[0]]}`
}

/** The names with "-2", "-3" … where one has been there before; a disk that ignores case counts as one. */
export function distinct(names) {
  const seen = new Set()
  return names.map((name) => {
    const [, stem, suffix] = name.match(/^(.*?)(\.[^.]*)?$/s)
    let found = name
    for (let i = 2; seen.has(found.toLowerCase()); i++) found = `${stem}-${i}${suffix ?? ''}`
    seen.add(found.toLowerCase())
    return found
  })
}
