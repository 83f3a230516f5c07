import type { Resolver } from '#base';
import type { ChannelSettings } from '../channel.ts';

/** What a receiver does with whatever comes: takes it, or one of the ways in which services fail. */
export type Behaviour = 'take' | 'hang' | 'fail' | 'refuse' | 'busy' | 'reset' | 'login' | 'redirect';

/** Stands for a service: looks at what comes as closely as the service does. */
export interface Receiver {
  settings: ChannelSettings;
  /** What must never be seen in an error. */
  secrets: readonly string[];
  certificates?: readonly string[];
  /** Names that lead to it. */
  resolve?: Resolver;
  behave(behaviour: Behaviour): void;
  /** What was taken, as the service understood it: for tests of one kind. */
  taken: unknown[];
  /** Connections that were made. */
  connectionCount(): number;
  stop(): Promise<void>;
}
