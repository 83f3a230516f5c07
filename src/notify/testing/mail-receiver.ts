import { once } from 'node:events';
import type { Socket } from 'node:net';
import { SMTPServer, type SMTPServerSession } from 'smtp-server';
import { makeCertificate } from '../../../test/servers/certificate.ts';
import type { SettingsByKind } from '../channel.ts';
import type { Behaviour, Receiver } from './receiver.ts';

export interface Mail {
  from: string;
  to: string[];
  isSecure: boolean;
  user: string | undefined;
  /** In lower case; folded lines joined. */
  headers: Map<string, string>;
  text: string;
  html: string;
}

interface MailReceiver extends Receiver {
  taken: Mail[];
  settings: { kind: 'email' } & SettingsByKind['email'];
}

const mailHost = 'mail.example';
const login = { username: 'keeper', password: 'mAilS3cret' };
/** Whom it knows not. */
const unknownRecipient = /^nobody@/;

/** A real mail server that wants STARTTLS (or TLS at once) and a login. @param security as the settings will say */
export async function startMailReceiver({
  security = 'starttls',
}: {
  security?: 'tls' | 'starttls' | 'none';
} = {}): Promise<MailReceiver> {
  let behaviour: Behaviour = 'take';
  let connectionCount = 0;
  const sockets = new Set<Socket>();
  const taken: Mail[] = [];
  const { cert, key } = makeCertificate(mailHost);
  const server = new SMTPServer({
    ...{ cert, key, secure: security === 'tls', disabledCommands: security === 'none' ? ['STARTTLS'] : [] },
    ...{
      allowInsecureAuth: security === 'none',
      authOptional: security === 'none',
      logger: false,
      closeTimeout: 1,
    },
    onConnect(_, callback) {
      connectionCount++;
      if (behaviour === 'hang') return;
      // Not later: Node breaks down (SIGSEGV) when a socket is destroyed below TLS.
      if (behaviour === 'reset') for (const socket of sockets) socket.destroy();
      callback();
    },
    onAuth({ username, password }, _, callback) {
      const isKnown = username === login.username && password === login.password;
      if (behaviour === 'login' || !isKnown) callback(smtpError(535, `no login for ${username} ${password}`));
      else callback(null, { user: username });
    },
    onRcptTo({ address }, _, callback) {
      if (behaviour === 'refuse' || unknownRecipient.test(address)) callback(smtpError(550, 'no such user'));
      else callback();
    },
    onData(stream, session, callback) {
      const take = (parts: Uint8Array[]): void => {
        if (behaviour === 'fail') callback(smtpError(451, 'try again'));
        else if (behaviour === 'busy') callback(smtpError(421, 'too many messages'));
        else {
          taken.push(readMail(Buffer.concat(parts).toString(), session));
          callback();
        }
      };
      void stream.toArray().then(take, callback);
    },
  });
  server.on('error', () => {});
  server.server.on('connection', (socket: Socket) => sockets.add(socket));
  server.listen(0, '127.0.0.1');
  await once(server.server, 'listening');
  const { port } = server.server.address() as { port: number };
  return {
    settings: {
      ...{ kind: 'email', host: mailHost, port, security, ...login },
      ...{ from: 'Holdfast <holdfast@example.org>', to: ['ops@example.org', 'boss@example.org'] },
    },
    secrets: [login.password],
    certificates: [cert],
    resolve: async () => ['127.0.0.1'],
    behave: (next) => {
      behaviour = next;
    },
    taken,
    connectionCount: () => connectionCount,
    stop: async () => {
      await new Promise<void>((resolve) => server.close(resolve));
    },
  };
}

function smtpError(responseCode: number, message: string): Error {
  return Object.assign(new Error(message), { responseCode });
}

/** Reads as much of MIME as one alternative of text and HTML needs. */
function readMail(source: string, session: SMTPServerSession): Mail {
  const [head, body] = halves(source);
  const headers = readHeaders(head);
  const boundary = /boundary="?([^";]+)/.exec(headers.get('content-type')!)![1]!;
  const parts = body
    .split(`--${boundary}`)
    .slice(1, -1)
    .map((part) => halves(part.trimStart()));
  const partOf = (type: string): string => {
    const [partHead, content] = parts.find(([text]) =>
      readHeaders(text).get('content-type')!.startsWith(type),
    )!;
    return decode(content, readHeaders(partHead).get('content-transfer-encoding') ?? '7bit');
  };
  return {
    from: session.envelope.mailFrom ? session.envelope.mailFrom.address : '',
    to: session.envelope.rcptTo.map(({ address }) => address),
    isSecure: session.secure,
    user: session.user,
    headers,
    text: partOf('text/plain'),
    html: partOf('text/html'),
  };
}

function halves(source: string): [head: string, body: string] {
  const end = source.indexOf('\r\n\r\n');
  return [source.slice(0, end), source.slice(end + 4)];
}

function readHeaders(head: string): Map<string, string> {
  const lines = head.replace(/\r\n[ \t]+/g, ' ').split('\r\n');
  return new Map(
    lines.map((line) => {
      const [name, value] = line.split(/:\s*(.*)/) as [string, string];
      return [name.toLowerCase(), value];
    }),
  );
}

function decode(content: string, encoding: string): string {
  if (encoding === 'base64') return Buffer.from(content, 'base64').toString();
  if (encoding !== 'quoted-printable') return content;
  const bytes = content
    .replace(/=\r\n/g, '')
    .replace(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(bytes, 'latin1').toString();
}
