/* Whether the built site is that of the sources: tests of an older one would say little, in many words. */

import { existsSync, readdirSync, statSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'

const WEB = resolve(import.meta.dirname, '..')
const MADE_OF = ['src', 'public', 'build', 'package/src', 'index.html', 'vite.config.js', '../anime_model/weights'].map((name) => join(WEB, name))

/** One line that says what to do, null where the site is newer than all that it is made of. */
export function stale(site = join(WEB, 'dist', 'index.html'), sources = MADE_OF) {
  if (!existsSync(site)) return `${named(site)} is not there: npm run build`
  const built = statSync(site).mtimeMs
  const newer = sources.flatMap(filesOf).find((path) => !path.endsWith('.md') && statSync(path).mtimeMs > built)
  return newer ? `${named(newer)} is newer than the built site: npm run build` : null
}

const named = (path) => relative(process.cwd(), path)

function filesOf(path) {
  if (!existsSync(path)) return []
  if (!statSync(path).isDirectory()) return [path]
  return readdirSync(path, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
}
