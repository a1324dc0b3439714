// A service whose host sleeps: one click wakes it, waits, opens and leads there.

import type { Page } from '@playwright/test';

import { Host, HomeBackend, NetworkCard, ownAddress } from '../support/lan';
import type { Account, Portal, Service } from '../support/portal';
import { expectAccessible, expectNothingSticksOut, photograph } from '../support/soundness';
import { navigate, section, signIn } from '../support/steps';
import { expect, test } from '../support/story';
import type { Stop } from '../support/tour';

const lan = ownAddress();
test.skip(!lan, 'this machine has no address besides loopback, where a LAN host could be played');

const SECRET = 'a secret that only the portal knows';

const wakeSettings = (backend: HomeBackend) => `[wake]
webhook_origins = ["${backend.origin}"]
webhook_networks = ["127.0.0.1/32"]
webhook_secret = "${SECRET}"
`;

/** A service on a sleeping host, behind a router of its own. */
async function sleepingService(portal: Portal, owner: Account, host: Host, settings: object, daemonSettings = ''): Promise<Service> {
  const daemon = await portal.newDaemon(`lan_cidrs = ["${host.address}/32"]\n${daemonSettings}`);
  const router_id = await portal.addRouter(daemon, portal.unique('Router by the stairs'));
  const place = { router_id, lan_ip: host.address, lan_port: host.port, public_port: host.publicPort };
  return portal.newService(owner, { ...place, ...settings });
}

const WAITING: Stop = { name: 'session-waiting', path: '/sessions', heading: ['Session', 'Sesión'] };

const steps = (page: Page) => page.getByRole('main').getByRole('listitem');

/** The page says by itself how far it is: scripts listen, and without them it loads itself again. */
async function expectItWaits(page: Page, withScripts: boolean): Promise<void> {
  await expect(steps(page).and(page.locator('[aria-current=step]'))).toHaveText(/^Now Wait until its service answers$/);
  await expect(steps(page)).toHaveText([/^Done Tell/, /^Now Wait/, /^Later Let your address in$/]);
  await expect(page.getByText(/does not answer by \d\d:\d\d:\d\d UTC/)).toBeVisible();
  await expect(page.locator('meta[http-equiv=refresh]')).toHaveCount(withScripts ? 0 : 1);
}

test('one click wakes a host through its home backend, opens the service and leads there', async ({ page, portalWith, javaScriptEnabled }) => {
  const host = await Host.asleep(lan!, 'Garage camera');
  const backend = await HomeBackend.start(() => 204);
  const portal = await portalWith(wakeSettings(backend));
  const owner = await portal.newOwner();
  const wake = { kind: 'webhook', url: `${backend.origin}/wake/garage` };
  const service = await sleepingService(portal, owner, host, { wake });
  await signIn(page, owner, portal.url);
  await page.getByRole('button', { name: 'Open', exact: true }).click();

  await test.step('sees what is done and what it waits for', async () => {
    await expectItWaits(page, javaScriptEnabled !== false);
    await expect(page.getByText('As soon as it is open you are led to it.')).toBeVisible();
    await photograph(page, test.info(), 'light', WAITING);
    await expectNothingSticksOut(page, WAITING);
    if (javaScriptEnabled !== false) await expectAccessible(page, WAITING);
    const [call] = backend.calls;
    expect(call).toMatchObject({ method: 'POST', path: '/wake/garage', claims: { aud: service.id, sub: owner.id } });
    expect(call.claims.exp - call.claims.iat, 'seconds').toBeLessThanOrEqual(60);
  });

  await test.step('arrives when the host is awake', async () => {
    await host.wake();
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('Garage camera', { timeout: 30_000 });
    expect(page.url()).toBe(`http://127.0.0.1:${host.publicPort}/`);
  });

  await test.step('finds the dashboard behind, with the whole time left', async () => {
    await page.goBack();
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('Dashboard');
    await page.reload();
    await expect(section(page, 'Open now').getByRole('timer')).toHaveText(/^(30:00|29:\d\d) left$/);
    expect(backend.calls).toHaveLength(1);
  });
  host.stop();
  backend.stop();
});

test('the router wakes a host by Wake-on-LAN, and a program is told where to connect', async ({ page, portal, javaScriptEnabled }) => {
  const host = await Host.asleep(lan!, 'Backup box');
  const card = await NetworkCard.listen();
  const owner = await portal.newOwner();
  const mac = '02:00:5e:10:00:01';
  const listens = `wake_broadcasts = ["${card.place}"]`;
  const service = await sleepingService(portal, owner, host, { kind: 'other', wake: { kind: 'wol', mac } }, listens);
  await signIn(page, owner);
  const woken = card.hears();
  await page.getByRole('button', { name: 'Open', exact: true }).click();
  expect(await woken).toBe(mac);
  await expectItWaits(page, javaScriptEnabled !== false);
  await host.wake();
  await expect(page.getByRole('main').locator('.badge').filter({ hasText: 'Open' })).toBeVisible({ timeout: 30_000 });
  await expect(page.getByRole('main')).toContainText(`Connect to 127.0.0.1, port ${service.public_port}.`);
  await expect(steps(page)).toHaveCount(0);
  host.stop();
  card.stop();
});

test('a home backend that refuses ends it at once, with the reason', async ({ page, portalWith, javaScriptEnabled }) => {
  const host = await Host.asleep(lan!, 'Nobody arrives here');
  const backend = await HomeBackend.start(() => 500);
  const portal = await portalWith(wakeSettings(backend));
  const owner = await portal.newOwner();
  const service = await sleepingService(portal, owner, host, { wake: { kind: 'webhook', url: `${backend.origin}/` } });
  await signIn(page, owner, portal.url);
  await page.getByRole('button', { name: 'Open', exact: true }).click();

  await expect(page.getByRole('alert')).toContainText('The host could not be told to wake', { timeout: 30_000 });
  await expect(page.getByRole('button', { name: 'Try again' })).toBeVisible();
  if (javaScriptEnabled === false) await expect(page.locator('meta[http-equiv=refresh]')).toHaveCount(0);
  await navigate(page, 'Sessions');
  const past = section(page, 'Past sessions').getByRole('row').filter({ hasText: service.name });
  await expect(past).toContainText('It could not be told to wake');
  backend.stop();
});
