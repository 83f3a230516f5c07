import type * as Ffi from 'node:ffi';

const address = 'pointer';
const signatures = {
  SHA256: { arguments: [address, 'uint64', address], return: address },
  SHA256_Init: { arguments: [address], return: 'int32' },
  SHA256_Update: { arguments: [address, address, 'uint64'], return: 'int32' },
  SHA256_Final: { arguments: [address, address], return: 'int32' },
  EVP_CIPHER_CTX_new: { arguments: [], return: address },
  EVP_CIPHER_CTX_free: { arguments: [address], return: 'void' },
  EVP_CIPHER_CTX_set_padding: { arguments: [address, 'int32'], return: 'int32' },
  EVP_aes_256_ctr: { arguments: [], return: address },
  EVP_aes_128_ecb: { arguments: [], return: address },
  EVP_EncryptInit_ex: { arguments: [address, address, address, address, address], return: 'int32' },
  EVP_EncryptUpdate: { arguments: [address, address, address, address, 'int32'], return: 'int32' },
  Poly1305_ctx_size: { arguments: [], return: 'uint64' },
  Poly1305_Init: { arguments: [address, address], return: 'void' },
  Poly1305_Update: { arguments: [address, address, 'uint64'], return: 'void' },
  Poly1305_Final: { arguments: [address, address], return: 'void' },
  ZSTD_createCCtx: { arguments: [], return: address },
  ZSTD_freeCCtx: { arguments: [address], return: 'uint64' },
  ZSTD_CCtx_setParameter: { arguments: [address, 'int32', 'int32'], return: 'uint64' },
  ZSTD_compress2: { arguments: [address, address, 'uint64', address, 'uint64'], return: 'uint64' },
  ZSTD_createDCtx: { arguments: [], return: address },
  ZSTD_freeDCtx: { arguments: [address], return: 'uint64' },
  ZSTD_decompressDCtx: { arguments: [address, address, 'uint64', address, 'uint64'], return: 'uint64' },
  ZSTD_DCtx_reset: { arguments: [address, 'int32'], return: 'uint64' },
  ZSTD_decompressStream: { arguments: [address, address, address], return: 'uint64' },
} as const satisfies Ffi.FunctionDefinitions;

type Address = bigint;

/** OpenSSL's and libzstd's functions as the official node binary carries and exports them. Addresses are bigint. */
export interface NativeFunctions {
  SHA256(data: Address, length: bigint, out: Address): Address;
  SHA256_Init(context: Address): number;
  SHA256_Update(context: Address, data: Address, length: bigint): number;
  SHA256_Final(out: Address, context: Address): number;
  EVP_CIPHER_CTX_new(): Address;
  EVP_CIPHER_CTX_free(context: Address): void;
  EVP_CIPHER_CTX_set_padding(context: Address, padding: number): number;
  EVP_aes_256_ctr(): Address;
  EVP_aes_128_ecb(): Address;
  EVP_EncryptInit_ex(context: Address, cipher: Address, engine: Address, key: Address, iv: Address): number;
  EVP_EncryptUpdate(
    context: Address,
    out: Address,
    outLength: Address,
    data: Address,
    length: number,
  ): number;
  Poly1305_ctx_size(): bigint;
  Poly1305_Init(context: Address, key: Address): void;
  Poly1305_Update(context: Address, data: Address, length: bigint): void;
  Poly1305_Final(context: Address, out: Address): void;
  ZSTD_createCCtx(): Address;
  ZSTD_freeCCtx(context: Address): bigint;
  ZSTD_CCtx_setParameter(context: Address, parameter: number, value: number): bigint;
  ZSTD_compress2(context: Address, out: Address, capacity: bigint, data: Address, length: bigint): bigint;
  ZSTD_createDCtx(): Address;
  ZSTD_freeDCtx(context: Address): bigint;
  ZSTD_decompressDCtx(
    context: Address,
    out: Address,
    capacity: bigint,
    data: Address,
    length: bigint,
  ): bigint;
  ZSTD_DCtx_reset(context: Address, directive: number): bigint;
  ZSTD_decompressStream(context: Address, out: Address, input: Address): bigint;
}

export interface NativeLibrary {
  functions: NativeFunctions;
  /** Address of the first byte of a shared memory. It stays there for the life of the memory. */
  addressOf(memory: SharedArrayBuffer): bigint;
}

let loaded: NativeLibrary | null | undefined;

/**
 * The native functions, or undefined where this Node has no node:ffi (before 26) or does not export them
 * (a distribution's build that links them from outside). See docs/decisions/0002.
 */
export function nativeLibrary(): NativeLibrary | undefined {
  if (loaded === undefined) loaded = load();
  return loaded ?? undefined;
}

function load(): NativeLibrary | null {
  if (process.env.HOLDFAST_PORTABLE_CRYPTO === '1') return null;
  const ffi = process.getBuiltinModule('node:ffi') as typeof Ffi | undefined;
  if (!ffi) return null;
  try {
    const { functions } = ffi.dlopen(null, signatures);
    return {
      functions: functions as unknown as NativeFunctions,
      addressOf: (memory) => ffi.getRawPointer(new Uint8Array(memory)),
    };
  } catch (error) {
    // A missing symbol is the expected way to learn that this build does not carry the functions.
    if ((error as { code?: string }).code?.startsWith('ERR_FFI')) return null;
    throw error;
  }
}
