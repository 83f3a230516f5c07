import type { Notification } from '../notification.ts';
import { recoveryOf } from '../notification.ts';

/** A backup that failed, with all that can be told. */
export const failure: Notification = {
  type: 'job.failed',
  severity: 'error',
  state: 'failed',
  subject: { kind: 'plan', name: 'shop-nightly' },
  message: 'The backup of mongodb://db.example.org stopped after 3 of 17 collections.',
  since: new Date('2026-11-23T03:00:00Z'),
  at: new Date('2026-11-24T03:00:00Z'),
  figures: [{ name: 'Size', usual: '2.1 GiB', now: '310 MiB' }, { name: 'Documents' }],
  link: 'https://holdfast.example.org/jobs/42?step=dump&line=7',
  nextStep: 'Look whether the disk of db.example.org is full.',
  host: 'backup-1',
  labels: { team: 'shop', stage: 'production' },
  dedupeKey: 'plan:shop-nightly',
  jobId: '0190a5f2-7f3e-7d6c-8a3b-1c2d3e4f5a6b',
};

/** With what must be there alone. */
export const bare: Notification = {
  type: 'channel.test',
  severity: 'info',
  state: 'tested',
  subject: { kind: 'channel', name: 'chat' },
  message: 'This is a test.',
  since: failure.at,
  at: failure.at,
  figures: [],
  labels: {},
  dedupeKey: 'channel:chat',
};

const hostile = `<!channel> @everyone <b>&amp; "q" *x* _y_ [z](http://evil.example) \`c\` \r\nBcc: a@evil.example \u202e😀`;

/** Names and texts that try to be more than text, and are very long. */
export const nasty: Notification = {
  ...failure,
  severity: 'critical',
  state: hostile,
  subject: { kind: 'plan', name: hostile.repeat(10) },
  message: hostile.repeat(200),
  nextStep: hostile.repeat(200),
  host: hostile,
  figures: Array.from({ length: 40 }, (_, i) => ({ name: `${i} ${hostile}`, usual: hostile.repeat(30) })),
  labels: { [hostile]: hostile.repeat(100) },
  dedupeKey: hostile,
};

export const recovery = recoveryOf(failure, {
  type: 'plan.recovered',
  state: 'succeeded',
  message: 'The backup went well again.',
  at: new Date('2026-11-25T03:00:00Z'),
});
