import { BlockList, isIP } from 'node:net';

/**
 * Whom an address belongs to: `private` networks, `metadata` services of clouds (which hand out credentials), and
 * `reserved` ones, to which nobody has a reason to connect (0.0.0.0, multicast, documentation …).
 */
export type AddressClass = 'public' | 'private' | 'loopback' | 'link-local' | 'metadata' | 'reserved';

/** The narrower class first. Sources: IANA's special-purpose registries, the clouds' manuals. */
const ranges: readonly (readonly [AddressClass, readonly string[]])[] = [
  [
    'metadata',
    [
      ...['169.254.169.254/32', '169.254.170.2/32', '169.254.170.23/32', '100.100.100.200/32'],
      ...['168.63.129.16/32', '192.0.0.192/32'],
      ...['fd00:ec2::254/128', 'fd00:ec2::23/128', 'fd20:ce::254/128'],
    ],
  ],
  ['loopback', ['127.0.0.0/8', '::1/128']],
  ['link-local', ['169.254.0.0/16', 'fe80::/10']],
  ['private', ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', 'fc00::/7', 'fec0::/10']],
  [
    'reserved',
    [
      ...['0.0.0.0/8', '192.0.0.0/24', '192.0.2.0/24', '192.88.99.0/24', '198.18.0.0/15'],
      ...['198.51.100.0/24', '203.0.113.0/24', '224.0.0.0/4', '240.0.0.0/4'],
      // The second is Teredo and other tunnels: what is inside cannot be checked.
      ...['2001:db8::/32', '2001::/23', '3fff::/20'],
    ],
  ],
  ['public', ['0.0.0.0/0', '2000::/3']],
];

const lists = ranges.map(([addressClass, subnets]) => {
  const list = new BlockList();
  for (const subnet of subnets) {
    const [network, bits] = subnet.split('/') as [string, string];
    list.addSubnet(network, Number(bits), isIP(network) === 6 ? 'ipv6' : 'ipv4');
  }
  return { addressClass, list };
});

/**
 * The class of an IP address as text, `fe80::1%eth0` too. What an IPv6 address carries of an IPv4 one (mapped, NAT64,
 * 6to4) decides. Text that is no address is `reserved`.
 */
export function classifyAddress(address: string): AddressClass {
  const [plain] = address.split('%') as [string];
  const family = isIP(plain);
  if (family === 0) return 'reserved';
  const carried = family === 6 ? carriedIpv4(plain) : undefined;
  if (carried !== undefined) return classifyAddress(carried);
  const found = lists.find(({ list }) => list.check(plain, family === 6 ? 'ipv6' : 'ipv4'));
  return found?.addressClass ?? 'reserved';
}

function carriedIpv4(address: string): string | undefined {
  const groups = groupsOf(address);
  const start = groups
    .slice(0, 6)
    .map((group) => group.toString(16))
    .join(':');
  const isCompatible = start === '0:0:0:0:0:0' && groups[6]! > 0;
  if (isCompatible || start === '0:0:0:0:0:ffff' || start === '0:0:0:0:ffff:0' || start === '64:ff9b:0:0:0:0')
    return ipv4Of(groups[6]!, groups[7]!);
  return groups[0] === 0x2002 ? ipv4Of(groups[1]!, groups[2]!) : undefined;
}

function ipv4Of(high: number, low: number): string {
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}

/** The eight groups of an IPv6 address, whatever way it was written in. */
function groupsOf(address: string): number[] {
  // URL writes the last 32 bits in hexadecimal groups too.
  const [head, tail] = new URL(`http://[${address}]/`).hostname.slice(1, -1).split('::') as [string, string?];
  const read = (part: string | undefined): number[] =>
    part ? part.split(':').map((group) => Number.parseInt(group, 16)) : [];
  const [first, last] = [read(head), read(tail)];
  return [...first, ...Array<number>(8 - first.length - last.length).fill(0), ...last];
}
