// Uploads that outlive their connections: from a page, and from a client of the tus protocol that
// knows nothing of this portal.

import { createHash, randomBytes } from 'node:crypto';
import fs from 'node:fs';

import type { Page } from '@playwright/test';
import * as tus from 'tus-js-client';

import type { Portal } from '../support/portal';
import { firmwareImage } from '../support/program';
import { signIn } from '../support/steps';
import { expect, test } from '../support/story';

const MIB = 1024 * 1024;
const PIECE = 8 * MIB;

interface Release {
  version: string;
  sha256: string;
}

async function newProject(portal: Portal): Promise<string> {
  const project = portal.unique('lamp');
  await portal.call('POST', '/api/v1/projects', { name: project });
  return project;
}

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

async function releases(portal: Portal, project: string): Promise<Release[]> {
  const page = await portal.call<{ items: Release[] }>('GET', `/api/v1/projects/${project}/releases`);
  return page.items;
}

test.describe('a client of the protocol', () => {
  const uploadOptions = async (portal: Portal, project: string) => ({
    endpoint: `${portal.url}/api/v1/projects/${project}/uploads`,
    headers: { authorization: `Bearer ${await portal.signInToken(portal.admin.email, portal.admin.password)}` },
    metadata: { version: '1.0.0', filename: 'lamp.bin' },
    retryDelays: [100, 200, 400, 800],
  });

  /** Uploads until it is done, or until so many bytes went out; answers where the upload is. */
  const upload = (bytes: Buffer, options: tus.UploadOptions, cutAfter = Infinity): Promise<string> =>
    new Promise((resolve, reject) => {
      const running = new tus.Upload(bytes, {
        ...options,
        onProgress: (sent) => {
          if (sent >= cutAfter) void running.abort().then(() => resolve(running.url!));
        },
        onError: reject,
        onSuccess: () => resolve(running.url!),
      });
      running.start();
    });

  test('brings an image over nine broken connections', async ({ portal }) => {
    const project = await newProject(portal);
    const options = await uploadOptions(portal, project);
    const bytes = randomBytes(3 * MIB);
    let uploadUrl: string | undefined;
    for (let tenth = 1; tenth < 10; tenth += 1) {
      uploadUrl = await upload(bytes, { ...options, uploadUrl }, (bytes.length * tenth) / 10);
    }
    await upload(bytes, { ...options, uploadUrl, chunkSize: 500_000 });
    expect(await releases(portal, project)).toMatchObject([{ version: '1.0.0', sha256: sha256(bytes) }]);
  });

  test('makes one release of twenty uploads at once', async ({ portal }) => {
    const project = await newProject(portal);
    const options = await uploadOptions(portal, project);
    const bytes = randomBytes(300_000);
    const all = Array.from({ length: 20 }, () => upload(bytes, { ...options, chunkSize: 100_000 }));
    await Promise.all(all);
    expect(await releases(portal, project)).toHaveLength(1);
  });

  test('is told when the bytes are not the promised ones', async ({ portal }) => {
    const project = await newProject(portal);
    const options = await uploadOptions(portal, project);
    const metadata = { ...options.metadata, sha256: sha256(Buffer.from('other bytes')) };
    const refused = await upload(randomBytes(1000), { ...options, metadata }).catch((error) => error);
    expect(refused.originalResponse.getStatus()).toBe(422);
    expect(JSON.parse(refused.originalResponse.getBody()).detail).toContain('SHA-256');
    expect(await releases(portal, project)).toEqual([]);
  });

  test('ends an upload', async ({ portal }) => {
    const project = await newProject(portal);
    const options = await uploadOptions(portal, project);
    const url = await upload(randomBytes(MIB), options, 1);
    await tus.Upload.terminate(url, options);
    const gone = await fetch(url, { method: 'HEAD', headers: { ...options.headers, 'tus-resumable': '1.0.0' } });
    expect(gone.status).toBe(404);
  });
});

test.describe('the page', () => {
  /** A file on the disk, so that its date stays the same. */
  const bigFile = (portal: Portal) => {
    const file = portal.path(portal.unique('big'));
    fs.writeFileSync(file, randomBytes(PIECE + MIB));
    return file;
  };

  const choose = async (page: Page, portal: Portal, project: string, file: string) => {
    await page.goto(`/admin/projects/${project}/upload`);
    await page.getByLabel('Version').fill('2.0.0');
    await page.getByLabel('Image').setInputFiles(file);
    await page.getByRole('button', { name: 'Upload' }).click();
  };

  /** The offsets of the pieces that the page sends from now on. */
  const watchPieces = (page: Page) => {
    const offsets: string[] = [];
    page.on('request', (request) => {
      if (request.method() === 'PATCH') offsets.push(request.headers()['upload-offset']);
    });
    return offsets;
  };

  test('goes on after a reload where it stopped', async ({ page, portal, troubles }) => {
    const [project, file] = [await newProject(portal), bigFile(portal)];
    troubles.foresee(/net::ERR_FAILED/);
    const offsets = watchPieces(page);
    await signIn(page, portal.admin);
    let second = () => {};
    const secondPiece = new Promise<void>((resolve) => (second = resolve));
    await page.route('**/uploads/*', async (route) => {
      const isSecond = route.request().headers()['upload-offset'] === String(PIECE);
      if (!isSecond) return route.continue();
      second();
      return route.abort();
    });
    await choose(page, portal, project, file);
    await secondPiece;
    await expect(page.getByRole('progressbar', { name: 'Upload' })).toBeVisible();
    await page.goto('about:blank');
    await page.unroute('**/uploads/*');
    expect(offsets.shift()).toBe('0');
    offsets.length = 0;
    await choose(page, portal, project, file);
    await expect(page).toHaveURL(/\/releases\/2\.0\.0$/);
    expect(offsets).toEqual([String(PIECE)]);
    expect(await releases(portal, project)).toMatchObject([{ sha256: sha256(fs.readFileSync(file)) }]);
  });

  test('tries again by itself when the connection breaks', async ({ page, portal, troubles }) => {
    const [project, file] = [await newProject(portal), bigFile(portal)];
    troubles.foresee(/net::ERR_FAILED/);
    await signIn(page, portal.admin);
    // It breaks until the page has said so, however slow this machine is.
    let breaks = true;
    await page.route('**/uploads/*', (route) => (breaks ? route.abort() : route.continue()));
    await choose(page, portal, project, file);
    await expect(page.getByText('Trying again')).toBeVisible();
    breaks = false;
    await expect(page).toHaveURL(/\/releases\/2\.0\.0$/, { timeout: 30_000 });
  });

  test('cancels, and the portal keeps nothing', async ({ page, portal }) => {
    const [project, file] = [await newProject(portal), bigFile(portal)];
    await signIn(page, portal.admin);
    await page.route('**/uploads/*', (route) => (route.request().method() === 'PATCH' ? undefined : route.continue()));
    // Before that the portal has not said where it goes, so there is nothing to end.
    const sends = page.waitForRequest((request) => request.method() === 'PATCH');
    await choose(page, portal, project, file);
    await sends;
    const ended = page.waitForResponse((answer) => answer.request().method() === 'DELETE');
    await page.getByRole('button', { name: 'Cancel the upload' }).click();
    expect((await ended).status()).toBe(204);
    await expect(page.getByText('The upload was cancelled. Nothing was kept.')).toBeVisible();
    await expect(page.getByRole('button', { name: 'Upload' })).toBeVisible();
  });

  test('proposes the version that the image says', async ({ page, portal }) => {
    const project = await newProject(portal);
    await signIn(page, portal.admin);
    await page.goto(`/admin/projects/${project}/upload`);
    await page.getByLabel('Image').setInputFiles(firmwareImage());
    await expect(page.getByLabel('Version')).toHaveValue('1.1.0');
    await page.getByLabel('Version').fill('1.2.0');
    await page.getByLabel('Image').setInputFiles(firmwareImage());
    await expect(page.getByLabel('Version')).toHaveValue('1.2.0');
  });
});
