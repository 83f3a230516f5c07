import type { Notification } from '../notification.ts';
import { escapeHtml, factsOf, markOf, oneLine, type Tone, titleOf, toneOf } from '../wording.ts';

const colors: Record<Tone, string> = {
  recovery: '#2e7d32',
  info: '#1565c0',
  warning: '#b26a00',
  error: '#c62828',
  critical: '#6a1b9a',
};

/** A page without pictures, scripts or anything else that is loaded. Styles stand at the elements: mail programs drop others. */
export function htmlOf(notification: Notification): string {
  const { message, nextStep, link } = notification;
  const color = colors[toneOf(notification)];
  const rows = factsOf(notification).map(
    ([name, value]) =>
      `<tr><td style="padding:2px 16px 2px 0;opacity:.7">${escapeHtml(name)}</td><td style="padding:2px 0">${escapeHtml(value)}</td></tr>`,
  );
  const parts = [
    `<h1 style="font-size:18px;margin:0 0 12px">${markOf(notification)} ${escapeHtml(titleOf(notification))}</h1>`,
    `<p>${escapeHtml(oneLine(message))}</p>`,
    `<table style="border-collapse:collapse;font-size:14px">${rows.join('')}</table>`,
    ...(nextStep ? [`<p><strong>Next step:</strong> ${escapeHtml(oneLine(nextStep))}</p>`] : []),
    ...(link ? [`<p><a href="${escapeHtml(link)}">Open in Holdfast</a></p>`] : []),
  ];
  const frame = `border-left:4px solid ${color};padding:4px 0 4px 16px;font:15px/1.5 system-ui,sans-serif;max-width:640px`;
  return `<!doctype html><html lang="en"><body><div style="${frame}">${parts.join('\n')}</div></body></html>`;
}
