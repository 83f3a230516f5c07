import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import ssh2, { type AnyAuthMethod, type AuthenticationType, type ParsedKey } from 'ssh2';
import { messageOf, systemCodeOf } from '#base';
import { StorageError } from '../errors.ts';

/** With what somebody may prove who they are. */
export interface CredentialSources {
  user: string;
  password?: string | undefined;
  keyFile?: string | undefined;
  passphrase?: string | undefined;
  agent?: string | undefined;
  /** Keys that the configuration names, tried where they can be read. */
  identityFiles: readonly string[];
  sshFolder: string;
}

const usualKeys = ['id_ed25519', 'id_ecdsa', 'id_rsa'];

/** The ways to log in, the surest first: servers allow few tries. */
export class Credentials {
  readonly #methods: AnyAuthMethod[];
  /** What could not be used and why, for people whose login fails. */
  readonly #passedOver: string[] = [];

  /** @throws StorageError 'storage.access-denied' when the key that was asked for cannot be used */
  constructor(sources: CredentialSources) {
    const { user: username, password, keyFile, agent } = sources;
    const methods: AnyAuthMethod[] = [];
    const addKey = (key: ParsedKey | undefined) => {
      if (key) methods.push({ type: 'publickey', username, key });
    };
    if (keyFile) addKey(this.#chosenKey(keyFile, sources));
    if (password) {
      methods.push({ type: 'password', username, password });
      // What PAM asks for is the password under another name.
      const prompt = (...[, , , prompts, finish]: Parameters<Prompt>) => finish(prompts.map(() => password));
      methods.push({ type: 'keyboard-interactive', username, prompt });
    }
    if (agent) methods.push({ type: 'agent', username, agent });
    if (!keyFile) for (const path of keyPathsIn(sources)) addKey(this.#usualKey(path, sources.passphrase));
    this.#methods = methods;
  }

  /** For people: what was tried and what could not be. */
  get description(): string {
    const kinds = new Set(this.#methods.map(({ type }) => words[type] ?? type));
    const tried = kinds.size > 0 ? `tried ${[...kinds].join(', ')}` : 'had nothing to try';
    return [tried, ...this.#passedOver].join('; ');
  }

  /** Offers each way once, and only what the server still takes. */
  handler(): (allowed: readonly AuthenticationType[] | null) => AnyAuthMethod | false {
    const left = [...this.#methods];
    let isAsked = false;
    return (allowed) => {
      if (!isAsked) {
        isAsked = true;
        const [first] = this.#methods;
        // 'none' fails, and its answer tells what the server takes.
        return { type: 'none', username: first?.username ?? '' };
      }
      const takes = ({ type }: AnyAuthMethod) =>
        !allowed || allowed.includes(type === 'agent' ? 'publickey' : type);
      const index = left.findIndex(takes);
      return left.splice(index, index < 0 ? 0 : 1)[0] ?? false;
    };
  }

  #chosenKey(path: string, { passphrase, agent }: CredentialSources): ParsedKey | undefined {
    const key = parsed(path, passphrase);
    if (!(key instanceof Error)) return key;
    const why = `the key file ${path} cannot be used: ${key.message}`;
    // The agent may hold it.
    const isForAgent = agent && systemCodeOf(key) === undefined && passphrase === undefined;
    if (isForAgent) this.#passedOver.push(why);
    else {
      throw new StorageError('storage.access-denied', why, {
        hint: 'Check the path; for an encrypted key set HOLDFAST_SFTP_KEY_PASSPHRASE, or add it to an ssh agent.',
        cause: key,
      });
    }
    return undefined;
  }

  #usualKey(path: string, passphrase: string | undefined): ParsedKey | undefined {
    const key = parsed(path, passphrase);
    if (!(key instanceof Error)) return key;
    if (systemCodeOf(key) !== 'ENOENT') this.#passedOver.push(`${path}: ${key.message}`);
    return undefined;
  }
}

type Prompt = Extract<AnyAuthMethod, { type: 'keyboard-interactive' }>['prompt'];

const words: Partial<Record<AuthenticationType, string>> = {
  publickey: 'key files',
  agent: 'the ssh agent',
  password: 'the password',
  'keyboard-interactive': 'the password at a prompt',
};

function keyPathsIn({ identityFiles, sshFolder }: CredentialSources): readonly string[] {
  return identityFiles.length > 0 ? identityFiles : usualKeys.map((name) => join(sshFolder, name));
}

/** The private key in a file, or why there is none. */
function parsed(path: string, passphrase: string | undefined): ParsedKey | Error {
  try {
    const key = ssh2.utils.parseKey(readFileSync(path), passphrase);
    const one = Array.isArray(key) ? key[0]! : key;
    if (one instanceof Error || one.isPrivateKey()) return one;
    return new Error('it holds no private key');
  } catch (error) {
    return error instanceof Error ? error : new Error(messageOf(error));
  }
}
