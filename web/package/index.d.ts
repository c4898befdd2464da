/** The styles whose networks come with the package. */
export const styles: readonly string[]
/** The size of a style's network: from the fastest to the finest. */
export type Size = 'nano' | 'lite' | 'plus'
/** The sizes that each style has; every style has "lite". */
export const sizes: Readonly<Record<string, readonly Size[]>>
/** Colour gradings; "none" leaves the colours as the network makes them. */
export const palettes: readonly string[]

export interface StylizerOptions {
  /** A style that comes with the package (default "hayao", or the first that there is in the size). */
  style?: string
  /** The size of its network, one of `sizes[style]` (default "lite"). */
  size?: Size
  /** Another network instead: the address of an ONNX file of this project, or its bytes. */
  model?: string | URL | Uint8Array
  /** A build of ONNX Runtime Web instead of `onnxruntime-web/wasm`, used where the package's own kernels cannot run a network, and for WebGPU, which needs
      that of `onnxruntime-web/webgpu`. */
  ort?: unknown
  /** "auto": the GPU where it makes the same picture in less time; "gpu": wherever it makes the same; false (default): the CPU.
      Needs `ort` to be a build with WebGPU. */
  gpu?: 'auto' | 'gpu' | false
  /** Threads of the CPU; more than one only on pages that are cross-origin isolated. */
  threads?: number
  /** Where ONNX Runtime finds its own files; as `ort.env.wasm.wasmPaths`. */
  wasmPaths?: string | { mjs?: string | URL; wasm?: string | URL }
  /** The short side in pixels at which a larger picture is drawn, its texture smoothed, to be enlarged with its lines crisp (what
      the style asks for, 720 where it does not); 0: its own size, as it is. */
  stroke?: number
}

export interface PictureOptions {
  /** One of `palettes` (default "none"). */
  palette?: string
  /** How much of the drawing is mixed into the photo: 0 (the photo) to 1 (default). */
  strength?: number
  /** The drawing's light on the photo's colours. */
  keepColour?: boolean
  /** For this picture, instead of the stylizer's own. */
  stroke?: number
  /** Ends the work; `stylize` then rejects with the signal's reason. */
  signal?: AbortSignal
  /** Called after each part. */
  onProgress?: (done: number, total: number) => void
}

export interface Stylizer {
  /** Undefined for a network of your own. */
  readonly style?: string
  /** Undefined for a network of your own. */
  readonly size?: Size
  readonly provider: 'wasm' | 'webgpu'
  /** The picture drawn, of the source's size; transparency lies on white. */
  stylize(source: ImageData | Blob | CanvasImageSource, options?: PictureOptions): Promise<ImageData>
  /** Frees the networks; a second call does nothing. */
  close(): Promise<void>
}

/** Rejects with a `StylizerError`. It works in the thread that calls it: in a page, call it from a worker. */
export function createStylizer(options?: StylizerOptions): Promise<Stylizer>

export class StylizerError extends Error {
  readonly code: 'noModel' | 'badModel' | 'noEngine' | 'noSource' | 'badOption'
}
