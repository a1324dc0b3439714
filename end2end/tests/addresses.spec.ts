// Where an owner comes from: another address than before, the service's own LAN, the other family.

import type { Page } from '@playwright/test';

import { SecondDoor } from '../support/door';
import { expectAccessible, expectNothingSticksOut, photograph } from '../support/soundness';
import { choose, navigate, section, signIn, submitSignIn } from '../support/steps';
import { expect, test } from '../support/story';

/** The portal believes what a proxy on this machine says, and the browser plays that proxy, too. */
const BEHIND_A_PROXY = 'trusted_proxies = ["127.0.0.1/32"]\n';

const comeFrom = (page: Page, address: string) => page.setExtraHTTPHeaders({ 'x-forwarded-for': address });

test('an owner whose address changed takes the open session along', async ({ page, portalWith }) => {
  const portal = await portalWith(BEHIND_A_PROXY);
  const owner = await portal.newOwner();
  const service = await portal.newService(owner);
  const { daemon } = await portal.sharedRouter();
  await comeFrom(page, '203.0.113.9');
  await signIn(page, owner, portal.url);
  await expect(page.getByRole('main')).toContainText('Your address: 203.0.113.9 (IPv4)');
  const offer = section(page, 'Your services').getByRole('article');
  await choose(offer, '1 h');
  await offer.getByRole('button', { name: 'Open', exact: true }).click();
  const tile = section(page, 'Open now').getByRole('article');
  await expect(tile).toContainText('This address');

  await test.step('comes from elsewhere and moves it', async () => {
    await comeFrom(page, '203.0.113.77');
    await page.goto(`${portal.url}/`);
    await expect(tile).toContainText('It lets in 203.0.113.9, but you come from 203.0.113.77 now.');
    await tile.getByRole('button', { name: 'Move it to this address' }).click();
    await expect(page.getByText('The service is open for your present address, and no longer for the old one.')).toBeVisible();
  });

  await test.step('has the same time left, at the new address only', async () => {
    await expect(tile).toHaveCount(1);
    await expect(tile).toContainText('203.0.113.77');
    await expect(tile.getByRole('timer')).toHaveText(/^(1:00:00|59:\d\d) left$/);
    await expect(tile.getByRole('button', { name: 'Move it to this address' })).toHaveCount(0);
    const open = await daemon.sessions();
    expect(open).toMatch(new RegExp(`203\\.0\\.113\\.77 +${service.public_port}/tcp`));
    expect(open).not.toContain('203.0.113.9 ');
  });

  await navigate(page, 'Sessions');
  const past = section(page, 'Past sessions').getByRole('row').filter({ hasText: service.name });
  await expect(past).toContainText('Replaced by a newer one');
});

test('an owner in the LAN of a service is led to it directly', async ({ page, portalWith }) => {
  const portal = await portalWith(BEHIND_A_PROXY);
  const owner = await portal.newOwner();
  await portal.newService(owner);
  await comeFrom(page, '192.168.50.77');
  await signIn(page, owner, portal.url);
  const tile = section(page, 'Your services').getByRole('article');
  await expect(tile).toContainText('You are in the same network as this service, so nothing needs to be opened.');
  await expect(tile.getByRole('link', { name: 'Go there directly' })).toHaveAttribute('href', 'http://192.168.50.10:8080/');
  await expect(tile.getByRole('button', { name: 'Open', exact: true })).toHaveCount(0);
});

test('an owner who comes over IPv6 learns that a service is reached over IPv4', async ({ page, portalWith }) => {
  const portal = await portalWith(BEHIND_A_PROXY);
  const owner = await portal.newOwner();
  await portal.newService(owner);
  await comeFrom(page, '2001:db8::7');
  await signIn(page, owner, portal.url);
  await expect(page.getByRole('main')).toContainText('Your address: 2001:db8::7 (IPv6)');
  const tile = section(page, 'Your services').getByRole('article');
  await expect(tile).toContainText('Reach the portal over IPv4 to open it.');
  await expect(tile.getByRole('button', { name: 'Open', exact: true })).toHaveCount(0);
});

test('an owner who comes over IPv6 goes on over IPv4, where the portal has a name for that', async ({ page, portalWith, javaScriptEnabled }, info) => {
  const door = await SecondDoor.open();
  const portal = await portalWith(`public_url_ipv4 = "${door.url}"\n${BEHIND_A_PROXY}`);
  door.leadTo(portal.url);
  const owner = await portal.newOwner();
  await portal.newService(owner);
  const { daemon } = await portal.sharedRouter();
  await comeFrom(page, '2001:db8::7');
  await signIn(page, owner, portal.url);
  const tile = section(page, 'Your services').getByRole('article');
  await expect(tile).toContainText(`The portal is reached over IPv4 at ${new URL(door.url).host}. You sign in there once more.`);
  const stop = { name: 'other-family', path: '/', heading: ['Dashboard', 'Panel'] as [string, string] };
  await expectNothingSticksOut(page, stop);
  // What axe looks with is a script.
  if (javaScriptEnabled !== false) await expectAccessible(page, stop);
  await photograph(page, info, 'light', stop);

  // The name leads there over IPv4 only, so that is what the portal sees.
  await comeFrom(page, '203.0.113.9');
  await tile.getByRole('link', { name: 'Go on over IPv4' }).click();
  await expect(page).toHaveURL(`${door.url}/login`);
  await submitSignIn(page, owner);
  await expect(page.getByRole('main')).toContainText('Your address: 203.0.113.9 (IPv4)');
  await tile.getByRole('button', { name: 'Open', exact: true }).click();
  await expect(page.getByText('The service is open for your address.')).toBeVisible();
  expect(await daemon.sessions()).toContain('203.0.113.9 ');

  await test.step('and back over IPv6 nothing is offered to be moved', async () => {
    await comeFrom(page, '2001:db8::7');
    await page.goto(`${portal.url}/`);
    await expect(section(page, 'Open now').getByRole('article')).toContainText('203.0.113.9');
    await expect(page.getByRole('button', { name: 'Move it to this address' })).toHaveCount(0);
  });
  door.close();
});

test('a page that was drawn for another address lets nobody in', async ({ page, portalWith }) => {
  const portal = await portalWith(BEHIND_A_PROXY);
  const owner = await portal.newOwner();
  await portal.newService(owner);
  const { daemon } = await portal.sharedRouter();
  // No news may come in between, by which the page would notice its new address.
  await page.route('**/api/v1/events*', () => {});
  await comeFrom(page, '203.0.113.9');
  await signIn(page, owner, portal.url);
  await comeFrom(page, '203.0.113.77');
  const tile = section(page, 'Your services').getByRole('article');
  await tile.getByRole('button', { name: 'Open', exact: true }).click();
  await expect(page.getByRole('alert')).toContainText('Your address is another one now than this page showed before');
  await expect(page.getByRole('main')).toContainText('Your address: 203.0.113.77 (IPv4)');
  expect(await daemon.sessions()).not.toContain('203.0.113.');
  await tile.getByRole('button', { name: 'Open', exact: true }).click();
  await expect(page.getByText('The service is open for your address.')).toBeVisible();
  expect(await daemon.sessions()).toContain('203.0.113.77 ');
});

test('a page notices a new address without a reload and offers to move', async ({ page, portalWith, javaScriptEnabled }) => {
  test.skip(javaScriptEnabled === false, 'without scripts the next load shows it');
  const portal = await portalWith(BEHIND_A_PROXY);
  const owner = await portal.newOwner();
  await portal.newService(owner);
  await comeFrom(page, '203.0.113.9');
  const listens = page.waitForRequest(/\/api\/v1\/events/);
  await signIn(page, owner, portal.url);
  await page.getByRole('button', { name: 'Open', exact: true }).click();
  const tile = section(page, 'Open now').getByRole('article');
  await expect(tile).toContainText('This address');
  await listens;
  await comeFrom(page, '203.0.113.77');
  // As when the reader comes back to the page.
  await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
  await expect(tile.getByRole('button', { name: 'Move it to this address' })).toBeVisible();
  await expect(page.getByRole('main')).toContainText('Your address: 203.0.113.77 (IPv4)');
});

test('what changes under a choice shows when the choice is left', async ({ page, portal, javaScriptEnabled }) => {
  test.skip(javaScriptEnabled === false, 'without scripts the next load shows it');
  const owner = await portal.newOwner();
  const service = await portal.newService(owner);
  await signIn(page, owner);
  const offer = section(page, 'Your services').getByRole('article');
  await choose(offer, '1 h');
  await offer.getByRole('radio', { name: '1 h', exact: true }).focus();
  const token = await portal.signInToken(owner.email, owner.password);
  await portal.call('POST', '/api/v1/sessions', { service_id: service.id }, token);
  await expect(section(page, 'Open now').getByRole('timer')).toHaveText(/left$/);
  await expect(offer.getByRole('radio', { name: '1 h', exact: true }), 'nothing is taken from under a hand').toBeChecked();
  await offer.getByRole('radio', { name: '1 h', exact: true }).blur();
  await expect(offer).toContainText('Open for your address until');
  await expect(offer.getByRole('radio')).toHaveCount(0);
});

test('a service that is slow to answer is asked once', async ({ page, portal, javaScriptEnabled }) => {
  test.skip(javaScriptEnabled === false, 'without scripts the browser itself goes there');
  const owner = await portal.newOwner();
  const service = await portal.newService(owner);
  const token = await portal.signInToken(owner.email, owner.password);
  const { id } = await portal.call<{ id: string }>('POST', '/api/v1/sessions', { service_id: service.id }, token);
  await signIn(page, owner);
  let asked = 0;
  await page.route(`http://127.0.0.1:${service.public_port}/`, async (route) => {
    asked += 1;
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    await route.fulfill({ contentType: 'text/html', body: '<!doctype html><html lang="en"><title>Slow</title><h1>Slow</h1></html>' }).catch(() => {});
  });
  await page.goto(`/sessions/${id}?go=1`, { waitUntil: 'commit' });
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Slow', { timeout: 30_000 });
  expect(asked).toBe(1);
});
