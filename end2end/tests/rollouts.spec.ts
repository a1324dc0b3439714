// How an admin brings a release to devices, watches it and stops it.

import fs from 'node:fs';

import type { Page } from '@playwright/test';

import type { Portal } from '../support/portal';
import { firmwareImage } from '../support/program';
import { expectAccessible } from '../support/soundness';
import { confirm, navigate, section, signIn, submitSignIn } from '../support/steps';
import { expect, test } from '../support/story';

const VERSION = '1.1.0';
/** The keeper looks every few seconds. */
const KEEPER_MS = 30_000;

/** A project with one release; `settings` are those of the project. */
async function newRelease(portal: Portal, settings: object = {}): Promise<string> {
  const name = portal.unique('lamp');
  const project = `/api/v1/projects/${name}`;
  await portal.call('POST', '/api/v1/projects', { name, hardware: [] });
  await portal.call('PATCH', project, settings);
  await portal.call('PUT', `${project}/releases/${VERSION}`, fs.readFileSync(firmwareImage()));
  return name;
}

async function newPublished(portal: Portal): Promise<string> {
  const project = await newRelease(portal);
  await portal.call('POST', `/api/v1/projects/${project}/releases/${VERSION}/publish`);
  return project;
}

/** A device with its download token. */
async function newDevice(portal: Portal, project: string, device: object): Promise<{ id: string; token: string }> {
  const devices = `/api/v1/projects/${project}/devices`;
  const { device_id: id } = await portal.call<{ device_id: string }>('POST', devices, device);
  const { token } = await portal.call<{ token: string }>('POST', `${devices}/${id}/tokens`, { expires_minutes: 60 });
  return { id, token };
}

async function report(portal: Portal, token: string, state: string, detail = ''): Promise<void> {
  await portal.call('POST', '/api/v1/device/report', { version: VERSION, state, detail }, token);
}

const releasePage = (project: string) => `/admin/projects/${project}/releases/${VERSION}`;
const main = (page: Page) => page.getByRole('main');

async function expectSound(page: Page, name: string, javaScriptEnabled?: boolean): Promise<void> {
  if (javaScriptEnabled === false) return;
  await expectAccessible(page, { name, path: page.url(), heading: ['', ''] });
}

test('a newcomer follows the steps to a device that is up to date', async ({ page, portal, javaScriptEnabled }) => {
  const name = portal.unique('first');
  await signIn(page, portal.admin);
  await navigate(page, 'Projects');
  await page.getByLabel('Name in the URL').fill(name);
  await page.getByRole('button', { name: 'Add a project' }).click();
  const steps = section(page, 'First release, step by step');
  const next = steps.locator('[aria-current=step]');
  await expect(next).toContainText('Upload an image');
  await next.getByRole('link').click();
  await page.getByLabel('Image').setInputFiles(firmwareImage());
  if (javaScriptEnabled === false) {
    await page.getByLabel('Version').fill(VERSION);
  } else {
    await expect(page.getByLabel('Version'), 'the image says it').toHaveValue(VERSION);
  }
  await page.getByRole('button', { name: 'Upload' }).click();
  await expect(page).toHaveURL(/releases/);
  await page.goto(`/admin/projects/${name}`);
  await next.getByRole('button', { name: 'Publish' }).click();
  await expect(page.getByText('Published. Devices get it with their next check.')).toBeVisible();
  await page.goto(`/admin/projects/${name}`);
  await next.getByRole('link', { name: 'Add a device' }).click();
  await page.getByRole('button', { name: 'Add a device' }).click();
  await page.getByRole('button', { name: 'Make a download token' }).click();
  const lines = section(page, 'Connect a device');
  await lines.locator('summary', { hasText: 'Arduino, ESP32' }).click();
  await expect(lines.getByRole('region', { name: 'Arduino, ESP32' })).toContainText(`${portal.url}/ota/arduino/${name}?token=ey`);
  await expectSound(page, 'device with a token', javaScriptEnabled);

  const token = await page.getByRole('region', { name: 'Download token', exact: true }).first().innerText();
  await report(portal, token, 'succeeded');
  await page.goto(`/admin/projects/${name}`);
  await expect(steps, 'nothing is left to explain').toHaveCount(0);
  await expect(section(page, 'Versions in the field')).toContainText('1 / 1');
});

test('an admin steers who gets a release and when', async ({ page, portal, javaScriptEnabled }) => {
  const project = await newPublished(portal);
  await newDevice(portal, project, { name: 'Hall', group: 'canary' });
  await signIn(page, portal.admin);
  await page.goto(releasePage(project));
  const rollout = section(page, 'Rollout');

  await test.step('one click narrows it', async () => {
    await expect(rollout).toContainText('100 % of the devices may have it.');
    await rollout.getByRole('button', { name: '10 %', exact: true }).click();
    await expect(rollout).toContainText('10 % of the devices may have it.');
    await expect(rollout.getByRole('button', { name: '10 %', exact: true })).toHaveAttribute('aria-pressed', 'true');
  });

  await test.step('a plan that makes no sense comes back with its field', async () => {
    await rollout.locator('summary', { hasText: 'Change the plan' }).click();
    await expect(rollout).toContainText('canary (1)');
    await rollout.getByLabel('Groups that come first').fill('canary');
    await rollout.getByLabel('Begin only from, in UTC').selectOption('22:00');
    await rollout.getByRole('button', { name: 'Save the plan' }).click();
    await expect(rollout).toContainText('Choose two different hours');
    await expectSound(page, 'refused plan', javaScriptEnabled);
  });

  await test.step('what was typed is still there, and the rest is added', async () => {
    await expect(rollout.getByLabel('Groups that come first')).toHaveValue('canary');
    await rollout.getByLabel('until, in UTC').selectOption('06:00');
    await rollout.getByRole('button', { name: 'Save the plan' }).click();
    await expect(page.getByText('Saved.')).toBeVisible();
    await expect(rollout).toContainText('The group canary has its turn, 1 of 1');
    await expect(rollout).toContainText('10 % of the devices outside the groups may have it.');
    await expect(rollout).toContainText('Devices begin only from 22:00 to 06:00 UTC.');
  });

  await test.step('pauses it, and resumes it', async () => {
    await confirm(rollout, 'Pause');
    await expect(rollout.getByText('No further device begins; what is under way goes on.')).toBeVisible();
    await rollout.getByRole('button', { name: 'Resume' }).click();
    await expect(page.getByText('The rollout goes on.')).toBeVisible();
    await expect(rollout, 'the plan stayed').toContainText('from 22:00 to 06:00 UTC');
  });

  await test.step('keeps it from most devices', async () => {
    const rules = section(page, 'Who may get it at all');
    await rules.getByLabel('Channel').selectOption({ label: 'beta: only devices on this channel' });
    await rules.getByLabel('Least version a device must run').fill('not one');
    await rules.getByRole('button', { name: 'Save changes' }).click();
    await expect(rules).toContainText('A version looks like 1.4.0');
    await rules.getByLabel('Least version a device must run').fill('1.0.0');
    await rules.getByRole('button', { name: 'Save changes' }).click();
    await expect(page.getByText('Saved.')).toBeVisible();
    await expect(rules.getByLabel('Channel')).toHaveValue('beta');
    await expect(rules.getByLabel('Least version a device must run')).toHaveValue('1.0.0');
  });
});

test('a rollout that fails too often halts, says why, and goes on when told', async ({ page, portal, javaScriptEnabled }) => {
  test.setTimeout(120_000);
  const project = await newPublished(portal);
  // Weighed against five devices at least, two failures are not too many and three are.
  const plan = { percent: 100, error_threshold_percent: 50 };
  await portal.call('PUT', `/api/v1/projects/${project}/releases/${VERSION}/rollout`, plan);
  const fine = await newDevice(portal, project, { name: 'Garden' });
  await report(portal, fine.token, 'installing');
  await report(portal, fine.token, 'succeeded');
  for (const name of ['Hall', 'Cellar', 'Roof']) {
    const device = await newDevice(portal, project, { name });
    await report(portal, device.token, 'failed', `no room on ${name}`);
  }
  await signIn(page, portal.admin);
  const rollout = section(page, 'Rollout');
  const halted = rollout.getByRole('alert');
  await expect(async () => {
    await page.goto(releasePage(project));
    await expect(halted).toBeVisible({ timeout: 1_000 });
  }).toPass({ timeout: KEEPER_MS });
  await expect(halted).toContainText('Halted by itself');
  await expect(halted).toContainText('3 of 4 devices failed');
  await expect(rollout).toContainText('1 of 4 devices have it');
  await expect(rollout.getByRole('img')).toHaveAttribute('aria-label', /at most 4 at once/);
  await expectSound(page, 'halted rollout', javaScriptEnabled);

  const devices = section(page, 'Devices of this rollout');
  await devices.getByRole('link', { name: 'Failed (3)' }).click();
  await expect(devices.getByRole('row')).toHaveCount(4);
  await expect(devices).toContainText('no room on Cellar');
  await expect(devices).not.toContainText('Garden');

  await rollout.getByRole('button', { name: 'Let it go on' }).click();
  await expect(page.getByText('The rollout goes on.')).toBeVisible();
  await expect(halted).toHaveCount(0);
});

test('the figures change without a reload', async ({ page, portal, javaScriptEnabled }) => {
  test.skip(javaScriptEnabled === false, 'without scripts the next load shows it');
  const project = await newPublished(portal);
  const device = await newDevice(portal, project, { name: 'Hall' });
  await page.clock.install();
  await signIn(page, portal.admin);
  await page.goto(releasePage(project));
  await expect(main(page).getByText('No device was offered it yet')).toBeVisible();
  await report(portal, device.token, 'installing');
  await page.clock.fastForward('00:16');
  await expect(page.getByRole('list', { name: 'Devices by state now' })).toContainText('Installing1');
  await report(portal, device.token, 'succeeded');
  await page.clock.fastForward('00:16');
  await expect(section(page, 'Rollout')).toContainText('1 of 1 devices have it');
});

test('two admins publish together where the project wants that', async ({ page, portal, anotherBrowser, javaScriptEnabled }) => {
  const project = await newRelease(portal);
  const second = { email: `${portal.unique('second')}@example.test`, password: 'a small lantern hangs by the gate' };
  await portal.call('POST', '/api/v1/users', { ...second, role: 'admin' });
  await signIn(page, portal.admin);

  await page.goto(`/admin/projects/${project}`);
  const delivery = section(page, 'Delivery');
  await delivery.getByLabel('Two people publish').check();
  await delivery.getByLabel('Room for its images, in MiB').fill('64');
  await delivery.getByRole('button', { name: 'Save changes' }).click();
  await expect(page.getByText('Saved.')).toBeVisible();

  await page.goto(releasePage(project));
  const offer = section(page, 'Offer to devices');
  await offer.getByRole('button', { name: 'Ask to publish it' }).click();
  await expect(page.getByText('Another admin has to agree before devices see it.')).toBeVisible();
  await expect(offer).toContainText('You asked yourself');
  await expect(offer.getByRole('button', { name: 'Agree and publish' })).toHaveCount(0);
  await expectSound(page, 'a release that waits', javaScriptEnabled);

  const theirs = await anotherBrowser();
  await theirs.goto(releasePage(project));
  await submitSignIn(theirs, second);
  await expect(section(theirs, 'Offer to devices')).toContainText(`${portal.admin.email} asked to publish it`);
  await section(theirs, 'Offer to devices').getByRole('button', { name: 'Agree and publish' }).click();
  await expect(theirs.getByText('Published. Devices get it with their next check.')).toBeVisible();
  await expect(main(theirs)).toContainText(second.email);
});

test('an update is stopped on its way and tried again', async ({ page, portal, javaScriptEnabled }) => {
  const project = await newPublished(portal);
  const device = await newDevice(portal, project, { name: 'Hall', controller_id: 'hall-7' });
  await report(portal, device.token, 'downloading', 'half of it');
  await signIn(page, portal.admin);
  await page.goto(`/admin/projects/${project}/devices/${device.id}`);
  const update = section(page, 'Its update');
  const timeline = section(page, 'Timeline');
  await expect(update).toContainText('Downloading');
  await expect(timeline).toContainText('half of it');
  await expect(main(page)).toContainText('hall-7');
  await expectSound(page, 'device on its way', javaScriptEnabled);

  await confirm(update, 'Stop this update');
  await expect(update).toContainText('Stopping');
  await report(portal, device.token, 'failed', 'stopped as told');
  await page.reload();
  await expect(update).toContainText(/Cancelled|Failed/);
  await update.getByRole('button', { name: 'Try again now' }).click();
  await expect(page.getByText('The device is offered the release again with its next check.')).toBeVisible();
  await expect(update).toContainText('It tries again with its next check.');
  await portal.call('GET', '/api/v1/device/update?current_fw=1.0.0', undefined, device.token);
  await expect(async () => {
    await page.reload();
    await expect(update, 'what devices ask is written in batches').toContainText('Offered', { timeout: 1_000 });
  }).toPass({ timeout: KEEPER_MS });
  await expect(timeline).toContainText('stopped as told');
});

test('a gateway token is shown once, replaced and ended', async ({ page, portal, javaScriptEnabled }) => {
  const project = await newRelease(portal);
  await signIn(page, portal.admin);
  await page.goto(`/admin/projects/${project}`);
  await page.getByRole('button', { name: 'Make a gateway token' }).click();
  const secret = page.getByRole('region', { name: 'Gateway token', exact: true });
  const first = await secret.innerText();
  expect(first).toMatch(/^[0-9a-f]{32}$/);
  expect(page.url(), 'no secret in the URL').not.toContain(first);
  await expectSound(page, 'fresh gateway token', javaScriptEnabled);
  await page.reload();
  await expect(page.getByText('This token was shown already')).toBeVisible();
  await confirm(main(page), 'Replace the gateway token');
  expect(await secret.innerText()).not.toBe(first);
  await confirm(main(page), 'End the gateway token');
  await expect(page.getByText('The token is revoked.')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Make a gateway token' })).toBeVisible();
});
