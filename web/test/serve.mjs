import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { extname, join, normalize } from 'node:path'

const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.mjs': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.wasm': 'application/wasm', '.jpg': 'image/jpeg', '.woff2': 'font/woff2', '.webmanifest': 'application/manifest+json' }
const ISOLATION = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' }
const FOLDER = '/some/folder/' // the site must not care where on a host it lives

/** A static host for `root` like the plainest there are: {url, asked, refuse, close}. `refuse` is a pattern of paths that fail. */
export async function serve(root, { isolated = false } = {}) {
  const host = { asked: [], refuse: null }
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url, 'http://host')
    host.asked.push(pathname)
    const file = pathname.endsWith('/') ? `${pathname}index.html` : pathname
    try {
      if (!file.startsWith(FOLDER) || host.refuse?.test(file)) throw new Error('refused')
      const content = await readFile(join(root, normalize(file.slice(FOLDER.length))))
      response.writeHead(200, { 'Content-Type': TYPES[extname(file)] ?? 'application/octet-stream', ...(isolated && ISOLATION) })
      response.end(content)
    } catch {
      response.writeHead(404).end()
    }
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const close = () => new Promise((resolve) => { server.closeAllConnections(); server.close(resolve) })
  return Object.assign(host, { url: `http://127.0.0.1:${server.address().port}${FOLDER}`, close })
}
