/* Offline use: starts the service worker and has it keep the engine that this page loaded. */

const RELOADED = 'anime-lite:reloaded'

/** Calls `done` once the page would work without a network. Where there are no service workers it never does. */
export async function keepOffline(files, done) {
  if (!('serviceWorker' in navigator) || import.meta.env.DEV) return
  try {
    navigator.serviceWorker.addEventListener('message', ({ data }) => data.kept && done())
    await navigator.serviceWorker.register('./service_worker.js')
    const { active } = await navigator.serviceWorker.ready
    active.postMessage({ keep: files })
  } catch {
    // not https, a private window, a full disk: the page works, with a network
  }
}

/** The first visit to a host that sets no headers gets threads, too: the service worker sets them from the next load on.
    Once, and only while the visitor has not touched the page. */
export function reloadForThreads() {
  if (self.crossOriginIsolated || navigator.userActivation?.hasBeenActive) return
  try {
    if (sessionStorage.getItem(RELOADED)) return
    sessionStorage.setItem(RELOADED, 'yes')
    location.reload()
  } catch {
    // what cannot be remembered could go on for ever
  }
}
