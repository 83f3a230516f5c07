import { createHash } from 'node:crypto';
import { isIP, type Socket } from 'node:net';
import { getCACertificates } from 'node:tls';
import { classifyAddress, connectOutbound, HoldfastError, messageOf, OutboundError, withinTime } from '#base';
import type { Channel, SettingsByKind } from '../channel.ts';
import { NotifyError } from '../errors.ts';
import type { Notification } from '../notification.ts';
import { busy, withoutSecrets } from '../post.ts';
import { plainTextOf, titleOf } from '../wording.ts';
import { htmlOf } from './email-html.ts';

type Settings = SettingsByKind['email'];
/** What nodemailer tells of a failure. */
type MailFailure = Error & { code?: string; responseCode?: number; response?: string };

const tlsPort = 465;

/** E-mail by SMTP, plain text and HTML. */
export const sendByEmail: Channel<'email'> = async (settings, notification, options) => {
  const { host, port = settings.security === 'none' ? 25 : settings.security === 'tls' ? tlsPort : 587 } =
    settings;
  const security = settings.security ?? (port === tlsPort ? 'tls' : 'starttls');
  // Loaded only for those who send e-mail.
  const { createTransport } = await import('nodemailer');
  return withinTime(host, options, async (signal) => {
    const socket = await connectOutbound(
      { host, port, isSecure: security === 'tls' },
      { ...options, signal },
    );
    try {
      if (security === 'none') refuseOpenPassword(settings, socket);
      // It closes the socket in any case. We must not: Node breaks down when one is destroyed below TLS.
      const transport = createTransport({
        // It would connect by itself to an address that nobody checked.
        connection: socket,
        host,
        port,
        secure: security === 'tls',
        // Over a socket that speaks TLS already.
        secured: security === 'tls',
        requireTLS: security === 'starttls',
        ignoreTLS: security === 'none',
        ...(settings.username && {
          auth: { user: settings.username, pass: settings.password ?? '' },
        }),
        tls: {
          ...(isIP(host) === 0 && { servername: host }),
          ...(options.certificates && { ca: [...getCACertificates('default'), ...options.certificates] }),
        },
        disableFileAccess: true,
        disableUrlAccess: true,
      });
      const message = messageOfMail(settings, notification, options.deliveryId);
      const { response, rejected } = await transport.sendMail({ ...message, signal });
      if (rejected.length > 0) throw someRefused(rejected.length, settings);
      return { answer: withoutSecrets(response, [settings.password ?? '']) };
    } catch (error) {
      signal.throwIfAborted();
      throw error instanceof HoldfastError ? error : failureOf(error as MailFailure, settings);
    }
  });
};

function messageOfMail({ from, to }: Settings, notification: Notification, deliveryId: string) {
  // Mail programs put into one thread what refers to one message, even if they never saw it.
  const thread = idOf(`thread ${notification.dedupeKey}`);
  return {
    from,
    to: to.map((address) => ({ name: '', address })),
    subject: `[Holdfast] ${titleOf(notification)}`,
    text: plainTextOf(notification),
    html: htmlOf(notification),
    messageId: idOf(`delivery ${deliveryId}`),
    inReplyTo: thread,
    references: thread,
    date: notification.at,
    // Nobody's absence note answers this (RFC 3834).
    headers: { 'Auto-Submitted': 'auto-generated', 'X-Auto-Response-Suppress': 'All' },
  };
}

function idOf(text: string): string {
  return `<${createHash('sha256').update(text).digest('hex').slice(0, 32)}@holdfast.invalid>`;
}

function refuseOpenPassword({ password }: Settings, socket: Socket): void {
  if (!password || classifyAddress(socket.remoteAddress ?? '') === 'loopback') return;
  socket.destroy();
  throw new NotifyError('notify.settings', 'a password does not go over a network without TLS', {
    hint: 'Choose starttls or tls, or leave the password out.',
  });
}

function someRefused(count: number, { host, to }: Settings): NotifyError {
  return new NotifyError('notify.refused', `${host} refused ${count} of ${to.length} recipients`, {
    hint: 'Look at the addresses; the others have got the message.',
  });
}

function failureOf(error: MailFailure, { host, password }: Settings): HoldfastError {
  const said = withoutSecrets(error.response ?? messageOf(error), [password ?? '']);
  const message = `${host} did not take the e-mail: ${said}`;
  const details = { cause: error.code };
  const { code, responseCode = 0 } = error;
  if (code === 'EAUTH' && responseCode >= 500)
    return new NotifyError('notify.login', message, {
      ...details,
      hint: 'Look at user name and password; many services want a password for applications.',
    });
  if (code === 'ETLS' || /certificate|altnames/i.test(said))
    return new OutboundError('outbound.untrusted', message, {
      ...details,
      hint: 'Look at the port and the kind of security, and at the certificate of the server.',
    });
  if (responseCode >= 500)
    return new NotifyError('notify.refused', message, {
      ...details,
      hint: 'Look at the addresses, and whether this account may send from that one.',
    });
  if (responseCode >= 400) return busy(message, undefined);
  return new NotifyError('notify.failed', message, details);
}
