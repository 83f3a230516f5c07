import type { S3Options } from './options.ts';

/** Where requests go. */
export interface Endpoint {
  /** undefined: AWS itself, whose address follows from the region. */
  url: string | undefined;
  region: string;
  isPathStyle: boolean;
}

/** Where to ask first. @param endpoint `https://host` of the location */
export function endpointOf(
  endpoint: string,
  bucket: string,
  { region, style = 'auto' }: S3Options,
): Endpoint {
  const { host } = new URL(endpoint);
  const isAws = isAwsHost(host);
  // A dot in the bucket's name breaks the certificate of `bucket.host`.
  const isPathStyle = style === 'auto' ? !isAws || bucket.includes('.') : style === 'path';
  return { url: isAws ? undefined : endpoint, region: regionOf(host) ?? region ?? 'us-east-1', isPathStyle };
}

/**
 * Where a server that refused says that the bucket is, or undefined when it does not say, or says what we asked.
 * Another address is followed only within the same domain: what we send there is the user's data.
 */
export function redirected(from: Endpoint, bucket: string, told: Told): Endpoint | undefined {
  const region = told.region ?? from.region;
  if (from.url === undefined) return region === from.region ? undefined : { ...from, region };
  const host = told.host && hostWithoutBucket(told.host, bucket);
  const { protocol, hostname: known, host: knownHost } = new URL(from.url);
  const isKin = host !== undefined && domainOf(host.replace(/:\d+$/, '')) === domainOf(known);
  const url = isKin ? `${protocol}//${host}` : from.url;
  const to = { ...from, region: told.region ?? (isKin ? regionOf(host) : undefined) ?? region, url };
  return to.region === from.region && new URL(url).host === knownHost ? undefined : to;
}

/** What an answer says about where the bucket is. */
export interface Told {
  region?: string | undefined;
  host?: string | undefined;
}

/** AWS's public addresses. Others below its domain, such as a private link's, are taken as they are. */
function isAwsHost(host: string): boolean {
  return /^s3(?:[.-](?:dualstack\.)?[a-z0-9-]+)?\.amazonaws\.com(?:\.cn)?$/.test(host);
}

/** From `s3.eu-central-1.amazonaws.com`, `s3-eu-west-1.…`, `s3.eu-central-2.wasabisys.com`, `s3.fr-par.scw.cloud`. */
function regionOf(host: string): string | undefined {
  return /^s3[.-](?:dualstack\.)?([a-z]{2,}-(?:[a-z]+-)*[a-z0-9]+)\./.exec(host)?.[1];
}

function hostWithoutBucket(host: string, bucket: string): string {
  return host.startsWith(`${bucket}.`) ? host.slice(bucket.length + 1) : host;
}

/** The last two parts of a name; an address is its own domain. */
function domainOf(host: string): string {
  return /^[\d.]+$|:/.test(host) ? host : host.split('.').slice(-2).join('.');
}
