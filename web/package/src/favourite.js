const FAVOURITE = 'hayao'

/** The style that is taken where none is named, as anime_model/runtime/models.py takes it: the favourite if it is there, else the first. */
export const favourite = (names) => (names.includes(FAVOURITE) ? FAVOURITE : names[0])
