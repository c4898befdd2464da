/* What the page uses of Mediabunny: a module of its own, so that the rest is left out of the site. */

import { MATROSKA, MP4, QTFF, WEBM } from 'mediabunny'

export { BlobSource, BufferTarget, Conversion, getFirstEncodableVideoCodec, Input, Mp4OutputFormat, Output, QUALITY_HIGH, VideoSample, WebMOutputFormat } from 'mediabunny'
export const FORMATS = [MP4, QTFF, WEBM, MATROSKA] // what phones and browsers record, and what people keep
