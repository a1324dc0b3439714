import fs from 'node:fs';
import path from 'node:path';

import type { Page } from '@playwright/test';

import { binaries, firmwareImage, run } from '../support/program';
import { choose, confirm, navigate, section, signIn } from '../support/steps';
import { expect, test } from '../support/story';

test('an admin makes a service behind a new router and an owner opens it', async ({ page, portal, anotherBrowser }) => {
  const owner = await portal.newOwner();
  const daemon = await portal.newDaemon();
  const [router, service] = [portal.unique('Router'), portal.unique('Door camera')];
  await signIn(page, portal.admin);

  await test.step('adds the router and tests it', async () => {
    await navigate(page, 'Routers');
    await page.getByRole('link', { name: 'Add a router' }).click();
    await page.getByLabel('Name', { exact: true }).fill(router);
    await page.getByLabel('Address of the daemon').fill(daemon.address);
    await page.getByLabel('Certificate pin (SHA-256)').fill(daemon.keys.cert_sha256);
    await page.getByLabel('API key').fill(daemon.keys.api_key);
    await page.getByLabel('AES key').fill(daemon.keys.aes_key);
    await page.getByRole('button', { name: 'Create' }).click();
    await expect(page.getByRole('heading', { level: 1 })).toHaveText(`Router ${router}`);
    await page.getByRole('link', { name: 'Test the connection' }).click();
    await expect(page.getByText('The daemon answered with the pinned certificate')).toBeVisible();
  });

  await test.step('adds the service and grants it', async () => {
    await navigate(page, 'Manage services');
    await page.getByRole('link', { name: 'Add a service' }).first().click();
    await page.getByLabel('Name', { exact: true }).fill(service);
    await page.getByLabel('Router').selectOption({ label: router });
    await page.getByLabel('Address in the LAN').fill('192.168.50.20');
    await page.getByLabel('Port in the LAN').fill('80');
    await page.getByLabel('Public port').fill('18081');
    await page.getByRole('button', { name: 'Create' }).click();
    await expect(page.getByRole('heading', { level: 1 })).toHaveText(`Service ${service}`);
    await page.getByLabel(owner.email).check();
    await page.getByRole('button', { name: 'Save who may open it' }).click();
    await expect(page.getByText('Saved.')).toBeVisible();
    await expect(page.getByLabel(owner.email)).toBeChecked();
  });

  await test.step('the owner opens it', async () => {
    const theirs = await anotherBrowser();
    await signIn(theirs, owner);
    const offer = section(theirs, 'Your services').getByRole('article').filter({ hasText: service });
    await choose(offer, '15 min');
    await offer.getByRole('button', { name: 'Open', exact: true }).click();
    await expect(section(theirs, 'Open now').getByRole('timer')).toHaveText(/^1[45]:\d\d left$/);
    expect(await daemon.sessions()).toContain('18081/tcp');
  });
});

test('an admin publishes an image and a device installs exactly these bytes', async ({ page, portal, javaScriptEnabled }) => {
  const project = portal.unique('lamp');
  const installed = portal.path(`${project}.bin`);
  const releasePage = `/admin/projects/${project}/releases/1.1.0`;
  await signIn(page, portal.admin);

  await test.step('makes a project', async () => {
    await navigate(page, 'Projects');
    await page.getByLabel('Name in the URL').fill(project);
    await page.getByLabel('Hardware').fill('esp32s3');
    await page.getByRole('button', { name: 'Add a project' }).click();
    await expect(page.getByRole('heading', { level: 1 })).toHaveText(project);
  });

  await test.step('uploads the image', async () => {
    await section(page, 'First release, step by step').getByRole('link', { name: 'Upload an image' }).click();
    await page.getByLabel('Version').fill('1.1.0');
    await page.getByLabel('Image').setInputFiles(firmwareImage());
    await (javaScriptEnabled === false ? uploadByForm(page) : uploadWithProgress(page));
    await expect(page).toHaveURL(new RegExp(`${releasePage}(\\?|$)`));
    await expect(page.getByRole('main').locator('.badge').first()).toHaveText('Draft');
  });

  await test.step('publishes it', async () => {
    await page.getByRole('button', { name: 'Publish' }).click();
    await expect(page.getByText('Published. Devices get it with their next check.')).toBeVisible();
  });

  const targetToken = await test.step('registers a device and sees its target token once', async () => {
    await page.goto(`/admin/projects/${project}/devices`);
    await page.getByLabel('Name', { exact: false }).first().fill('Lamp in the hall');
    await page.getByRole('button', { name: 'Add a device' }).click();
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('Device Lamp in the hall');
    return shownOnce(page, 'Target token');
  });
  expect(targetToken).not.toBe('');
  const devicePage = new URL(page.url()).pathname;

  const token = await test.step('makes a download token and sees it once', async () => {
    await page.getByLabel('Valid for, in minutes').fill('60');
    await page.getByRole('button', { name: 'Make a download token' }).click();
    return shownOnce(page, 'Download token');
  });
  const tokenFile = portal.path(`${project}.token`);
  fs.writeFileSync(tokenFile, token, { mode: 0o600 });

  await test.step('the device updates itself', async () => {
    const device = ['--url', portal.url, '--token-file', tokenFile, '--current-fw', '1.0.0'];
    expect(await run(binaries.device, ['update', ...device, '--file', installed])).toContain('installed 1.1.0');
    expect(fs.readFileSync(installed).equals(fs.readFileSync(firmwareImage()))).toBe(true);
  });

  await test.step('the admin sees what it runs and said', async () => {
    await page.goto(devicePage);
    await expect(section(page, 'Its update')).toContainText('1.0.0 → 1.1.0');
    await expect(section(page, 'Timeline').getByRole('row').nth(1)).toContainText('1.1.0');
    await expect(section(page, 'Timeline').getByRole('row').nth(1)).toContainText('Up to date');
    await page.goto(`/admin/projects/${project}`);
    await expect(section(page, 'Versions in the field')).toContainText('1.1.0');
  });

  const ask = async (path: string, shown = token) => {
    const answer = await fetch(portal.url + path, { headers: { authorization: `Bearer ${shown}` } });
    return answer.status;
  };
  // To the portal the first device would have rolled back, if it said now that it runs 1.0.0.
  const devices = `/api/v1/projects/${project}/devices`;
  const second = await portal.call<{ device_id: string }>('POST', devices, {});
  const { token: secondToken } = await portal.call<{ token: string }>('POST', `${devices}/${second.device_id}/tokens`, {});
  const check = '/api/v1/device/update?current_fw=1.0.0';
  await test.step('withdraws it, and devices are no longer offered it', async () => {
    expect(await ask(check, secondToken)).toBe(200);
    await page.goto(releasePage);
    await confirm(section(page, 'Offer to devices'), 'Withdraw');
    await expect(page.getByText('Withdrawn. Devices are no longer offered it.')).toBeVisible();
    expect(await ask(check, secondToken)).toBe(204);
    expect(await ask(`/firmware/${project}/${path.basename(firmwareImage())}`)).toBe(404);
  });

  await test.step('revokes the token, and it is refused within a second', async () => {
    await page.goto(devicePage);
    await confirm(section(page, 'Download tokens'), 'Revoke');
    await expect(page.getByText('The token is revoked.')).toBeVisible();
    await expect.poll(() => ask(check), { timeout: 1_000 }).toBe(401);
  });
});

test('other bytes for a version that exists are refused in a sentence', async ({ page, portal, troubles }) => {
  const project = portal.unique('lamp');
  await portal.call('POST', '/api/v1/projects', { name: project, hardware: [] });
  await portal.call('PUT', `/api/v1/projects/${project}/releases/1.1.0`, fs.readFileSync(firmwareImage()));
  troubles.foresee(/status of 409/);
  await signIn(page, portal.admin);
  await page.goto(`/admin/projects/${project}/upload`);
  await page.getByLabel('Version').fill('1.1.0');
  const other = fs.readFileSync(firmwareImage());
  other[other.length - 100] ^= 1;
  await page.getByLabel('Image').setInputFiles({ name: 'other.bin', mimeType: 'application/octet-stream', buffer: other });
  await page.getByRole('button', { name: 'Upload' }).click();
  const alert = page.getByRole('main').getByRole('alert').filter({ visible: true });
  await expect(alert).toContainText('other bytes');
});

/** Reads a secret from the page, and sees that a second look no longer shows it. */
async function shownOnce(page: Page, label: string): Promise<string> {
  await expect(page.getByText('This is shown once.')).toBeVisible();
  const secret = await page.getByRole('region', { name: label, exact: true }).first().innerText();
  expect(page.url(), 'no secret in the URL').not.toContain(secret);
  await page.reload();
  await expect(page.getByText('This token was shown already')).toBeVisible();
  expect(await page.content()).not.toContain(secret);
  return secret;
}

async function uploadByForm(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Upload' }).click();
  await expect(page.getByText('The image arrived whole and is kept as a draft.')).toBeVisible();
}

/** Holds the bytes back for a moment, so that the progress can be seen whatever the machine's speed. */
async function uploadWithProgress(page: Page): Promise<void> {
  let release = () => {};
  const held = new Promise<void>((resolve) => (release = resolve));
  await page.route('**/api/v1/projects/*/uploads', async (route) => {
    await held;
    await route.continue();
  });
  await page.getByRole('button', { name: 'Upload' }).click();
  await expect(page.getByRole('progressbar', { name: 'Upload' })).toBeVisible();
  await expect(page.getByRole('button', { name: 'Cancel the upload' })).toBeVisible();
  release();
}
