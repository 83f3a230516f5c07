import type { Generated } from 'kysely';

/**
 * Our tables, the same in SQLite and PostgreSQL. Times are milliseconds since 1970, objects are JSON as text, ids of
 * our own are UUIDs of version 7, which sort by their age.
 */
export interface Tables {
  /** Repositories, sources, plans and channels: what people configure, by file or by API. */
  configured: {
    noun: string;
    id: string;
    name: string;
    spec: string;
    /** JSON: `{"from":"file","line":4}` … */
    origin: string;
    revision: number;
    created_at: number;
    updated_at: number;
  };
  jobs: {
    id: string;
    kind: string;
    version: number;
    plan: string | null;
    input: string;
    labels: string;
    trigger_kind: string;
    requested_by: string | null;
    limits: string;
    state: string;
    reason: string | null;
    attempt: number;
    /** Grows with each execution; what is written with an older one is not accepted. */
    generation: number;
    run_id: string | null;
    worker: string | null;
    heartbeat_at: number | null;
    cancel_requested_at: number | null;
    cancelled_by: string | null;
    dispatched_at: number | null;
    waits_for: string | null;
    progress: string | null;
    result: string | null;
    scheduled_at: number | null;
    created_at: number;
    started_at: number | null;
    ended_at: number | null;
    idempotency_key: string | null;
  };
  /** Which jobs hold which limits now. */
  job_limits: { name: string; job_id: string };
  job_steps: {
    job_id: string;
    number: number;
    name: string;
    state: string;
    reason: string | null;
    attempt: number;
    started_at: number;
    ended_at: number | null;
  };
  job_lines: {
    job_id: string;
    number: number;
    at: number;
    level: string;
    step: string | null;
    message: string;
    hint: string | null;
    item: string | null;
  };
  /** When each schedule was last looked at. */
  schedules: { name: string; handled_until: number };
  /** Snapshots that a job of ours made, and what became of them. The repository is the truth about the others. */
  snapshots: {
    repository: string;
    id: string;
    plan: string | null;
    source: string | null;
    job_id: string | null;
    taken_at: number;
    facts: string;
    badges: string;
    pins: string;
    forgotten_at: number | null;
    trash_until: number | null;
  };
  /** Facts with a time, kept: what people are told of. */
  events: {
    number: Generated<number>;
    at: number;
    type: string;
    severity: string;
    message: string;
    plan: string | null;
    facts: string;
  };
  /** What live pages have to hear; short-lived. */
  changes: { number: Generated<number>; at: number; payload: string };
  users: {
    id: string;
    username: string;
    display_name: string | null;
    email: string | null;
    role: string;
    password_hash: string;
    is_disabled: number;
    created_at: number;
    last_seen_at: number | null;
  };
  sessions: {
    /** SHA-256 of the cookie. */
    hash: string;
    user_id: string;
    csrf_token: string;
    created_at: number;
    expires_at: number;
  };
  tokens: {
    id: string;
    /** SHA-256 of the token. */
    hash: string;
    name: string;
    scopes: string;
    user_id: string;
    created_at: number;
    expires_at: number | null;
    last_used_at: number | null;
  };
  secrets: { id: string; sealed: string; fingerprint: string; created_at: number };
  settings: { name: string; value: string };
  /** Facts that nobody can take out or change unseen: each entry holds the hash of the one before. */
  chain_entries: {
    chain: string;
    /** From 1, without gaps. */
    number: number;
    id: string;
    at: number;
    subject: string | null;
    body: string;
    previous: string;
    hash: string;
  };
  /** Attempts to tell somebody something. */
  deliveries: {
    id: string;
    channel: string;
    event_number: number | null;
    notification: string;
    dedupe_key: string | null;
    state: string;
    attempt: number;
    at: number;
    next_at: number | null;
    reason: string | null;
  };
}
