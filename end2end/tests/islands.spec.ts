import { confirm, section, signIn } from '../support/steps';
import { expect, test } from '../support/story';

test('the countdown counts by itself', async ({ page, portal }) => {
  const owner = await portal.newOwner();
  await portal.newService(owner);
  await signIn(page, owner);
  await page.getByRole('button', { name: 'Open', exact: true }).click();
  const timer = section(page, 'Open now').getByRole('timer');
  const served = await timer.textContent();
  await expect(timer, 'no page was loaded in between').not.toHaveText(served!, { timeout: 5_000 });
});

test('what is opened and closed elsewhere shows without a reload', async ({ page, portal, anotherBrowser }) => {
  const owner = await portal.newOwner();
  await portal.newService(owner);
  const listens = page.waitForRequest(/\/api\/v1\/events/);
  await signIn(page, owner);
  await listens;
  await page.evaluate(() => Object.assign(window, { wasNotLoadedAgain: true }));
  const elsewhere = await anotherBrowser();
  await signIn(elsewhere, owner);
  await elsewhere.getByRole('button', { name: 'Open', exact: true }).click();

  const tile = section(page, 'Open now').getByRole('article');
  const timer = tile.getByRole('timer');
  await expect(timer).toHaveText(/left$/);
  const served = await timer.textContent();
  await expect(timer, 'the new countdown counts').not.toHaveText(served!, { timeout: 5_000 });
  await confirm(section(elsewhere, 'Open now').getByRole('article'), 'Close');
  await expect(tile).toHaveCount(0);
  expect(await page.evaluate(() => 'wasNotLoadedAgain' in window)).toBe(true);
});

test('a countdown that reaches its end says so and leads on', async ({ page, portal }) => {
  const owner = await portal.newOwner();
  await portal.newService(owner);
  await page.clock.install();
  await signIn(page, owner);
  await page.getByRole('button', { name: 'Open', exact: true }).click();
  const tile = section(page, 'Open now').getByRole('article');
  await expect(tile.getByRole('timer')).toHaveText(/left$/);
  await page.clock.fastForward('31:00');
  await expect(tile.getByRole('timer')).toHaveText('Ended');
  await expect(tile.getByRole('link', { name: 'Reload to see the state' })).toBeVisible();
});

test('the sign-in page asks for no script and no wasm', async ({ page }) => {
  const asked: string[] = [];
  page.on('request', (request) => asked.push(`${request.resourceType()} ${new URL(request.url()).pathname}`));
  await page.goto('/login', { waitUntil: 'networkidle' });
  expect(asked.some((what) => what.startsWith('stylesheet'))).toBe(true);
  expect(asked.filter((what) => /^script|\.js$|\.wasm$/.test(what))).toEqual([]);
});

test('a fresh token can be copied with one click', async ({ page, portal, context }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  const project = portal.unique('lamp');
  await portal.call('POST', '/api/v1/projects', { name: project, hardware: [] });
  await signIn(page, portal.admin);
  await page.goto(`/admin/projects/${project}/devices`);
  await page.getByRole('button', { name: 'Add a device' }).click();
  const secret = await page.getByRole('region', { name: 'Target token', exact: true }).innerText();
  await page.getByRole('button', { name: 'Copy' }).click();
  await expect(page.getByRole('button', { name: 'Copied' })).toBeVisible();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(secret);
});

test('an upload can be cancelled and leaves nothing behind', async ({ page, portal, troubles }) => {
  troubles.foresee(/ERR_(ABORTED|FAILED)/);
  const project = portal.unique('lamp');
  await portal.call('POST', '/api/v1/projects', { name: project, hardware: [] });
  await signIn(page, portal.admin);
  await page.goto(`/admin/projects/${project}/upload`);
  await page.route('**/api/v1/projects/*/releases/*', () => {});
  await page.getByLabel('Version').fill('2.0.0');
  await page.getByLabel('Image').setInputFiles({ name: 'a.bin', mimeType: 'application/octet-stream', buffer: Buffer.alloc(4096, 0xe9) });
  await page.getByRole('button', { name: 'Upload' }).click();
  await page.getByRole('button', { name: 'Cancel the upload' }).click();
  await expect(page.getByRole('alert')).toContainText('The upload was cancelled. Nothing was kept.');
  await page.goto(`/admin/projects/${project}`);
  await expect(page.getByText('There is no release yet')).toBeVisible();
});
