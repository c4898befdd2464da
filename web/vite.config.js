import { resolve } from 'node:path'
import { defaultClientConditions, defineConfig } from 'vite'
import { buildKernels } from './build/kernels.mjs'
import { models } from './build/models.js'
import { offline } from './build/offline.js'

// ANIME_MODELS lets tests build a site from other model files than the released ones.
const weights = resolve(import.meta.dirname, process.env.ANIME_MODELS ?? '../anime_model/weights')

await buildKernels()

export default defineConfig({
  base: './', // the site may live in any folder of any host
  // ONNX Runtime then loads its WebAssembly glue from a file of its own, which its threads start from, too.
  resolve: { conditions: ['onnxruntime-web-use-extern-wasm', ...defaultClientConditions] },
  assetsInclude: ['**/*.onnx'],
  plugins: [models(weights), offline(), address()],
  worker: { format: 'es', plugins: () => [models(weights)], rolldownOptions: { output: { assetFileNames: name } } },
  server: { fs: { allow: ['..', weights] } },
  build: {
    target: 'es2022',
    assetsInlineLimit: 0, // the content security policy allows no data: URLs
    chunkSizeWarningLimit: 1000,
    modulePreload: { polyfill: false },
    rolldownOptions: { output: { assetFileNames: name } },
  },
})

/** Some hosts serve .mjs as plain bytes, which browsers refuse to run; every host knows .js. */
function name(asset) {
  const mjs = asset.names.some((each) => each.endsWith('.mjs'))
  return mjs ? 'assets/[name]-[hash].js' : 'assets/[name]-[hash][extname]'
}

/** Previews in chats and feeds want the picture's whole address: SITE_URL=https://… npm run build. */
function address() {
  return { name: 'address', transformIndexHtml: (html) => html.replaceAll('%SITE%', process.env.SITE_URL ?? './') }
}
