import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type Browser, chromium, type Page } from 'playwright-core';
import { type Service, startService } from '#server';
import { requireProgram } from '../servers/debian.ts';

let folder: string;
let service: Service;
let browser: Browser;
let page: Page;
const faults: string[] = [];
const axe = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
const password = 'a long password for tests';

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-e2e-'));
  mkdirSync(join(folder, 'shop/sub'), { recursive: true });
  writeFileSync(join(folder, 'shop/sub/order.txt'), 'forty-two');
  service = await startService({
    home: join(folder, 'home'),
    environment: {},
    host: '127.0.0.1',
    port: 0,
    allowedHosts: [],
    version: '0.0.0',
    onProblem: (message) => faults.push(message),
  });
  browser = await chromium.launch({
    executablePath: requireProgram('chromium'),
    args: [
      ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
      ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
    ],
  });
  page = await browser.newPage({
    viewport: { width: 1440, height: 900 },
    bypassCSP: true,
    reducedMotion: 'reduce',
  });
  page.setDefaultTimeout(15_000);
  page.on('console', (message) => {
    // That nobody is signed in yet is asked, and answered by 401.
    if (message.type() === 'error' && !message.text().includes('401')) faults.push(message.text());
  });
  page.on('pageerror', (error) => faults.push(error.message));
});
after(async () => {
  await browser.close();
  await service.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Nothing on the page keeps people out, in either theme. */
async function expectAccessible(name: string): Promise<void> {
  for (const theme of ['light', 'dark']) {
    await page.evaluate(`document.documentElement.dataset.theme = '${theme}'`);
    await page.addScriptTag({ path: axe });
    const found = await page.evaluate('axe.run().then(({ violations }) => violations)');
    assert.deepEqual(found, [], `${name} in ${theme}`);
  }
}

const go = (path: string): Promise<unknown> => page.goto(`${service.url}${path}`);

test('the setup link makes the first administrator, and works once', async () => {
  await go('/');
  await page.getByText('This page needs the setup link.').waitFor();
  const token = await service.context.access.issueSetupToken();
  await page.goto('about:blank');
  await go(`/setup#${token}`);
  await expectAccessible('the setup');
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Make the administrator' }).click();
  await page.getByText('Live', { exact: true }).waitFor();
  assert.ok(!page.url().includes(token), 'the token stays in the address');
});

test('a folder is protected in one form, and its backup is watched live', async () => {
  await go('/plans/new');
  await page.getByLabel('Folder', { exact: true }).fill(join(folder, 'shop'));
  assert.equal(await page.getByLabel('Name', { exact: true }).inputValue(), 'shop');
  await page.getByRole('checkbox', { name: /this-machine/ }).check();
  await page.getByText('Only on this machine.').waitFor();
  await expectAccessible('the form of a plan');
  await page.getByRole('button', { name: 'Make the plan' }).click();
  await page.getByRole('heading', { level: 1, name: 'shop' }).waitFor();
  await page.getByRole('button', { name: 'Run now' }).click();
  // No reload: the state arrives by itself.
  await page.getByText('record what was made').waitFor();
  await page.locator('.page-head').getByText('Succeeded').waitFor();
  await expectAccessible('a job');
});

test('a snapshot is looked into, and a file comes out of it as it was', async () => {
  await go('/snapshots');
  await page.getByRole('link', { name: /shop/ }).first().click();
  for (const name of [...join(folder, 'shop').split('/').filter(Boolean), 'sub'])
    await page.getByRole('button', { name, exact: true }).click();
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('link', { name: 'Download order.txt' }).click(),
  ]);
  const stream = await download.createReadStream();
  const pieces: Buffer[] = [];
  for await (const piece of stream) pieces.push(piece as Buffer);
  assert.equal(Buffer.concat(pieces).toString(), 'forty-two');
  await expectAccessible('a snapshot');
});

test('a snapshot is restored into a new folder, and what is there is proven', async () => {
  const target = join(folder, 'restored');
  await page.getByRole('link', { name: 'Restore…' }).click();
  await page.getByLabel('Into').fill(target);
  await expectAccessible('the form of a restore');
  await page.getByRole('button', { name: 'Restore', exact: true }).click();
  await page.getByRole('heading', { level: 1, name: /restore/ }).waitFor();
  await page.locator('.page-head').getByText('Succeeded').waitFor();
  assert.equal(readFileSync(join(target, folder, 'shop/sub/order.txt'), 'utf8'), 'forty-two');
});

test('a drill proves a plan, and the plan says so', async () => {
  await go('/plans/shop');
  await page.getByRole('button', { name: 'Drill now' }).click();
  await page.getByRole('heading', { level: 1, name: /drill/ }).waitFor();
  await page.locator('.page-head').getByText('Succeeded').waitFor();
  await go('/snapshots');
  await page.getByRole('link', { name: /shop.*drilled/ }).waitFor();
});

for (const [path, heading] of [
  ['/', /attention|protected|backed up/],
  ['/sources', 'Sources'],
  ['/plans', 'Plans'],
  ['/snapshots', 'Snapshots'],
  ['/jobs', 'Jobs'],
  ['/storage', 'Storage'],
  ['/settings', 'Settings'],
] as const) {
  test(`${path} is open to everybody at every width`, async () => {
    await go(path);
    await page.getByRole('heading', { level: 1, name: heading }).waitFor();
    await page.locator('[aria-busy]').first().waitFor({ state: 'detached' });
    await expectAccessible(path);
    for (const width of [390, 820, 1920]) {
      await page.setViewportSize({ width, height: 900 });
      const overflow = await page.evaluate<number>('document.documentElement.scrollWidth - innerWidth');
      assert.ok(overflow <= 0, `${path} scrolls sideways by ${overflow} pixels at ${width}`);
    }
    await page.setViewportSize({ width: 1440, height: 900 });
  });
}

test('a wrong password is refused in words, and the right one lets in', async () => {
  await go('/settings');
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  await expectAccessible('the sign-in');
  await page.getByLabel('User name').fill('admin');
  await page.getByLabel('Password').fill('something else');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByText('The user name or the password is wrong.').waitFor();
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('heading', { level: 1, name: 'Settings' }).waitFor();
});

test('nothing went wrong on the way', () => {
  assert.deepEqual(faults, []);
});
