import { hostname, userInfo } from 'node:os';
import { systemCodeOf } from '#base';

/** Who stands in a lock file. An argument, so that a simulation can be several machines. */
export interface LockOwner {
  /** Must be stable and unique to the machine: in a container set it, do not take the random one. */
  hostname: string;
  username: string;
  uid: number;
  gid: number;
  pid: number;
  /** Whether a process of this machine lives. */
  isProcessAlive(pid: number): boolean;
}

/** This process. */
export function systemOwner(host: string = hostname()): LockOwner {
  return {
    hostname: host,
    username: usernameOfProcess(),
    uid: process.getuid?.() ?? 0,
    gid: process.getgid?.() ?? 0,
    pid: process.pid,
    isProcessAlive,
  };
}

/**
 * Keeps this process alive when another one probes it: `restic unlock` sends SIGHUP to the process named in a
 * lock of its own host, and SIGHUP ends a Node process by default. To be called once, by the program's main file.
 */
export function surviveLockProbes(): void {
  process.on('SIGHUP', () => {});
}

function isProcessAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return systemCodeOf(error) === 'EPERM';
  }
}

/** A user id without an entry in the user database (usual in containers) has no name. */
function usernameOfProcess(): string {
  try {
    return userInfo().username;
  } catch {
    return '';
  }
}
