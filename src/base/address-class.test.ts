import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AddressClass, classifyAddress } from './address-class.ts';

const examples: Record<AddressClass, readonly string[]> = {
  public: [
    '93.184.215.14',
    '172.32.0.1',
    '100.128.0.1',
    '2606:2800::1',
    '::ffff:8.8.8.8',
    '64:ff9b::808:808',
  ],
  private: [
    ...['10.1.2.3', '172.16.0.1', '172.31.255.255', '192.168.1.1', '100.64.0.1', 'fd12::1', 'fec0::1'],
    ...['::ffff:10.0.0.1', '::ffff:a00:1', '::10.0.0.1', '64:ff9b::10.0.0.1', '2002:a00:1::1'],
    ...['0:0:0:0:0:FFFF:10.0.0.1', '::ffff:0:10.0.0.1'],
  ],
  loopback: ['127.0.0.1', '127.255.0.9', '::1', '0:0:0:0:0:0:0:1', '::ffff:127.0.0.1', '2002:7f00:1::'],
  'link-local': ['169.254.1.1', 'fe80::1', 'fe80::1%eth0', '::ffff:169.254.0.1'],
  metadata: [
    ...['169.254.169.254', '::ffff:169.254.169.254', '64:ff9b::a9fe:a9fe', 'fd00:ec2::254'],
    ...['100.100.100.200', '168.63.129.16', '169.254.170.2', '192.0.0.192'],
  ],
  reserved: [
    ...['0.0.0.0', '0.1.2.3', '::', '::ffff:0.0.0.0', '224.0.0.1', '255.255.255.255', 'ff02::1', '192.0.2.1'],
    ...['2001:db8::1', '2001:0:1::1', '64:ff9b:1::1', 'example.org', '127.1', '0x7f.0.0.1', ''],
  ],
};

for (const [addressClass, addresses] of Object.entries(examples))
  test(`knows addresses that are ${addressClass}`, () => {
    for (const address of addresses) assert.equal(classifyAddress(address), addressClass, address);
  });
