/* ONNX Runtime's file, 14 or 27 MB, is fetched once, where it is needed: what ONNX Runtime loads is also what the service worker answers with later.
   Without this a private window, which has no lasting cache of the network, would fetch it a second time for offline use. */

export const ENGINES = 'anime-lite engines' // the service worker knows this name, too

/** From now on a fetch of `file` in this thread comes from the store or is put there. Returns a function whose promise resolves
    when the file is kept (or cannot be: no https, a full disk, a browser that forbids it). */
export function keepingEngine(file) {
  const plain = self.fetch
  const wanted = new URL(file, self.location.href).href
  let kept = Promise.resolve()
  self.fetch = async (request, options) => {
    if (new URL(request?.url ?? request, self.location.href).href !== wanted) return plain(request, options)
    const store = await self.caches?.open(ENGINES).catch(() => null)
    const found = await store?.match(wanted).catch(() => null)
    if (found) return found
    const response = await plain(request, options)
    if (store && response.ok) kept = store.put(wanted, response.clone()).catch(() => {})
    return response
  }
  return () => kept
}
