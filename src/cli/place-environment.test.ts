import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromEnvironment, toEnvironment } from './place-environment.ts';

test('a second login takes the place of the first as a whole, other variables one by one', () => {
  const env = {
    AWS_ACCESS_KEY_ID: 'to',
    AWS_SECRET_ACCESS_KEY: 'to secret',
    AWS_REGION: 'there',
    HOLDFAST_S3_STYLE: 'path',
    HOLDFAST_FROM_AWS_PROFILE: 'from',
    HOLDFAST_FROM_S3_STYLE: 'virtual',
    HOLDFAST_FROM_SFTP_PASSWORD: 'word',
  };
  const from = fromEnvironment(env)!;
  assert.equal(from.AWS_PROFILE, 'from');
  assert.equal(from.AWS_ACCESS_KEY_ID, undefined);
  assert.equal(from.AWS_SECRET_ACCESS_KEY, undefined);
  assert.equal(from.AWS_REGION, 'there');
  assert.equal(from.HOLDFAST_S3_STYLE, 'virtual');
  assert.equal(from.HOLDFAST_SFTP_PASSWORD, 'word');
  assert.equal(fromEnvironment({ AWS_PROFILE: 'to' }), undefined);
  const { AWS_PROFILE, HOLDFAST_SFTP_JUMP } = fromEnvironment({
    AWS_PROFILE: 'both',
    HOLDFAST_FROM_SFTP_JUMP: 'host',
  })!;
  assert.deepEqual([AWS_PROFILE, HOLDFAST_SFTP_JUMP], ['both', 'host']);
  assert.equal(toEnvironment({ HOLDFAST_FROM_AWS_PROFILE: 'from' }), undefined);
  assert.equal(toEnvironment({ AWS_PROFILE: 'here', HOLDFAST_TO_AWS_PROFILE: 'to' })!.AWS_PROFILE, 'to');
});
