import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const ROOT = path.dirname(path.dirname(path.dirname(fileURLToPath(import.meta.url))));
const BROWSERS = [
  process.env.CHROMIUM,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];
const BROWSER = BROWSERS.find((file) => file !== undefined && existsSync(file));
/** A sandboxed or fresh browser that talks to nobody but us. */
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

function start(args: readonly string[]): ChildProcess & { printed: () => string } {
  const child = spawn(
    process.execPath,
    ['--conditions=source', '--disable-warning=ExperimentalWarning', 'examples/bookinfo/start.ts', ...args],
    { cwd: ROOT },
  );
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk;
  });
  child.stderr.on('data', (chunk: Buffer) => {
    text += chunk;
  });
  return Object.assign(child, { printed: () => text });
}

const exited = (child: ChildProcess): Promise<number | null> =>
  new Promise((resolve) => {
    child.once('exit', resolve);
  });

async function until<T>(what: string, look: () => T | undefined | Promise<T | undefined>): Promise<T> {
  for (let turn = 0; turn < 1_200; turn++) {
    const found = await look();
    if (found !== undefined) return found;
    await sleep(50);
  }
  throw new Error(`waited in vain for ${what}`);
}

describe('npm start -- --scenario', () => {
  it('an unknown scenario exits with 2 and lists those that there are', async () => {
    const child = start(['--scenario', 'v9', '--once']);
    expect(await exited(child)).toBe(2);
    expect(child.printed()).toContain('v1-v2-90-10');
  });

  it('ends with one JSON object that says how the requests were shared out', async () => {
    const child = start(['--scenario', 'v1-v2-80-20', '--requests', '200', '--once']);
    expect(await exited(child), child.printed()).toBe(0);
    const last = JSON.parse(child.printed().trim().split('\n').at(-1) ?? '');
    expect(last).toMatchObject({ scenario: 'v1-v2-80-20', requests: 200, failures: 0, within: true });
    expect(last.distribution.v1 + last.distribution.v2).toBe(200);
  }, 120_000);

  it('ratings are asked for by gRPC too, steered by the same VirtualService, each call by mutual TLS', async () => {
    const child = start(['--scenario', 'http-and-grpc', '--requests', '200', '--once']);
    expect(await exited(child), child.printed()).toBe(0);
    const last = JSON.parse(child.printed().trim().split('\n').at(-1) ?? '');
    // Of two pages one is jason's, whose ratings the mesh refuses.
    expect(last).toMatchObject({ failures: 0, within: true, mutualTls: { calls: 500, of: 500 } });
  }, 120_000);
});

describe.skipIf(BROWSER === undefined)(
  `Bookinfo in a browser${BROWSER === undefined ? ' (skipped: no Chromium found; CHROMIUM names one)' : ''}`,
  () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'bookinfo-browser-'));
    let bookinfo: ReturnType<typeof start>;
    let browser: Browser;
    let page: Page;
    let url: string;

    beforeAll(async () => {
      cpSync(path.join(ROOT, 'examples/bookinfo/mesh'), folder, { recursive: true });
      bookinfo = start(['--config', folder, '--traffic', '20']);
      url = await until('the URL', () => /http:\S+\/productpage/.exec(bookinfo.printed())?.[0]);
      browser = await chromium.launch({ ...(BROWSER === undefined ? {} : { executablePath: BROWSER }), args: FLAGS });
      page = await browser.newPage();
    }, 120_000);

    afterAll(async () => {
      await browser?.close();
      const gone = exited(bookinfo);
      bookinfo.kill('SIGTERM');
      await gone;
      rmSync(folder, { recursive: true, force: true });
    });

    it('shows the book, its details and its reviews', async () => {
      await page.goto(url);
      expect(await page.textContent('h1')).toBe('The Comedy of Errors');
      expect(await page.textContent('#details')).toContain('William Shakespeare');
      expect(await page.locator('#reviews blockquote').count()).toBe(2);
    });

    it('signed in as jason one gets v2: black stars', async () => {
      await page.goto(url);
      await page.fill('input[name=username]', 'jason');
      await page.click('button');
      await page.waitForSelector('#user');
      expect(await page.getAttribute('body', 'data-reviews')).toBe('v2');
      expect(await page.locator('.stars.black').count()).toBe(2);
      if (process.env.BOOKINFO_SCREENSHOT)
        await page.screenshot({ path: process.env.BOOKINFO_SCREENSHOT, fullPage: true });
    });

    it('an edit of the YAML changes the page and the table of who calls whom within a second or so', async () => {
      const file = path.join(folder, 'reviews.yaml');
      const fresh = path.join(folder, '.reviews.tmp');
      writeFileSync(
        fresh,
        readFileSync(file, 'utf8')
          .replaceAll('subset: v2', 'subset: v3')
          .replace('weight: 50', 'weight: 0')
          .replace('weight: 50', 'weight: 100'),
      );
      renameSync(fresh, file);
      await until('v3 on the page', async () => {
        await page.goto(url);
        return (await page.getAttribute('body', 'data-reviews')) === 'v3' ? true : undefined;
      });
      expect(await page.locator('.stars.red').count()).toBe(2);
      await until('the table', () => (/reviews v3\s+\S+\s+100 %/.test(bookinfo.printed()) ? true : undefined));
    }, 30_000);
  },
);
