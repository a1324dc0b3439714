// Two signatures or no install: what admins see of keys and co-signer, and what a careful device does.

import fs from 'node:fs';
import path from 'node:path';

import type { Page, TestInfo } from '@playwright/test';

import { CoSigner } from '../support/cosigner';
import type { Portal } from '../support/portal';
import { binaries, firmwareImage, run } from '../support/program';
import { expectAccessible, expectNothingSticksOut, photograph, takeTheme, THEMES } from '../support/soundness';
import { confirm, section, signIn } from '../support/steps';
import { expect, test } from '../support/story';

const VERSION = '1.1.0';
const MANIFEST = '/api/v1/device/manifest?current_fw=1.0.0';
const WEAKER = 'Weaker than a second host';

interface Lamp {
  project: string;
  keysPage: string;
  releasePage: string;
}

/** A project with a published release. */
async function newLamp(portal: Portal): Promise<Lamp> {
  const project = portal.unique('signed-lamp');
  const api = `/api/v1/projects/${project}`;
  await portal.call('POST', '/api/v1/projects', { name: project, title: 'Signed lamp', hardware: [] });
  await portal.call('PUT', `${api}/releases/${VERSION}`, fs.readFileSync(firmwareImage()));
  await portal.call('POST', `${api}/releases/${VERSION}/publish`);
  const page = `/admin/projects/${project}`;
  return { project, keysPage: `${page}/keys`, releasePage: `${page}/releases/${VERSION}` };
}

/** The download token of one more device. */
async function newDevice(portal: Portal, { project }: Lamp): Promise<string> {
  const devices = `/api/v1/projects/${project}/devices`;
  const { device_id } = await portal.call<{ device_id: string }>('POST', devices, {});
  return (await portal.call<{ token: string }>('POST', `${devices}/${device_id}/tokens`, {})).token;
}

/** Lets a new device update itself with the bundle that somebody gave it. */
async function updateWith(bundle: string, portal: Portal, lamp: Lamp): Promise<string> {
  const token = await newDevice(portal, lamp);
  const own = path.join(path.dirname(bundle), portal.unique('device'));
  fs.writeFileSync(`${own}.token`, token);
  const asks = ['--url', portal.url, '--token-file', `${own}.token`, '--current-fw', '1.0.0'];
  return run(binaries.device, ['update', ...asks, '--file', `${own}.bin`, '--keys', bundle]);
}

/** Downloads the bundle as the page offers it. */
async function downloadBundle(page: Page, file: string): Promise<string> {
  const arriving = page.waitForEvent('download');
  await section(page, 'For the device').getByRole('link', { name: 'Download as JSON', exact: true }).click();
  const download = await arriving;
  await download.saveAs(file);
  return download.suggestedFilename();
}

/** axe, width and a photograph in both themes. */
async function expectSound(page: Page, name: string, portalUrl: string, info: TestInfo, javaScriptEnabled?: boolean): Promise<void> {
  for (const theme of THEMES) {
    await takeTheme(page, theme, portalUrl);
    await page.reload();
    const stop = { name, path: page.url(), heading: ['', ''] as [string, string] };
    await photograph(page, info, theme, stop);
    await expectNothingSticksOut(page, stop);
    if (javaScriptEnabled !== false) await expectAccessible(page, stop);
  }
}

test('an admin brings the keys to a device and replaces one', async ({ page, portal, javaScriptEnabled }, info) => {
  test.setTimeout(120_000);
  const lamp = await newLamp(portal);
  const [first, second] = [info.outputPath('first.json'), info.outputPath('second.json')];
  await signIn(page, portal.admin);
  const replacing = section(page, "Replace the project's key");
  const keys = section(page, 'Both keys');

  await test.step('the page says which keys sign, and that one host holds both', async () => {
    await page.goto(`/admin/projects/${lamp.project}`);
    await page.getByRole('main').getByRole('link', { name: 'Keys', exact: true }).click();
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('Keys of Signed lamp');
    await expect(keys.getByRole('row')).toHaveCount(3);
    await expect(keys.getByText('Signs', { exact: true })).toHaveCount(2);
    await expect(section(page, 'Co-signer')).toContainText(WEAKER);
    await expectSound(page, 'keys-in-process', portal.url, info, javaScriptEnabled);
  });

  await test.step('a device with the bundle installs what both signed', async () => {
    expect(await downloadBundle(page, first)).toBe('gatehouse_keys.json');
    expect(await updateWith(first, portal, lamp)).toContain(`installed ${VERSION}`);
    await page.goto(lamp.releasePage);
    const checks = section(page, 'What a device checks');
    await expect(checks).toContainText('Signed');
    await expect(checks).toContainText('Release counter1');
    await expect(checks).toContainText(`${fs.statSync(firmwareImage()).size} bytes`);
    await expect(page.getByRole('main')).toContainText(portal.admin.email);
    await expectSound(page, 'release-signed', portal.url, info, javaScriptEnabled);
    await checks.getByRole('link', { name: 'Keys and co-signer of Signed lamp' }).click();
  });

  await test.step('a second key ends nothing yet', async () => {
    await confirm(replacing, 'Make a second key');
    await expect(page.getByText('A second key stands. Bring')).toHaveCount(2);
    await expect(keys.getByText('Takes over next')).toBeVisible();
    await downloadBundle(page, second);
    expect(await updateWith(first, portal, lamp)).toContain(`installed ${VERSION}`);
    await expectSound(page, 'keys-replacing', portal.url, info, javaScriptEnabled);
  });

  await test.step('ending the old key is final for who has only that', async () => {
    await confirm(replacing, 'End the old key');
    await expect(page.getByText('The old key is ended.')).toBeVisible();
    await expect(keys.getByText('Takes over next')).toHaveCount(0);
    await expect(updateWith(first, portal, lamp)).rejects.toThrow(/the project's key was replaced/);
    expect(await updateWith(second, portal, lamp)).toContain(`installed ${VERSION}`);
  });
});

test('a co-signer on another host has the last word', async ({ page, portalWith, javaScriptEnabled }, info) => {
  test.setTimeout(120_000);
  fs.mkdirSync(info.outputPath('host'));
  const host = await CoSigner.start(info.outputPath('host', 'folder'));
  const portal = await portalWith(`[cosigner]\nurl = "${host.url}"\n`);
  const lamp = await newLamp(portal);
  const token = await newDevice(portal, lamp);
  const manifest = () => portal.call<object>('GET', MANIFEST, undefined, token);
  const cosigner = section(page, 'Co-signer');
  const checks = section(page, 'What a device checks');
  const seeKeys = () => page.goto(portal.url + lamp.keysPage);
  const seeRelease = () => page.goto(portal.url + lamp.releasePage);
  await signIn(page, portal.admin, portal.url);

  await test.step('a portal that nobody made known is told how', async () => {
    await seeKeys();
    await expect(cosigner).toContainText('Refuses this portal');
    await expect(page.getByText('The bundle is not complete yet')).toBeVisible();
    await expectSound(page, 'keys-refused', portal.url, info, javaScriptEnabled);
    const known = section(page, 'Make this portal known');
    await host.trust(await known.getByRole('region', { name: 'Identity key of this portal' }).innerText());
    await seeKeys();
    await expect(cosigner).toContainText(`As a service at ${host.url}`);
    await expect(cosigner).toContainText('Answers');
    await expect(cosigner).not.toContainText(WEAKER);
  });

  await test.step('a new release waits for a second person', async () => {
    await expect(manifest()).rejects.toThrow(/503.*awaits_approval/s);
    await seeRelease();
    await expect(checks).toContainText('Waits for approval');
    await expectSound(page, 'release-awaits', portal.url, info, javaScriptEnabled);
    const { project_id } = await portal.call<{ project_id: string }>('GET', `/api/v1/projects/${lamp.project}/keys`);
    await expect(checks).toContainText(`approve ${project_id} 1 --as NAME`);
    await host.approve(project_id, 1);
    await manifest();
    await seeRelease();
    await expect(checks).toContainText('Signed');
  });

  await test.step('a revoked portal says so where the release is', async () => {
    await seeKeys();
    const serverId = await cosigner.locator('code').last().innerText();
    await host.command('revoke', serverId);
    await expect(manifest()).rejects.toThrow(/503.*revoked/s);
    await seeRelease();
    await expect(checks).toContainText('Portal revoked');
    await expectSound(page, 'release-revoked', portal.url, info, javaScriptEnabled);
  });

  await test.step('a co-signer that is down is named with since when', async () => {
    await host.stop();
    await seeKeys();
    await expect(cosigner).toContainText(/Unreachable since \d{4}-\d\d-\d\d \d\d:\d\d UTC/);
    await expect(cosigner.getByRole('alert')).toContainText('No device gets a new release');
    await expectSound(page, 'keys-unreachable', portal.url, info, javaScriptEnabled);
  });
});
