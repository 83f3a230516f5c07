import { type ChannelSpec, spanMs } from '#contract';
import type { ChannelSettings, RoutingRule } from '#notify';
import { plainUrl, type Surroundings } from './open-specs.ts';

/** What a channel is told of, in the words of `notify`. */
export function ruleOf(channel: string, spec: ChannelSpec): RoutingRule {
  const { kind, severity, labels, events, recovered } = spec;
  return { channel, kind, severity, labels, types: events, withRecovery: recovered };
}

/** After how long a trouble that lasts is told again. */
export function remindMsOf({ remind }: ChannelSpec): number | undefined {
  return remind === undefined ? undefined : spanMs(remind);
}

/** With its secrets in clear. @throws when one cannot be had */
export async function settingsOf(spec: ChannelSpec, surroundings: Surroundings): Promise<ChannelSettings> {
  const secret = async (reference: string | undefined): Promise<string | undefined> =>
    reference === undefined ? undefined : surroundings.secret(reference);
  switch (spec.kind) {
    case 'email': {
      const { kind, host, port, security, username, from, to, password } = spec;
      return { kind, host, port, security, username, from, to, password: await secret(password) };
    }
    case 'webhook':
      return {
        kind: 'webhook',
        url: await plainUrl(spec.url, surroundings),
        secret: await surroundings.secret(spec.secret),
      };
    case 'ntfy':
      return { kind: 'ntfy', url: await plainUrl(spec.url, surroundings), token: await secret(spec.token) };
    case 'telegram': {
      const { kind, chat } = spec;
      return { kind, chat, url: await plainUrl(spec.url, surroundings), token: await secret(spec.token) };
    }
    case 'healthchecks': {
      const { kind, startUrl, failUrl } = spec;
      return {
        kind,
        url: await plainUrl(spec.url, surroundings),
        startUrl: startUrl && (await plainUrl(startUrl, surroundings)),
        failUrl: failUrl && (await plainUrl(failUrl, surroundings)),
      };
    }
    default:
      return { kind: spec.kind, url: await plainUrl(spec.url, surroundings) };
  }
}
