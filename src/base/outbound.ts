import { BlockList, isIP, type LookupFunction } from 'node:net';
import { type AddressClass, classifyAddress } from './address-class.ts';
import { messageOf, OutboundError } from './errors.ts';

/** Where connections to what a user entered may lead. */
export interface OutboundPolicy {
  /** Of addresses that may be reached. */
  classes: readonly AddressClass[];
  /** Hosts (`ntfy.lan`) and networks (`10.1.0.0/16`, `::1`) that may be reached in any case. */
  allow?: readonly string[] | undefined;
}

/** The addresses of a host, as texts. */
export type Resolver = (host: string) => Promise<readonly string[]>;

/** A host whose addresses were looked up once and checked; connect to nothing else than these. */
export interface CheckedHost {
  /** As URL writes it, in lower case and numbers as a dotted address, without brackets and the point of the root. */
  host: string;
  addresses: readonly string[];
  /** For `net.connect`, `http.request` and the like: gives these addresses and asks nobody. */
  lookup: LookupFunction;
}

export interface OutboundOptions {
  policy: OutboundPolicy;
  signal?: AbortSignal | undefined;
  /** From the look-up to the last byte. Default: 15 s. */
  timeoutMs?: number | undefined;
  /** Certificates (PEM) that are trusted beside those of the system. */
  certificates?: readonly string[] | undefined;
  /** Default: the system's. */
  resolve?: Resolver | undefined;
}

const outboundTimeoutMs = 15_000;

/**
 * The usual policy: the internet, and this machine and its private networks where that is chosen. Link-local addresses
 * and the metadata services of clouds only where `allow` names them.
 */
export function outboundPolicy(choice: {
  privateAddresses: boolean;
  allow?: readonly string[] | undefined;
}): OutboundPolicy {
  const classes: readonly AddressClass[] = choice.privateAddresses
    ? ['public', 'private', 'loopback']
    : ['public'];
  return { classes, allow: choice.allow };
}

/**
 * Looks a host up, once, and checks every address it has: one that is forbidden forbids the host.
 * @param host a name or an address in any notation (`2130706433`, `0x7f.1`, `[::1]`, `localhost.`)
 * @throws OutboundError 'outbound.url' | 'outbound.forbidden' | 'outbound.unreachable' | 'outbound.timeout'
 */
export async function resolveOutbound(host: string, options: OutboundOptions): Promise<CheckedHost> {
  return withinTime(host, options, async () => {
    const plain = canonicalHost(host);
    const addresses = isIP(plain) ? [plain] : await lookUp(plain, options.resolve ?? systemResolver);
    const isAllowed = permits(options.policy);
    for (const address of addresses) if (!isAllowed(plain, address)) throw forbidden(plain, address);
    return { host: plain, addresses, lookup: pinned(addresses) };
  });
}

/** Runs work with a signal that ends it in time, and says which of the two ended it. */
export async function withinTime<T>(
  host: string,
  { signal, timeoutMs = outboundTimeoutMs }: Pick<OutboundOptions, 'signal' | 'timeoutMs'>,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const timeout = AbortSignal.timeout(timeoutMs);
  const either = signal ? AbortSignal.any([signal, timeout]) : timeout;
  either.throwIfAborted();
  const { promise: ended, reject } = Promise.withResolvers<never>();
  const end = (): void => reject(either.reason);
  either.addEventListener('abort', end, { once: true });
  try {
    // Not all work heeds a signal: a look-up by the system does not.
    return await Promise.race([work(either), ended]);
  } catch (error) {
    signal?.throwIfAborted();
    if (!timeout.aborted) throw error;
    throw new OutboundError('outbound.timeout', `${host} did not answer within ${timeoutMs} ms`, {
      hint: 'Look whether the host is up and whether a firewall stands between.',
      cause: error,
    });
  } finally {
    either.removeEventListener('abort', end);
  }
}

function canonicalHost(host: string): string {
  const bare = host.replace(/^\[|\]$/g, '');
  if (isIP(bare) === 6) return bare;
  const name = /[/\\@:?#\s]/.test(bare)
    ? undefined
    : URL.parse(`http://${bare}/`)?.hostname.replace(/\.$/, '');
  if (name) return name;
  throw new OutboundError('outbound.url', 'the host is no name and no address', {
    hint: 'Write a host such as hooks.example.org or 192.0.2.7.',
  });
}

const systemResolver: Resolver = async (host) => {
  const { lookup } = await import('node:dns/promises');
  return (await lookup(host, { all: true, order: 'verbatim' })).map(({ address }) => address);
};

async function lookUp(host: string, resolve: Resolver): Promise<readonly string[]> {
  const unknown = (cause?: unknown): OutboundError =>
    new OutboundError('outbound.unreachable', `no address is known of ${host}`, {
      hint: 'Look whether the name is written right, and whether this machine can resolve names.',
      cause,
    });
  const addresses = await resolve(host).catch((error: unknown) => {
    throw unknown(messageOf(error));
  });
  if (addresses.length === 0) throw unknown();
  return addresses;
}

function permits({ classes, allow = [] }: OutboundPolicy): (host: string, address: string) => boolean {
  const hosts = new Set<string>();
  const networks = new BlockList();
  for (const entry of allow) {
    const [network, bits] = entry.split('/') as [string, string?];
    const family = isIP(network);
    if (family === 0) hosts.add(entry.toLowerCase().replace(/\.$/, ''));
    else networks.addSubnet(network, Number(bits ?? (family === 6 ? 128 : 32)), familyName(family));
  }
  return (host, address) =>
    hosts.has(host) ||
    (isIP(address) !== 0 && networks.check(address, familyName(isIP(address)))) ||
    (classifyAddress(address) !== 'reserved' && classes.includes(classifyAddress(address)));
}

function familyName(family: number): 'ipv4' | 'ipv6' {
  return family === 6 ? 'ipv6' : 'ipv4';
}

function forbidden(host: string, address: string): OutboundError {
  const what = host === address ? address : `${host} leads to ${address}, and that`;
  const message = `${what} is a ${classifyAddress(address)} address, which may not be reached`;
  return new OutboundError('outbound.forbidden', message, {
    hint: 'If that is meant, allow the host or its network in the settings under outbound.',
    context: { host, address },
  });
}

function pinned(addresses: readonly string[]): LookupFunction {
  const all = addresses.map((address) => ({ address, family: isIP(address) }));
  return (_host, { all: wantsAll }, callback) => {
    if (wantsAll) callback(null, all);
    else callback(null, all[0]!.address, all[0]!.family);
  };
}
