/* Keeps the site for use without a network, and gives it the two headers that threads need.

   The build fills in the first three constants. Files are answered from the cache first: their names hold a hash of what is in
   them, and a new version of the page has a new cache. */

const VERSION = '%VERSION%'
const FILES = [/* %FILES% */]
const ENGINES = [/* %ENGINES% */] // large: only the one that a page uses is kept
const PREFIX = `anime-lite ${self.registration.scope} ` // several such sites may share one host, and so one cache store
const CACHE = PREFIX + VERSION

self.addEventListener('install', (event) => event.waitUntil(install()))
self.addEventListener('activate', (event) => event.waitUntil(activate()))
self.addEventListener('message', (event) => event.waitUntil(keep(event)))
self.addEventListener('fetch', (event) => {
  const { method, url } = event.request
  if (method === 'GET' && url.startsWith(self.registration.scope)) event.respondWith(answer(event.request))
})

async function install() {
  const cache = await caches.open(CACHE)
  await cache.addAll(FILES.map((file) => new Request(file, { cache: 'no-cache' })))
}

async function activate() {
  const old = (await caches.keys()).filter((name) => name.startsWith(PREFIX) && name !== CACHE)
  for (const name of old) await takeOver(await caches.open(name))
  await Promise.all(old.map((name) => caches.delete(name)))
  await self.clients.claim()
}

/** An engine that did not change with the version: the next visit may be one without a network. */
async function takeOver(old) {
  const cache = await caches.open(CACHE)
  for (const engine of ENGINES) {
    const kept = await old.match(engine)
    if (kept) await cache.put(engine, kept)
  }
}

/** Caches the files that the page names, and says so when they are there. */
async function keep({ data, source }) {
  const cache = await caches.open(CACHE)
  for (const url of data.keep) if (!(await cache.match(url))) await cache.add(url)
  source.postMessage({ kept: true })
}

async function answer(request) {
  const cache = await caches.open(CACHE)
  const key = request.mode === 'navigate' ? self.registration.scope : request
  return isolated((await cache.match(key, { ignoreSearch: true, ignoreVary: true })) ?? (await fetch(request)))
}

/** SharedArrayBuffer, and so threads, exist only on pages with these headers; many static hosts cannot set any. */
function isolated(response) {
  if (response.status === 0) return response
  const headers = new Headers(response.headers)
  headers.set('Cross-Origin-Opener-Policy', 'same-origin')
  headers.set('Cross-Origin-Embedder-Policy', 'require-corp')
  headers.set('Cross-Origin-Resource-Policy', 'same-origin')
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers })
}
