import type { BlobCodec, CodecOptions } from './blob-codec.ts';
import { NativeCodec } from './native-codec.ts';
import { nativeLibrary } from './native-library.ts';
import { PortableCodec } from './portable-codec.ts';

/** The fastest codec that this Node offers. */
export function createBlobCodec(options: CodecOptions): BlobCodec {
  const library = nativeLibrary();
  return library ? new NativeCodec(options, library) : new PortableCodec(options);
}
