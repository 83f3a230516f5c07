import { RepositoryError } from '../errors.ts';

/** An instant together with the zone in which it was written. */
export interface ZonedTime {
  /** Nanoseconds since 1970. */
  timeNs: bigint;
  /** How far the local clock was ahead of UTC. */
  utcOffsetMinutes: number;
}

const nsPerSecond = 1_000_000_000n;
const secondsPerDay = 86_400;
/** Go writes years from 0 to this one. */
const yearMax = 9999;

let lastSeconds = 0;
let lastText = '1970-01-01T00:00:00';

/**
 * RFC 3339 as Go writes it: nanoseconds without trailing zeros, `Z` for an offset of zero. A year that Go does not
 * write becomes the nearest that it does; the rest of the time stays, as in restic.
 */
export function formatGoTime(timeNs: bigint, utcOffsetMinutes = 0): string {
  let whole = timeNs / nsPerSecond;
  let fractionNs = Number(timeNs - whole * nsPerSecond);
  if (fractionNs < 0) {
    whole -= 1n;
    fractionNs += 1e9;
  }
  const date = formatSeconds(Number(whole) + utcOffsetMinutes * 60);
  const zone = utcOffsetMinutes === 0 ? 'Z' : formatOffset(utcOffsetMinutes);
  return fractionNs === 0 ? date + zone : `${date}.${formatFraction(fractionNs)}${zone}`;
}

function formatFraction(ns: number): string {
  let digits = ns;
  let width = 9;
  while (digits % 10 === 0) {
    digits /= 10;
    width--;
  }
  return String(digits).padStart(width, '0');
}

function formatOffset(minutes: number): string {
  const size = Math.abs(minutes);
  return `${minutes < 0 ? '-' : '+'}${two(Math.floor(size / 60))}:${two(size % 60)}`;
}

function two(value: number): string {
  return value < 10 ? `0${value}` : String(value);
}

/** Files of one folder often share the second, so the last one is remembered. */
function formatSeconds(seconds: number): string {
  if (seconds === lastSeconds) return lastText;
  const days = Math.floor(seconds / secondsPerDay);
  const rest = seconds - days * secondsPerDay;
  const { year, month, day } = withYearOfGo(dateOfDay(days));
  const time = `${two(Math.floor(rest / 3600))}:${two(Math.floor(rest / 60) % 60)}:${two(rest % 60)}`;
  lastSeconds = seconds;
  lastText = `${String(year).padStart(4, '0')}-${two(month)}-${two(day)}T${time}`;
  return lastText;
}

function withYearOfGo(date: CalendarDate): CalendarDate {
  if (date.year < 0) return { ...date, year: 0 };
  if (date.year <= yearMax) return date;
  // 9999 has no leap day: Go takes the day after it.
  const isLeapDay = date.month === 2 && date.day === 29;
  return isLeapDay ? { year: yearMax, month: 3, day: 1 } : { ...date, year: yearMax };
}

// Days and dates as in H. Hinnant's "chrono-compatible low-level date algorithms": a year begins in March,
// so that the leap day is its last; 400 of them, an era, have 146,097 days.
const daysFromEraTo1970 = 719_468;
const daysPerEra = 146_097;

interface CalendarDate {
  year: number;
  month: number;
  day: number;
}

/** The date of a day counted from 1970. */
export function dateOfDay(daysSince1970: number): CalendarDate {
  const days = daysSince1970 + daysFromEraTo1970;
  const era = Math.floor(days / daysPerEra);
  const dayOfEra = days - era * daysPerEra;
  const leapDays =
    Math.floor(dayOfEra / 1460) - Math.floor(dayOfEra / 36_524) + Math.floor(dayOfEra / 146_096);
  const yearOfEra = Math.floor((dayOfEra - leapDays) / 365);
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const monthFromMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1;
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9;
  return { year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day };
}

function dayOfDate(year: number, month: number, day: number): number {
  const marchYear = month <= 2 ? year - 1 : year;
  const era = Math.floor(marchYear / 400);
  const yearOfEra = marchYear - era * 400;
  const monthFromMarch = month > 2 ? month - 3 : month + 9;
  const dayOfYear = Math.floor((153 * monthFromMarch + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * daysPerEra + dayOfEra - daysFromEraTo1970;
}

const layout = 'dddd-dd-ddTdd:dd:dd';
const zeroDigit = 0x30;
const point = 0x2e;

/** Reads RFC 3339 of any zone. @throws RepositoryError 'repository.damaged' */
export function parseGoTime(text: unknown): ZonedTime {
  if (typeof text !== 'string' || !hasLayout(text)) throw notATime(text);
  const seconds = secondsOf(text);
  if (seconds === undefined) throw notATime(text);
  let at = layout.length;
  let fractionNs = 0;
  if (text.charCodeAt(at) === point) {
    const from = ++at;
    while (isDigit(text, at)) at++;
    if (at === from) throw notATime(text);
    fractionNs = digits(text, from, Math.min(at - from, 9)) * 10 ** Math.max(0, 9 - (at - from));
  }
  const utcOffsetMinutes = text.length === at + 1 && text[at] === 'Z' ? 0 : parseOffset(text.slice(at));
  const timeNs = BigInt(seconds - utcOffsetMinutes * 60) * nsPerSecond + BigInt(fractionNs);
  return { timeNs, utcOffsetMinutes };
}

/** Date and time of day without zone, or undefined when the calendar or the clock knows no such time. */
function secondsOf(text: string): number | undefined {
  const [year, month, day] = [digits(text, 0, 4), digits(text, 5, 2), digits(text, 8, 2)];
  const [hour, minute, second] = [digits(text, 11, 2), digits(text, 14, 2), digits(text, 17, 2)];
  if (month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || second > 59) return undefined;
  const days = dayOfDate(year, month, day);
  if (day > 28 && dateOfDay(days).day !== day) return undefined;
  return days * secondsPerDay + hour * 3600 + minute * 60 + second;
}

/** A regular expression here would cost more than all the rest of reading a tree. */
function hasLayout(text: string): boolean {
  if (text.length <= layout.length) return false;
  for (let i = 0; i < layout.length; i++)
    if (layout[i] === 'd' ? !isDigit(text, i) : text[i] !== layout[i]) return false;
  return true;
}

function isDigit(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return code >= zeroDigit && code <= zeroDigit + 9;
}

function digits(text: string, at: number, count: number): number {
  let value = 0;
  for (let i = 0; i < count; i++) value = value * 10 + text.charCodeAt(at + i) - zeroDigit;
  return value;
}

function parseOffset(text: string): number {
  const match = /^([+-])(\d\d):(\d\d)$/.exec(text);
  if (!match || Number(match[2]) > 23 || Number(match[3]) > 59) throw notATime(text);
  const size = Number(match[2]) * 60 + Number(match[3]);
  return match[1] === '-' ? -size : size;
}

function notATime(found: unknown): RepositoryError {
  return new RepositoryError('repository.damaged', 'a time is not in RFC 3339', {
    hint: 'Run `holdfast check` to see what else is damaged.',
    context: { found: String(found).slice(0, 80) },
  });
}
