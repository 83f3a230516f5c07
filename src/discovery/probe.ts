import { connect } from 'node:net';
import { withinTime } from '#base';
import type { DatabaseKind } from './discovered.ts';
import { commandMessage, legacyHandshake, readReply } from './mongo-wire.ts';

/** What a server said of itself without any login. */
export interface ProbeAnswer {
  /** undefined: it does not tell strangers. */
  version: string | undefined;
  details: Record<string, string | number | boolean>;
}

interface Place {
  host: string;
  port: number;
  signal?: AbortSignal | undefined;
}

const probeMsMax = 1500;
const answerBytesMax = 65_536;

/** Asks whether a database of that kind listens there, in the fewest bytes that it answers without a login. */
export async function probeDatabase(kind: DatabaseKind, place: Place): Promise<ProbeAnswer | undefined> {
  place.signal?.throwIfAborted();
  try {
    return await probes[kind](place);
  } catch (error) {
    place.signal?.throwIfAborted();
    // Refused, broken off, too late, or not its language: then it is none.
    if (error instanceof Error) return undefined;
    throw error;
  }
}

const probes: Record<DatabaseKind, (place: Place) => Promise<ProbeAnswer | undefined>> = {
  mongodb: async (place) => {
    const reply = readReply(await converse(place, legacyHandshake, hasWholeMessage));
    if (typeof reply?.maxWireVersion !== 'number') return undefined;
    const build = readReply(await converse(place, commandMessage('buildInfo'), hasWholeMessage));
    const { setName, msg } = reply;
    return {
      version: typeof build?.version === 'string' ? build.version : undefined,
      details: {
        ...(typeof setName === 'string' && { replicaSet: setName }),
        ...(msg === 'isdbgrid' && { isSharded: true }),
      },
    };
  },

  redis: async (place) => {
    const text = (await converse(place, 'INFO server\r\n', isWholeRedisReply)).toString('latin1');
    const version = /^(?:redis|valkey)_version:(.+)$/m.exec(text.replaceAll('\r', ''))?.[1];
    if (version) return { version, details: {} };
    const isGuarded = /^-(NOAUTH|NOPERM|DENIED|LOADING|ERR AUTH)/.test(text);
    return isGuarded ? { version: undefined, details: { needsLogin: true } } : undefined;
  },

  postgres: async (place) => {
    // SSLRequest: its length, and a number that no version has.
    const request = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]);
    const answer = (await converse(place, request, (bytes) => bytes.length > 0)).toString('latin1');
    if (answer !== 'S' && answer !== 'N') return undefined;
    return { version: undefined, details: { offersTls: answer === 'S' } };
  },

  mysql: async (place) => {
    // It speaks first: length (3 bytes), number, protocol 10, version.
    const greeting = await converse(place, undefined, (bytes) => bytes.length > 5 && bytes.includes(0, 5));
    if (greeting[3] !== 0 || greeting[4] !== 10) return undefined;
    const version = greeting
      .subarray(5, greeting.indexOf(0, 5))
      .toString('latin1')
      .replace(/^5\.5\.5-/, '');
    if (!/^\d+\.\d/.test(version)) return undefined;
    return { version, details: { isMariaDb: /mariadb/i.test(version) } };
  },

  influxdb: async (place) => {
    const request = `GET /ping HTTP/1.1\r\nHost: ${place.host}\r\nConnection: close\r\n\r\n`;
    const answer = (await converse(place, request, (bytes) => bytes.includes('\r\n\r\n'))).toString('latin1');
    const version = /^x-influxdb-version: *v?(.+)$/im.exec(answer.replaceAll('\r', ''))?.[1];
    return version ? { version, details: {} } : undefined;
  },
};

function hasWholeMessage(bytes: Buffer): boolean {
  return bytes.length >= 4 && bytes.length >= bytes.readInt32LE(0);
}

function isWholeRedisReply(bytes: Buffer): boolean {
  const head = /^(?:-[^\r]*|\$(\d+))\r\n/.exec(bytes.toString('latin1'));
  if (!head) return bytes.length > 0 && !/^[-$]/.test(bytes.toString('latin1'));
  return bytes.length >= head[0].length + Number(head[1] ?? 0);
}

/** Sends, and reads until that is enough, the end, or a limit. @throws Error when nobody answers in time */
async function converse(
  { host, port, signal }: Place,
  request: string | Uint8Array | undefined,
  isEnough: (bytes: Buffer) => boolean,
): Promise<Buffer> {
  return withinTime(host, { signal, timeoutMs: probeMsMax }, async (either) => {
    const socket = connect({ host, port });
    const stop = (): unknown => socket.destroy(new Error('too late'));
    either.addEventListener('abort', stop, { once: true });
    try {
      if (request !== undefined) socket.write(request);
      let bytes = Buffer.alloc(0);
      for await (const part of socket as AsyncIterable<Buffer>) {
        bytes = Buffer.concat([bytes, part]);
        if (isEnough(bytes) || bytes.length > answerBytesMax) break;
      }
      return bytes;
    } finally {
      either.removeEventListener('abort', stop);
      socket.destroy();
    }
  });
}
