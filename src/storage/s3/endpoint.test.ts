import assert from 'node:assert/strict';
import { test } from 'node:test';
import { endpointOf } from './endpoint.ts';

const guesses = {
  'https://s3.amazonaws.com': { url: undefined, region: 'us-east-1', isPathStyle: false },
  'https://s3.eu-central-1.amazonaws.com': { url: undefined, region: 'eu-central-1', isPathStyle: false },
  'https://s3-eu-west-1.amazonaws.com': { url: undefined, region: 'eu-west-1', isPathStyle: false },
  'https://s3.dualstack.us-gov-west-1.amazonaws.com': {
    url: undefined,
    region: 'us-gov-west-1',
    isPathStyle: false,
  },
  'https://s3.wasabisys.com': { url: 'https://s3.wasabisys.com', region: 'us-east-1', isPathStyle: true },
  'https://s3.eu-central-2.wasabisys.com': {
    url: 'https://s3.eu-central-2.wasabisys.com',
    region: 'eu-central-2',
    isPathStyle: true,
  },
  'https://s3.fr-par.scw.cloud': { url: 'https://s3.fr-par.scw.cloud', region: 'fr-par', isPathStyle: true },
  'https://bucket.vpce-1a2b.s3.us-east-1.vpce.amazonaws.com': {
    url: 'https://bucket.vpce-1a2b.s3.us-east-1.vpce.amazonaws.com',
    region: 'us-east-1',
    isPathStyle: true,
  },
  'https://amazonaws.com.example.org': {
    url: 'https://amazonaws.com.example.org',
    region: 'us-east-1',
    isPathStyle: true,
  },
  'http://127.0.0.1:9000': { url: 'http://127.0.0.1:9000', region: 'us-east-1', isPathStyle: true },
};

for (const [endpoint, guess] of Object.entries(guesses))
  test(`asks first at ${endpoint}`, () => assert.deepEqual(endpointOf(endpoint, 'bucket', {}), guess));

test('takes the region and style that are given', () => {
  const { region, isPathStyle } = endpointOf('https://minio.example', 'bucket', {
    region: 'here',
    style: 'virtual',
  });
  assert.deepEqual({ region, isPathStyle }, { region: 'here', isPathStyle: false });
});

test('a dot in the name of the bucket goes into the path, for the certificate’s sake', () => {
  assert(endpointOf('https://s3.amazonaws.com', 'my.bucket', {}).isPathStyle);
});
