import type { Route } from '@playwright/test';

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

test('the warning before the end comes by itself and is announced', async ({ page, portal }) => {
  const owner = await portal.newOwner();
  await portal.newService(owner, { default_minutes: 6 });
  await page.clock.install();
  await signIn(page, owner);
  await page.getByRole('button', { name: 'Open', exact: true }).click();
  const tile = section(page, 'Open now').getByRole('article');
  const warning = tile.getByText('It ends soon. Extend it to keep it open.');
  await expect(tile.getByRole('timer')).toHaveText(/^(6:00|5:[345]\d) left$/);
  await expect(warning).toBeHidden();
  await page.clock.fastForward('01:01');
  await expect(warning).toBeVisible();
  await expect(tile.getByRole('status')).toHaveText('5 minutes left.');
  await expect(tile.getByRole('button', { name: 'Extend' })).toBeVisible();
});

test('where no event stream comes through, the page asks now and then', async ({ page, portal, anotherBrowser, troubles }) => {
  troubles.foresee(/status of 503/);
  troubles.foresee(/^503 from .*\/api\/v1\/events/);
  const owner = await portal.newOwner();
  await portal.newService(owner);
  await page.clock.install();
  const refused = page.waitForResponse(/\/api\/v1\/events/);
  await page.route('**/api/v1/events*', (route) => route.fulfill({ status: 503 }));
  await signIn(page, owner);
  await refused;
  const elsewhere = await anotherBrowser();
  await signIn(elsewhere, owner);
  await elsewhere.getByRole('button', { name: 'Open', exact: true }).click();
  await expect(elsewhere.getByText('The service is open for your address.')).toBeVisible();
  await page.clock.fastForward('00:16');
  await expect(section(page, 'Open now').getByRole('timer')).toHaveText(/left$/);
});

test('a page whose event stream is kept waiting asks now and then, too', async ({ page, portal, anotherBrowser }) => {
  const owner = await portal.newOwner();
  await portal.newService(owner);
  await page.clock.install();
  // What stands between holds the stream back: there is neither an answer nor an error.
  const asked = page.waitForRequest(/\/api\/v1\/events/);
  await page.route('**/api/v1/events*', () => {});
  await signIn(page, owner);
  await asked;
  const elsewhere = await anotherBrowser();
  await signIn(elsewhere, owner);
  await elsewhere.getByRole('button', { name: 'Open', exact: true }).click();
  await expect(elsewhere.getByText('The service is open for your address.')).toBeVisible();
  await page.clock.fastForward('00:16');
  await expect(section(page, 'Open now').getByRole('timer')).toHaveText(/left$/);
});

test('a guest sees without a reload that the session was closed', async ({ page, portal, anotherBrowser }) => {
  const owner = await portal.newOwner();
  const service = await portal.newService(owner);
  const token = await portal.signInToken(owner.email, owner.password);
  const wish = { service_id: service.id, label: 'Aunt Rosa', expires_minutes: 60, max_uses: 1, max_minutes: 30 };
  const { id, link } = await portal.call<{ id: string; link: string }>('POST', '/api/v1/invitations', wish, token);
  const guest = await anotherBrowser();
  await guest.clock.install();
  await guest.goto(link);
  await guest.getByRole('button', { name: 'Open', exact: true }).click();
  await expect(guest.getByRole('link', { name: 'Go to the service' })).toBeVisible();
  await portal.call('DELETE', `/api/v1/invitations/${id}`, undefined, token);
  await guest.clock.fastForward('00:16');
  await expect(guest.getByText('It is closed. Nobody gets in through it any more.')).toBeVisible();
});

test('who signs out while the page looks for news is told so all the same', async ({ page, portal }) => {
  let look: Route | undefined;
  await page.route((url) => url.pathname === '/', async (route) => {
    if (look || route.request().resourceType() !== 'xhr') return route.fallback();
    look = route;
  });
  await signIn(page, await portal.newOwner());
  await expect.poll(() => look !== undefined).toBe(true);
  // The look is answered as to somebody who is signed out, before the page that says so is there.
  await page.route('**/logout', async (route) => {
    const taken = page.waitForEvent('requestfinished', (request) => request.resourceType() === 'xhr');
    await look!.fulfill({ contentType: 'text/html', body: '<!doctype html><html lang="en"><title>Sign in</title></html>' });
    await taken;
    await route.continue();
  });
  await page.getByRole('button', { name: 'Sign out' }).click();
  await expect(page.getByText('You are signed out.')).toBeVisible();
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
