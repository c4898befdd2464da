/* Keeps the site for use without a network, and gives it the two headers that threads need.

   The build fills in the first three constants. Files are answered from the cache first: their names hold a hash of what is in
   them, and a new version of the page has a new cache. */

const VERSION = '%VERSION%'
const FILES = [/* %FILES% */]
const ENGINES = [/* %ENGINES% */] // ONNX Runtime, large: only what a page uses of it is kept
const PREFIX = `anime-lite ${self.registration.scope} ` // several such sites may share one host, and so one cache store
const CACHE = PREFIX + VERSION
const STORE = 'anime-lite engines' // filled by the page as it loads the engine (engine_store.js)

self.addEventListener('install', (event) => event.waitUntil(install()))
self.addEventListener('activate', (event) => event.waitUntil(activate()))
self.addEventListener('message', (event) => event.waitUntil(keep(event)))
self.addEventListener('fetch', (event) => {
  const { method, mode, url } = event.request
  const another = mode === 'navigate' && !isPage(url) // of the same host, below this one
  if (method === 'GET' && url.startsWith(self.registration.scope) && !another) event.respondWith(answer(event.request))
})

async function install() {
  const cache = await caches.open(CACHE)
  await cache.addAll(FILES.map((file) => new Request(file, { cache: 'no-cache' })))
}

async function activate() {
  const old = (await caches.keys()).filter((name) => name.startsWith(PREFIX) && name !== CACHE)
  await Promise.all(old.map((name) => caches.delete(name)))
  await forgetOldEngines()
  await self.clients.claim()
}

/** Of this site's engines only those that this version may use; other sites of the host have theirs in the same store. */
async function forgetOldEngines() {
  const store = await caches.open(STORE)
  const used = ENGINES.map((file) => new URL(file, self.registration.scope).href)
  const here = (await store.keys()).filter(({ url }) => url.startsWith(self.registration.scope))
  await Promise.all(here.filter(({ url }) => !used.includes(url)).map((request) => store.delete(request)))
}

/** Caches what the page names of ONNX Runtime, and the scripts that load it, and says so when all is there. A page that names nothing
    has all it needs. */
async function keep({ data, source }) {
  const store = await caches.open(STORE)
  const scripts = data.keep.length ? ENGINES.filter((file) => file.endsWith('.js')) : []
  for (const url of [...data.keep, ...scripts]) if (!(await store.match(url))) await store.add(url)
  source.postMessage({ kept: true })
}

function isPage(url) {
  const { origin, pathname } = new URL(url)
  return ['', 'index.html'].some((file) => origin + pathname === self.registration.scope + file)
}

async function answer(request) {
  const cache = await caches.open(CACHE)
  const key = request.mode === 'navigate' ? self.registration.scope : request
  const anyhow = { ignoreSearch: true, ignoreVary: true }
  const kept = (await cache.match(key, anyhow)) ?? (await (await caches.open(STORE)).match(key, anyhow))
  return isolated(kept ?? (await fetch(request)))
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
