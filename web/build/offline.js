import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'

const SOURCE = resolve(import.meta.dirname, '../src/service_worker.js')
const LATER = /^assets\/ort[.-]/ // ONNX Runtime, 14 or 27 MB: kept where the page needed it (see `keep` in the service worker)
const NEVER = /^(preview\.jpg|apple-touch-icon\.png)$/ // for others than the page

/** Vite plugin: writes `service_worker.js` with the list of the site's files and a version made from their contents. */
export function offline() {
  let root
  return {
    name: 'offline',
    apply: 'build',
    enforce: 'post',
    configResolved: (config) => { root = config.publicDir },
    generateBundle(_, bundle) {
      const made = Object.values(bundle).map((file) => [file.fileName, file.code ?? file.source])
      const still = readdirSync(root).map((file) => [file, readFileSync(resolve(root, file))])
      const files = [...made, ...still].filter(([file]) => !LATER.test(file) && !NEVER.test(file))
      const engines = made.map(([file]) => file).filter((file) => LATER.test(file))
      const hash = createHash('sha256')
      for (const [file, content] of files) hash.update(file).update(content)
      const list = JSON.stringify(['./', ...files.map(([file]) => file).filter((file) => file !== 'index.html')])
      const source = readFileSync(SOURCE, 'utf8')
        .replace("'%VERSION%'", `'${hash.digest('hex').slice(0, 12)}'`)
        .replace('[/* %FILES% */]', list)
        .replace('[/* %ENGINES% */]', JSON.stringify(engines))
      this.emitFile({ type: 'asset', fileName: 'service_worker.js', source })
    },
  }
}
