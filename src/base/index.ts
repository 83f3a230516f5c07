// The ground: errors, clock, random, bytes, the way out to a network. Not a place for words of the product.
export { type AddressClass, classifyAddress } from './address-class.ts';
export { collect, formatSize, fromHex, toHex } from './bytes.ts';
export { type Clock, systemClock } from './clock.ts';
export {
  type ErrorDetails,
  type ErrorKind,
  HoldfastError,
  isRetryable,
  messageOf,
  OutboundError,
  type Retry,
  systemCodeOf,
} from './errors.ts';
export type { ExtendedAttribute, FileAttributes, FileType } from './file-attributes.ts';
export { compileGlob, type Glob } from './glob.ts';
export { patternTextOf, printableOf } from './name-text.ts';
export {
  type CheckedHost,
  type OutboundOptions,
  type OutboundPolicy,
  outboundPolicy,
  type Resolver,
  resolveOutbound,
  withinTime,
} from './outbound.ts';
export {
  connectOutbound,
  fetchOutbound,
  type OutboundAnswer,
  type OutboundRequest,
} from './outbound-connect.ts';
export type { FileRef, Place, Posix, PosixCapabilities } from './posix.ts';
export { openPosix, systemPosix } from './posix-open.ts';
export { type Random, seededRandom, systemRandom } from './random.ts';
