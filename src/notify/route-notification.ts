import type { ChannelKind } from './channel.ts';
import { isAtLeast, type Notification, type Severity } from './notification.ts';

/** What one channel is told of. */
export interface RoutingRule {
  /** The channel's name. */
  channel: string;
  kind: ChannelKind;
  /** This and worse. Default: `warning`. */
  severity?: Severity | undefined;
  /** Only what has all of these. */
  labels?: Readonly<Record<string, string>> | undefined;
  /** Only these: `job.failed`, `plan.*`. */
  types?: readonly string[] | undefined;
  /** Whether it is told when a trouble is over. Default: true. */
  withRecovery?: boolean | undefined;
}

export interface Route {
  channel: string;
  /** A ping that is missed when it does not come: sent each time, whatever was sent before. */
  isHeartbeat: boolean;
}

/**
 * The channels that a notification goes to, in the order of the rules, each once. A recovery goes where its trouble
 * went. Pings get the life of every job, also when nothing is wrong; the severity of their rule says nothing.
 */
export function routeNotification(rules: readonly RoutingRule[], notification: Notification): Route[] {
  const routes = new Map<string, Route>();
  for (const rule of rules) {
    if (routes.has(rule.channel) || !matches(rule, notification)) continue;
    routes.set(rule.channel, { channel: rule.channel, isHeartbeat: rule.kind === 'healthchecks' });
  }
  return [...routes.values()];
}

function matches(rule: RoutingRule, notification: Notification): boolean {
  const { recovers, labels, type } = notification;
  const wanted = Object.entries(rule.labels ?? {});
  if (!wanted.every(([name, value]) => labels[name] === value)) return false;
  const types = [type, ...(recovers ? [recovers.type] : [])];
  if (rule.types && !rule.types.some((pattern) => types.some((one) => matchesType(pattern, one))))
    return false;
  if (rule.kind === 'healthchecks') return type.startsWith('job.');
  if (recovers && rule.withRecovery === false) return false;
  return isAtLeast((recovers ?? notification).severity, rule.severity ?? 'warning');
}

function matchesType(pattern: string, type: string): boolean {
  return pattern.endsWith('.*') ? type.startsWith(pattern.slice(0, -1)) : type === pattern;
}
